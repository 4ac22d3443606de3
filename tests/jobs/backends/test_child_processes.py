"""One process per host of a job."""

from __future__ import annotations

import sys
from pathlib import Path

from jobs.backends import child_processes
from jobs.backends.child_processes import HostCommand, run_hosts


def python(code: str, folder: Path) -> HostCommand:
    return HostCommand([sys.executable, "-c", code], {}, folder)


def test_lines_of_hosts_have_their_names_and_are_logged(tmp_path):
    lines: list[str] = []
    both = {"algo-1": python("print('one')", tmp_path), "algo-2": python("print('two')", tmp_path)}
    assert run_hosts(both, tmp_path / "log.txt", lines.append) == {"algo-1": 0, "algo-2": 0}
    assert sorted(lines) == ["algo-1: one", "algo-2: two"] == sorted((tmp_path / "log.txt").read_text().splitlines())


def test_if_one_host_fails_the_others_are_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(child_processes, "GRACE_SECONDS", 0.2)
    both = {"algo-1": python("import time; time.sleep(600)", tmp_path), "algo-2": python("exit(2)", tmp_path)}
    codes = run_hosts(both, tmp_path / "log.txt", lambda _: None)
    assert list(codes.items()) == [("algo-2", 2), ("algo-1", 143)]  # in the order in which the hosts ended
