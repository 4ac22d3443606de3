"""Command lines of the form `python -m PACKAGE SUBCOMMAND ...`: finds, imports and runs the module of a subcommand.

Each subcommand is one module, imported only when it is asked for. Imports no torch.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

from model import __version__
from model.errors import ExitCode, Failure, InputError, did_you_mean, listing
from model.streams import outlive_readers

Subcommands = Mapping[str, tuple[str, str]]  # by name: the module whose main(argv) runs it, and its line in --help


def subcommands_text(package: str, subcommands: Subcommands) -> str:
    """The text of `python -m PACKAGE --help`: every subcommand with its one line."""
    width = max(map(len, subcommands))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in subcommands.items()]
    usage = f"python -m {package} SUBCOMMAND ... [--FLAG VALUE ...]"
    return "\n".join([usage, "", *lines, "", f"python -m {package} SUBCOMMAND --help shows the flags of a subcommand."])


def run_subcommand(package: str, subcommands: Subcommands, argv: Sequence[str]) -> int:
    """Runs the subcommand that argv names and returns its exit code: 0 done, 1 failure, 2 bad input or settings, 130
    Ctrl-C. Errors are printed to stderr. A reader of stdout that has gone, as `| head`, changes nothing."""
    outlive_readers()
    if not argv or argv[0] in ("-h", "--help"):
        print(subcommands_text(package, subcommands))
        return ExitCode.DONE
    if argv[0] == "--version":
        print(f"rarebird {__version__}")
        return ExitCode.DONE
    name, *flags = argv
    try:
        if name not in subcommands:
            known = f"{listing(subcommands)}{did_you_mean(name, subcommands)}"
            raise InputError(f"{name!r} is no subcommand of {package}; there are {known}")
        module, _ = subcommands[name]
        code: int = importlib.import_module(module).main(flags)
    except (InputError, Failure) as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT if isinstance(error, InputError) else ExitCode.FAULT
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code
