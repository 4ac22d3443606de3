"""Exit codes of the benchmarks."""

import sys

import pytest

from benchmarks.command_line import run
from model.errors import Failure, InputError


@pytest.mark.parametrize(("error", "code"), [(InputError, 2), (Failure, 1)])
def test_errors_are_printed_and_set_the_exit_code(monkeypatch, capsys, error, code):
    def main(argv):
        raise error(f"no {argv[0]}")

    monkeypatch.setattr(sys, "argv", ["benchmark", "--flag"])
    assert run(main) == code
    assert capsys.readouterr().err == "error: no --flag\n"


def test_the_exit_code_of_main_is_returned(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    assert run(lambda argv: len(argv)) == 0
