"""Decision: one row of corrections.csv; and the decisions that are valid after all rows, undo included."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from model.atomic_write import LineFeeds

RELABEL, DELETE, KEEP, MARKED, UNSURE, UNDO = ACTIONS = ("relabel", "delete", "keep", "marked", "unsure", "undo")
ENCODING, ERRORS = "utf-8", "surrogateescape"  # names of files may be no valid UTF-8

Key = tuple[str, str, str]  # path, group (empty if there is a path) and attribute


@dataclass(frozen=True)
class Decision:
    """What a reviewer decided about the label of an image or of all images of a group.

    Attributes:
        sequence: Number of its row in the file, from 1.
        path: The image, relative to the channel; empty for a group.
        group: The group; empty if the channel has none.
        attribute: The attribute; empty for `delete` and for a verdict on all attributes.
        action: One of ACTIONS.
        value: The right class, or number, if the action is `relabel`.
        given: The label when it was reviewed.
        reviewer: Who decided.
        time: ISO 8601, UTC, in seconds.
        source: The queue: suspects, audit, search, all, ...
    """

    sequence: int
    path: str
    group: str
    attribute: str
    action: str
    value: str
    given: str
    reviewer: str
    time: str
    source: str

    @property
    def key(self) -> Key:
        """What was decided on. A later decision with the same key replaces an earlier one."""
        return self.path, "" if self.path else self.group, self.attribute

    @property
    def verdict(self) -> tuple[str, str]:
        """The decision without the circumstances: action and value."""
        return self.action, self.value

    def seconds(self) -> float | None:
        """The time in seconds since 1970; None if it cannot be read."""
        try:
            return datetime.fromisoformat(self.time.replace("Z", "+00:00")).timestamp()
        except ValueError:
            return None


COLUMNS = tuple(field.name for field in fields(Decision))[1:]


def header_line() -> bytes:
    """The first line of a file of corrections."""
    return _line(COLUMNS)


def decision_line(decision: Decision) -> bytes:
    """The row of a decision, with its line feed."""
    return _line([getattr(decision, name) for name in COLUMNS])


def _line(values: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(LineFeeds(text), lineterminator="\r\n").writerow(values)
    return text.getvalue().encode(ENCODING, ERRORS)


def complete_rows(content: bytes) -> Iterator[tuple[list[str] | None, int]]:
    """Splits the content of a CSV file into rows.

    Args:
        content: Bytes of the file, from the start of a row.

    Yields:
        The values of each row, None if it is no valid CSV, and the number of bytes up to its end. A last row without
        line feed, or with a quotation mark that is not closed, is not complete and not yielded.
    """
    lines = content.split(b"\n")[:-1]
    position = 0

    def texts() -> Iterator[str]:
        nonlocal position
        for line in lines:
            position += len(line) + 1
            yield line.decode(ENCODING, ERRORS) + "\n"

    rows = csv.reader(texts(), strict=True)
    while True:
        try:
            yield next(rows), position
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return
            yield None, position


def as_decision(sequence: int, values: Sequence[str] | None) -> Decision | None:
    """The decision of a row; None if the row has other columns or an unknown action."""
    if values is None or len(values) != len(COLUMNS):
        return None
    decision = Decision(sequence, *values)
    return decision if decision.action in ACTIONS and (decision.path or decision.group) else None


class Standing:
    """The decisions that are neither replaced nor withdrawn, by key. Rows are added in the order of the file.

    `undo` withdraws the reviewer's last decision with the same key, so that the one before it is valid again.
    """

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._by_key: dict[Key, list[Decision]] = {}
        for decision in decisions:
            self.add(decision)

    def add(self, decision: Decision) -> None:
        """Adds the next row."""
        rows = self._by_key.setdefault(decision.key, [])
        if decision.action != UNDO:
            rows.append(decision)
            return
        withdrawn = self.withdrawn_by(decision.key, decision.reviewer)
        if withdrawn is not None:
            rows.remove(withdrawn)

    def withdrawn_by(self, key: Key, reviewer: str) -> Decision | None:
        """The decision that an undo of this reviewer withdraws; None if there is none."""
        own = (row for row in reversed(self._by_key.get(key, ())) if row.reviewer == reviewer)
        return next(own, None)

    def get(self, key: Key) -> Decision | None:
        """The valid decision with this key, the latest of all reviewers; None if there is none."""
        rows = self._by_key.get(key)
        return rows[-1] if rows else None

    def all(self) -> Mapping[Key, Decision]:
        """The valid decision of each key that has one."""
        return {key: rows[-1] for key, rows in self._by_key.items() if rows}

    def by_reviewer(self) -> Mapping[Key, list[Decision]]:
        """The last decision of each reviewer for each key that more than one reviewer decided on."""
        several = {}
        for key, rows in self._by_key.items():
            last = {row.reviewer: row for row in rows}
            if len(last) > 1:
                several[key] = sorted(last.values(), key=lambda row: row.sequence)
        return several
