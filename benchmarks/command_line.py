"""Runs a benchmark on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from model.errors import ExitCode, Failure, InputError


def run(main: Callable[[Sequence[str]], int]) -> int:
    """Calls main with the flags of the process and returns its exit code. Bad input and failures are printed."""
    try:
        return main(sys.argv[1:])
    except (InputError, Failure) as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT if isinstance(error, InputError) else ExitCode.FAULT
