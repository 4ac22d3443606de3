"""`python -m exploration VERB ...`: one module a verb, imported only when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from model.faults import InputError, did_you_mean, listing

VERBS = {
    "demo": ("exploration.demo", "draws pictures of made-up faces to try the jobs on"),
    "scores": ("exploration.scores", "prints an evaluation.json as a small table"),
}


def verbs_text() -> str:
    """What --help prints: every verb with its one line."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, (_, summary) in VERBS.items()]
    usage = "python -m exploration VERB [--FLAG VALUE ...]"
    return "\n".join([usage, "", *lines, "", "python -m exploration VERB --help tells the flags of a verb."])


def main(argv: Sequence[str]) -> int:
    """The exit code of a verb: 0 done, 2 bad input or settings, 130 Ctrl-C."""
    if not argv or argv[0] in ("-h", "--help"):
        print(verbs_text())
        return 0
    verb, *flags = argv
    try:
        if verb not in VERBS:
            raise InputError(
                f"{verb!r} is no verb of exploration; there are {listing(VERBS)}{did_you_mean(verb, VERBS)}"
            )
        code: int = importlib.import_module(VERBS[verb][0]).main(flags)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
