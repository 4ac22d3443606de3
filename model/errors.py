"""Exceptions and exit codes of Rarebird, and helpers for messages: nearest names, shortened lists, collected problems.

Imports nothing heavy: the image's entry point and the launcher use it too.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

SHOWN_PER_KIND = 20  # problems of one kind that a message lists; the rest are counted


class ExitCode(enum.IntEnum):
    """Exit codes of all jobs and commands. As in a shell, 128 + N stands for signal N."""

    DONE = 0  # also of a training that SIGTERM stopped, if its model is saved
    FAULT = 1
    BAD_INPUT = 2  # bad input or settings
    NOT_PASSED = 3  # python -m jobs pipeline: the model did not pass the gate
    INTERRUPTED = 130  # SIGINT, Ctrl-C; a training has written a checkpoint
    KILLED = 137  # SIGKILL, as the system sends it when memory runs out
    TERMINATED = 143  # SIGTERM, with nothing saved


class InputError(Exception):
    """Bad input or settings. The message is complete and written for the user; a job ends with exit code 2.

    Attributes:
        details: The message with all problems, where it lists only the first of them; else "".
    """

    def __init__(self, message: object = "", details: str = ""):
        super().__init__(message)
        self.details = details


class Failure(Exception):
    """A run cannot continue although its input and settings are valid. The message is complete and written for the
    user; a job ends with exit code 1."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a mistyped one, in any letter case; None where none is close."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; nearest: NAME` for the end of a message, or "" where no known name is close."""
    candidate = nearest(name, known)
    return f"; nearest: {candidate}" if candidate else ""


def listing(names: Iterable[object], most: int = 12) -> str:
    """`a, b, c and 4 more`: at most so many names, and the number of the others."""
    texts = [str(name) for name in names]
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[:most])} and {len(texts) - most:,} more"


@dataclass
class Problems:
    """Collects the problems of one input, so that they are reported together in one message.

    Attributes:
        heading: First line of the message, such as the name of the channel.
        kinds: Locations by kind of problem, in the order in which the kinds first occurred.
        advice: Sentences on settings that take the input as it is.
    """

    heading: str
    kinds: dict[str, list[str]] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)

    def add(self, kind: str, location: str, advice: str = "") -> None:
        """Adds a problem.

        Args:
            kind: What is wrong, in the same words for every location.
            location: File or row, with the value and what was expected.
            advice: A sentence on the setting that takes the input as it is; the message ends with it, once.
        """
        self.kinds.setdefault(kind, []).append(location)
        if advice and advice not in self.advice:
            self.advice.append(advice)

    def shows_next(self, kind: str) -> bool:
        """Whether the next location of this kind is one that the message lists. Others need no nearest name, which
        takes long to find."""
        return len(self.kinds.get(kind, ())) < SHOWN_PER_KIND

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def __len__(self) -> int:
        return sum(len(locations) for locations in self.kinds.values())

    def __str__(self) -> str:
        return self.text(SHOWN_PER_KIND)

    def text(self, most: int | None = None) -> str:
        """The message: heading, the locations by kind, advice. most: of each kind; None for all."""
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
    """Raises one InputError that lists the problems of several inputs, if there are any."""
    problems = [own for own in inputs if own]
    if problems:
        message, details = "\n".join(map(str, problems)), "\n".join(own.text() for own in problems)
        raise InputError(message, details if details != message else "")
