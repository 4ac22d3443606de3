"""What is wrong with an input, collected first and told at once.

Imports nothing heavy: the way into the image and the launcher use it too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

PLACES_TOLD = 20  # of each kind; the rest are counted


class InputError(Exception):
    """Bad input or settings. The message is whole and meant for a person; a job ends with exit code 2."""


class Failure(Exception):
    """A run cannot go on, for a reason that its input does not show. The message is whole and meant for a person; a
    job ends with exit code 1."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name closest to a mistyped one, or None where nothing is close."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)
    return names[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; nearest: NAME`, or nothing where no known name is close."""
    name = nearest(word, known)
    return f"; nearest: {name}" if name else ""


def listing(names: Iterable[object], most: int = 12) -> str:
    """`a, b, c and 4 more`."""
    texts = [str(name) for name in names]
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[:most])} and {len(texts) - most:,} more"


@dataclass
class Problems:
    """Problems of one input by kind, in the order in which the kinds were first met."""

    heading: str
    kinds: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, place: str) -> None:
        """kind: what is wrong, the same words for every place; place: file or row, the value, what was expected."""
        self.kinds.setdefault(kind, []).append(place)

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def __len__(self) -> int:
        return sum(len(places) for places in self.kinds.values())

    def __str__(self) -> str:
        count = f"{len(self):,} problem{'s' if len(self) != 1 else ''}"
        lines = [f"{self.heading}: {count}"]
        for kind, places in self.kinds.items():
            lines.append(f"  {kind} ({len(places):,}):")
            lines += [f"    {place}" for place in places[:PLACES_TOLD]]
            if len(places) > PLACES_TOLD:
                lines.append(f"    ... and {len(places) - PLACES_TOLD:,} more")
        return "\n".join(lines)

    def raise_if_any(self) -> None:
        """Raises InputError with all of them in one message."""
        if self:
            raise InputError(str(self))
