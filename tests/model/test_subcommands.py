"""Subcommands: their exit codes, messages and help."""

import sys
import types
from collections.abc import Callable, Sequence

import pytest

from model import __version__
from model.errors import Failure, InputError
from model.subcommands import run_subcommand

SUBCOMMANDS = {"work": ("a_module_of_tests", "does it"), "workshop": ("no_such_module", "cannot be imported")}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `work` with a main that returns or raises the given value."""

    def run(outcome: int | BaseException, *flags: str) -> int:
        def main(argv: Sequence[str]) -> int:
            assert list(argv) == list(flags)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        module = types.ModuleType("a_module_of_tests")
        module.main = main  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "a_module_of_tests", module)
        return run_subcommand("tests", SUBCOMMANDS, ["work", *flags])

    return run


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (0, 0, ""),
        (3, 3, ""),
        (Failure("the disk is full"), 1, "error: the disk is full\n"),
        (InputError("there is no such folder"), 2, "error: there is no such folder\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_subcommand_gets_its_flags_and_returns_its_exit_code(work, capsys, outcome, code, message):
    assert work(outcome, "--epochs", "3") == code
    assert capsys.readouterr().err == message


def test_an_unknown_subcommand_is_an_error_with_the_nearest(capsys):
    assert run_subcommand("tests", SUBCOMMANDS, ["worj"]) == 2
    error = "error: 'worj' is not a subcommand of tests; expected one of work, workshop; nearest: work\n"
    assert capsys.readouterr().err == error


def test_version_is_that_of_rarebird(capsys):
    assert run_subcommand("tests", SUBCOMMANDS, ["--version"]) == 0
    assert capsys.readouterr().out == f"rarebird {__version__}\n"


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_help_lists_every_subcommand_without_importing_them(capsys, argv):
    assert run_subcommand("tests", SUBCOMMANDS, argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: python -m tests SUBCOMMAND ... [--FLAG VALUE ...]"
    assert "  work      does it" in lines and "  workshop  cannot be imported" in lines
