"""The command `rarebird`: what it runs, and what it does itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from container import command_line
from container.project_root import PROJECT_ROOT
from model import __version__
from model.errors import ExitCode


@pytest.fixture
def command(monkeypatch):
    """Runs the command line in this process with what it would run recorded; returns the exit code and the modules."""

    def run(*words: str) -> tuple[int, list[tuple[str, list[str], str]]]:
        ran: list[tuple[str, list[str], str]] = []
        record = lambda name, run_name, alter_sys: ran.append((name, sys.argv, sys.path[0]))  # noqa: E731
        monkeypatch.setattr(command_line.runpy, "run_module", record)
        monkeypatch.setattr(sys, "argv", ["rarebird", *words])
        monkeypatch.setattr(sys, "path", list(sys.path))
        return command_line.main(), ran

    return run


@pytest.mark.parametrize(
    ("name", "module"), [("train", "train"), ("inference_TTA", "inference_TTA"), ("jobs", "jobs"), ("model", "model")]
)
def test_a_command_runs_the_script_or_package_with_its_arguments(command, name, module):
    _, ran = command(name, "--epochs", "3")
    assert ran == [(module, [f"rarebird {name}", "--epochs", "3"], str(PROJECT_ROOT))]


def test_exploration_has_a_shorter_name(command):
    assert [command(name)[1][0][0] for name in ("explore", "exploration")] == ["exploration"] * 2


def test_every_command_exists():
    for module, _ in command_line.COMMANDS.values():
        assert (PROJECT_ROOT / f"{module}.py").is_file() or (PROJECT_ROOT / module / "__main__.py").is_file()


def test_help_and_version_are_printed(command, capsys):
    for words in ([], ["--help"], ["-h"]):
        assert command(*words) == (ExitCode.DONE, [])
        out = capsys.readouterr().out
        assert all(f"  {name} " in out for name in command_line.COMMANDS)
    assert command("--version") == (ExitCode.DONE, [])
    assert capsys.readouterr().out == f"rarebird {__version__}\n"


def test_an_unknown_command_names_the_nearest(command, capsys):
    assert command("trian") == (ExitCode.BAD_INPUT, [])
    assert "error: rarebird has no command 'trian'; it has train, " in (err := capsys.readouterr().err)
    assert err.endswith("; nearest: train\n")


def test_the_exit_code_of_a_subcommand_is_that_of_the_process(tmp_path):
    """Run from another folder, which has a module of the same name as ours."""
    (tmp_path / "exploration.py").write_text("raise SystemExit('a stranger')")
    code = (
        f"import sys; sys.path.append({str(PROJECT_ROOT)!r}); from container.command_line import main; sys.exit(main())"
    )
    words = [sys.executable, "-c", code, "explore", "rnus"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == ExitCode.BAD_INPUT and "nearest: runs" in ended.stderr
