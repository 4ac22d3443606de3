"""Exceptions and exit codes of Rarebird, and helpers for messages: nearest names, shortened lists, collected problems.

Imports are fast, because the entry point of the container image and the launcher use it too.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SHOWN_PER_KIND = 20  # problems of one kind that a message lists; further ones are only counted


class ExitCode(enum.IntEnum):
    """Exit codes of all jobs and commands. As in a shell, 128 + N means signal N."""

    DONE = 0  # also if SIGTERM stopped a training run and its model was saved
    FAULT = 1
    BAD_INPUT = 2  # bad input or settings
    NOT_PASSED = 3  # python -m jobs pipeline: the model did not pass the gate
    INTERRUPTED = 130  # SIGINT, Ctrl-C; a training run has written a checkpoint
    KILLED = 137  # SIGKILL, which the system sends when memory runs out
    TERMINATED = 143  # SIGTERM, with nothing saved


class InputError(Exception):
    """Bad input or settings. The message is complete and written for the user; a job ends with exit code 2.

    Attributes:
        details: The message with all problems if it lists only the first of them, otherwise "".
    """

    def __init__(self, message: object = "", details: str = ""):
        super().__init__(message)
        self.details = details


class WeightsUnavailable(InputError):
    """Pretrained weights cannot be downloaded. A command that can do without them catches it."""


class Failure(Exception):
    """A run cannot continue although its input and settings are valid.

    The message is complete and written for the user; a job ends with exit code 1.
    """


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar to a mistyped one.

    Args:
        name: The mistyped name.
        known: The valid names. Letter case is ignored.

    Returns:
        The name; None if no name is similar.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; nearest: NAME` for the end of a message; "" if no known name is similar."""
    candidate = nearest(name, known)
    return f"; nearest: {candidate}" if candidate else ""


def nearest_path(path: Path) -> str:
    """`; nearest: NAME` for a path that does not exist; "" if it exists or nothing next to it has a similar name."""
    if path.exists():
        return ""
    try:
        return did_you_mean(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:  # there is no such folder, or it cannot be read
        return ""


def listing(names: Iterable[object], most: int = 12) -> str:
    """`a, b, c and 4 more`: the first names, and the number of the others.

    Args:
        names: The names.
        most: Maximum number of names to list.
    """
    texts = [str(name) for name in names]
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[:most])} and {len(texts) - most:,} more"


@dataclass
class Problems:
    """Collects the problems of one input, to report them together in one message.

    Attributes:
        heading: First line of the message, such as the name of the channel.
        kinds: Locations by kind of problem, in the order in which the kinds first occurred.
        advice: Sentences on settings that accept the input.
    """

    heading: str
    kinds: dict[str, list[str]] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)

    def add(self, kind: str, location: str, advice: str = "") -> None:
        """Adds a problem.

        Args:
            kind: What is wrong; the same text for every location.
            location: File or row, with the value and what was expected.
            advice: A sentence on the setting that accepts the input; it is added once to the end of the message.
        """
        self.kinds.setdefault(kind, []).append(location)
        if advice:
            self.advise(advice)

    def advise(self, sentence: str) -> None:
        """Adds a sentence to the end of the message, once."""
        if sentence not in self.advice:
            self.advice.append(sentence)

    def extend(self, other: Problems) -> None:
        """Adds the problems of another collection."""
        for kind, locations in other.kinds.items():
            self.kinds.setdefault(kind, []).extend(locations)
        self.advice += [sentence for sentence in other.advice if sentence not in self.advice]

    def shows_next(self, kind: str) -> bool:
        """Whether the message will list the next location of this kind.

        If not, its nearest name, which is slow to find, is not needed.
        """
        return len(self.kinds.get(kind, ())) < SHOWN_PER_KIND

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def __len__(self) -> int:
        return sum(len(locations) for locations in self.kinds.values())

    def __str__(self) -> str:
        return self.text(SHOWN_PER_KIND)

    def text(self, most: int | None = None) -> str:
        """The message: heading, locations by kind, advice. most: maximum number of locations per kind; None for all."""
        count = f"{len(self):,} problem{'s' if len(self) != 1 else ''}"
        lines = [f"{self.heading}: {count}"]
        for kind, locations in self.kinds.items():
            shown = locations[:most]
            lines.append(f"  {kind} ({len(locations):,}):")
            lines += [f"    {location}" for location in shown]
            if len(locations) > len(shown):
                lines.append(f"    ... and {len(locations) - len(shown):,} more")
        return "\n".join([*lines, *(f"  {advice}" for advice in self.advice)])

    def raise_if_any(self) -> None:
        """Raises an InputError that lists all problems, if there are any."""
        raise_all([self])


def raise_all(inputs: Iterable[Problems]) -> None:
    """Raises one InputError that lists the problems of all inputs, if there are any."""
    problems = [own for own in inputs if own]
    if problems:
        message, details = "\n".join(map(str, problems)), "\n".join(own.text() for own in problems)
        raise InputError(message, details if details != message else "")
