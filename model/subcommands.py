"""Command lines of the form `python -m PACKAGE SUBCOMMAND ...`: finds, imports and runs the module of a subcommand.

Only the module of the requested subcommand is imported. Imports no torch.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

from model import __version__
from model.errors import ExitCode, Failure, InputError, did_you_mean, listing
from model.streams import outlive_readers

Subcommands = Mapping[str, tuple[str, str]]  # by name: the module with its main(argv), and its line in --help


def subcommands_text(package: str, subcommands: Subcommands, examples: Sequence[str] = ()) -> str:
    """Returns the text of `python -m PACKAGE --help`: usage, examples, and one line per subcommand."""
    width = max(map(len, subcommands))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in subcommands.items()]
    usage = f"usage: python -m {package} SUBCOMMAND ... [--FLAG VALUE ...]"
    shown = ["", *(f"    python -m {package} {example}" for example in examples)] if examples else []
    end = f"Flags of a subcommand: python -m {package} SUBCOMMAND --help"
    return "\n".join([usage, *shown, "", *lines, "", end])


def run_subcommand(package: str, subcommands: Subcommands, argv: Sequence[str], examples: Sequence[str] = ()) -> int:
    """Runs a subcommand. Errors are printed to stderr; a reader of stdout that exits, such as `| head`, is no error.

    Args:
        package: Name of the package, for messages.
        subcommands: The subcommands of the package.
        argv: Name of the subcommand and its arguments.
        examples: Commands that --help shows first.

    Returns:
        The exit code: 0 done, 1 failure, 2 bad input or settings, 130 Ctrl-C.
    """
    outlive_readers()
    if not argv or argv[0] in ("-h", "--help"):
        print(subcommands_text(package, subcommands, examples))
        return ExitCode.DONE
    if argv[0] == "--version":
        print(f"rarebird {__version__}")
        return ExitCode.DONE
    name, *flags = argv
    try:
        if name not in subcommands:
            known = f"{listing(subcommands)}{did_you_mean(name, subcommands)}"
            raise InputError(f"{name!r} is not a subcommand of {package}; expected one of {known}")
        module, _ = subcommands[name]
        code: int = importlib.import_module(module).main(flags)
    except (InputError, Failure) as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT if isinstance(error, InputError) else ExitCode.FAULT
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code
