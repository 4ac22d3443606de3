"""The subcommands of python -m exploration: exploration/__main__.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from exploration import __main__ as command
from exploration import demo

ROOT = Path(demo.__file__).parents[1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("dmeo", "nearest: demo"),
        ("demo --person 12", "nearest: persons"),
        ("demo --persons 3", "at least 12"),
        ("demo --size 96", "width and height"),
    ],
)
def test_bad_input_is_reported_and_exits_with_2(flags: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(flags.split()) == 2
    out, err = capsys.readouterr()
    assert message in err and not out


def test_help_names_every_subcommand_and_flag(capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ([], ["--help"]):
        assert command.main(flags) == 0
        listed = capsys.readouterr().out
        assert all(name in listed and summary in listed for name, (_, summary) in command.SUBCOMMANDS.items())
    with pytest.raises(SystemExit) as exit_error:
        command.main(["demo", "--help"])
    assert not exit_error.value.code
    assert "--eval_persons N" in capsys.readouterr().out


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "main", interrupted)
    assert command.main(["demo"]) == 130


def test_listing_subcommands_imports_none_of_them() -> None:
    script = (
        "import sys; from exploration.__main__ import main; main([]); "
        "sys.exit(any(name in sys.modules for name in ('exploration.demo', 'numpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
