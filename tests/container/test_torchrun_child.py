"""How a child of torchrun writes the way it ended. Each child is a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from container import torchrun_child
from container.environment import RANKS_DIR
from container.project_root import PROJECT_ROOT
from container.torchrun_child import first_failure, wait_for_others


def test_a_process_that_ignores_sigterm_is_killed_and_counts_as_stopped(tmp_path):
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1], 'w').close()\ntime.sleep(60)"
    )
    arguments = [str(deaf), str(tmp_path / "ready")]
    body = f"from container import torchrun_child\ntorchrun_child.PATIENCE = 0.5\ntorchrun_child.main({arguments})"
    env = {**os.environ, RANKS_DIR: str(tmp_path), "RANK": "3"}
    process = subprocess.Popen([sys.executable, "-c", body], cwd=PROJECT_ROOT, env=env)
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    process.wait(60)
    ended = first_failure(tmp_path)
    assert ended is not None and (ended.rank, ended.status.code, ended.status.received) == (3, 143, signal.SIGTERM)
    assert not list(tmp_path.glob("*.part"))


def note(folder: Path, rank: int, code: int, at: float, failure: str = "") -> None:
    content = {"code": code, "received": None, "out_of_memory": False, "at": at}
    (folder / f"{rank}.json").write_text(json.dumps(content))
    if failure:
        (folder / f"{rank}.failure").write_text(failure, encoding="utf-8")


def test_the_first_rank_that_failed_is_reported(tmp_path):
    assert first_failure(tmp_path) is None
    note(tmp_path, 0, 0, at=1.0)
    assert first_failure(tmp_path) is None
    note(tmp_path, 1, 1, at=3.0, failure="connection closed")
    note(tmp_path, 2, 2, at=2.0, failure="no such folder")
    first = first_failure(tmp_path)
    assert first is not None
    assert (first.rank, first.status.code, first.failure) == (2, 2, "no such folder")


def test_a_script_without_a_message_is_reported_with_its_exit_code(tmp_path):
    env = {**os.environ, RANKS_DIR: str(tmp_path), "RANK": "0"}
    script = tmp_path / "script.py"
    script.write_text("import sys; sys.exit(int(sys.argv[1]))")
    for code in (0, 7):
        command = [sys.executable, "-m", "container.torchrun_child", str(script), str(code)]
        assert subprocess.run(command, cwd=PROJECT_ROOT, env=env).returncode == code
        assert json.loads((tmp_path / "0.json").read_text())["code"] == code
    first = first_failure(tmp_path)
    assert first is not None and (first.status.code, first.failure) == (7, "")


def test_a_rank_waits_until_the_others_have_succeeded(tmp_path, monkeypatch):
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        note(tmp_path, 2, 1 if len(pauses) == 1 else 0, at=1.0)

    monkeypatch.setattr(torchrun_child.time, "sleep", pause)
    note(tmp_path, 1, 0, at=1.0)
    wait_for_others(tmp_path, 0, 3)
    assert len(pauses) == 2  # first rank 2 had not ended, then it had failed, then it had succeeded
