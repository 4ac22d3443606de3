"""`python -m ROOM VERB ...`: one module a verb, imported only when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

from model.errors import Failure, InputError, did_you_mean, listing

Verbs = Mapping[str, tuple[str, str]]  # by name: the module whose main(argv) it is, and its one line


def verbs_text(room: str, verbs: Verbs) -> str:
    """What --help prints: every verb with its one line."""
    width = max(map(len, verbs))
    lines = [f"  {verb:<{width}}  {summary}" for verb, (_, summary) in verbs.items()]
    usage = f"python -m {room} VERB ... [--FLAG VALUE ...]"
    return "\n".join([usage, "", *lines, "", f"python -m {room} VERB --help tells the flags of a verb."])


def run_verb(room: str, verbs: Verbs, argv: Sequence[str]) -> int:
    """The exit code of a verb: 0 done, 1 a fault, 2 bad input or settings, 130 Ctrl-C."""
    if not argv or argv[0] in ("-h", "--help"):
        print(verbs_text(room, verbs))
        return 0
    verb, *flags = argv
    try:
        if verb not in verbs:
            raise InputError(f"{verb!r} is no verb of {room}; there are {listing(verbs)}{did_you_mean(verb, verbs)}")
        code: int = importlib.import_module(verbs[verb][0]).main(flags)
    except (InputError, Failure) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        return 130
    return code
