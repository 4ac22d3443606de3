"""Corrections of labels: the log that reviewers write, corrections.csv, and which of its rows are in force.

The log is a CSV to which rows are only appended. model.data.corrected_labels applies it to the labels of a channel.
Imports no numpy, pandas or torch, because the server of the review page reads logs too.
"""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.atomic_write import write_csv
from model.attributes import normal_text
from model.data.readers.text_files import LINE_END, decode_text
from model.data.readers.text_table import table_rows
from model.errors import Problems, did_you_mean, listing
from model.paths import leaves_folder

CORRECTION_COLUMNS = ("path", "group", "attribute", "action", "value", "given", "reviewer", "time", "source")
RELABEL, DELETE, KEEP, MARKED, UNSURE, UNDO = "relabel", "delete", "keep", "marked", "unsure", "undo"
ACTIONS = (RELABEL, DELETE, KEEP, MARKED, UNSURE, UNDO)
PROBLEM = "corrections: "  # at the beginning of the kind of each problem of a log
PENDING = (MARKED, UNSURE)  # reviewed, but without a decision
HASH_BYTES = 16  # of BLAKE2b

Key = tuple[str, str, str]

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Correction:
    """One row of the log. All texts but the path are in normal form (model.attributes.normal_text).

    Attributes:
        path: Image, relative to the channel; "" for a whole group.
        group: Group of the image, or the group that is corrected; "" if the channel has no groups.
        attribute: Attribute; "" for `delete` and for a verdict on all attributes.
        action: One of ACTIONS.
        value: With `relabel`, the right class, or a number if the attribute has cuts.
        given: Label when it was reviewed.
        reviewer: Who reviewed it.
        time: ISO 8601, UTC.
        source: Why it was reviewed: suspects, audit, errors, search, all, ...
        line: Line of the file, from 1; 0 if it was not read from a file.
    """

    path: str
    group: str
    attribute: str
    action: str
    value: str = ""
    given: str = ""
    reviewer: str = ""
    time: str = ""
    source: str = ""
    line: int = field(default=0, compare=False)

    @property
    def key(self) -> Key:
        """What is corrected: path, group and attribute. The group is "" if there is a path, which identifies it."""
        return self.path, "" if self.path else self.group, self.attribute

    @property
    def subject(self) -> str:
        """The image or group, for messages."""
        return self.path or f"group {self.group}"

    @property
    def verdict(self) -> tuple[str, str]:
        """What a reviewer decided, which two reviewers can disagree about: the action and the new value."""
        return self.action, self.value if self.action == RELABEL else ""

    def row(self) -> list[str]:
        """The values in the order of CORRECTION_COLUMNS."""
        return [getattr(self, column) for column in CORRECTION_COLUMNS]


@dataclass(frozen=True)
class CorrectionLog:
    """A log as it was read.

    Attributes:
        name: Name of the file.
        digest: Hash of its content (BLAKE2b, 32 hex digits).
        corrections: All rows in their order.
    """

    name: str
    digest: str
    corrections: list[Correction]


def read_corrections(path: Path, problems: Problems, encoding: str = "utf-8") -> list[Correction]:
    """All rows of a log in their order; see read_log."""
    return read_log(path, problems, encoding).corrections


def read_log(path: Path, problems: Problems, encoding: str = "utf-8") -> CorrectionLog:
    """Reads a log: a CSV with the columns CORRECTION_COLUMNS in any order, delimited by commas, semicolons or tabs.

    Required are `action`, and `path` or `group`; other missing columns are empty, unknown columns are ignored. Repeated
    headers, as in concatenated logs, and blank lines are skipped. A last line that a killed writer left incomplete is
    ignored with a warning.

    Args:
        path: The file.
        problems: Collects everything that is wrong, with the lines.
        encoding: Encoding of a file that is neither UTF-8 nor has a byte-order mark. The log of the review page is
            UTF-8, in whatever encoding the tables of the channel are.

    Returns:
        The log with the rows that are valid.
    """
    own = Problems("")
    content = _content(path, own)
    digest = hashlib.blake2b(content, digest_size=HASH_BYTES).hexdigest()
    text = _decoded(content, path.name, own, encoding)
    corrections = _parse(text, path.name, own) if text else []
    for kind, locations in own.kinds.items():
        for location in locations:
            problems.add(f"{PROBLEM}{kind}", location)
    return CorrectionLog(path.name, digest, corrections)


def write_corrections(path: Path, corrections: Iterable[Correction]) -> None:
    """Writes a log that read_log reads.

    Args:
        path: The file, which is replaced.
        corrections: Its rows in their order.
    """
    with write_csv(path) as writer:
        writer.writerow(CORRECTION_COLUMNS)
        writer.writerows(correction.row() for correction in corrections)


def _decoded(content: bytes, name: str, problems: Problems, encoding: str) -> str | None:
    """The text of a log (arguments: see read_log), without a last character that a killed writer left incomplete."""
    complete = content[: _complete_characters(content)]
    if decode_text(complete, name, Problems("")) is None:
        return decode_text(content, name, problems, encoding)
    # in another encoding the last byte may be a whole character, the only one that is not ASCII
    if len(complete) < len(content) and complete.isascii() and encoding.lower() not in ("utf-8", "utf8"):
        return decode_text(content, name, problems, encoding)
    return decode_text(complete, name, problems)


def _content(path: Path, problems: Problems) -> bytes:
    """The content of a log; empty, and a problem, if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        folder = path.parent
        near = did_you_mean(path.name, [entry.name for entry in folder.iterdir()]) if folder.is_dir() else ""
        problems.add("unreadable file", f"{path}: {error.strerror}{near}")
        return b""


def _parse(text: str, name: str, problems: Problems) -> list[Correction]:
    """The valid rows of a log. name: file name, for messages."""
    rows = list(_rows(text, name, problems))
    header = [normal_text(column).lower() for column in rows[0][1]] if rows else []
    if not rows or not _check_header(header, name, problems):
        return []
    corrections = []
    for line, values in rows[1:]:
        texts = [normal_text(value) for value in values]
        if [text.lower() for text in texts] == header:
            continue
        named = dict(zip(header, texts))
        if named.get("path"):
            named["path"] = dict(zip(header, values))["path"]  # as file names are: macOS writes them as NFD
        correction = Correction(**{column: named.get(column, "") for column in CORRECTION_COLUMNS}, line=line)
        if _is_valid(correction, f"{name} line {line}", problems):
            corrections.append(correction)
    return corrections


def _complete_characters(content: bytes) -> int:
    """The length of UTF-8 content without a last character that was cut by a killed writer."""
    for back in range(1, min(4, len(content) + 1)):
        lead = content[-back]
        if lead >= 0xC0:  # the first byte of a character of 2 to 4 bytes
            size = 2 + (lead >= 0xE0) + (lead >= 0xF0)
            return len(content) - back if size > back else len(content)
        if lead < 0x80:
            break
    return len(content)


def _rows(text: str, name: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line, from 1, and the values of each row that is not blank, the header first.

    A row with more or fewer values than the header is a problem, unless it is the last line and has no line end.
    """
    last_line = len(LINE_END.findall(text)) + 1  # 1 more than there are lines if the text ends with a line end
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend(table_rows(text))
    except csv.Error as error:
        if str(error).startswith(f"row {last_line}:"):
            _warn_incomplete(name, last_line)
        else:
            problems.add("invalid CSV", f"{name} {error}; is a quote not closed?")
    width = len(rows[0][1]) if rows else 0
    for line, values in rows:
        if len(values) > width and not any(values[width:]):
            values = values[:width]
        if len(values) == width:
            yield line, values
        elif line == last_line and len(values) < width:
            _warn_incomplete(name, line)
        else:
            detail = f"{name} line {line}: {len(values)} values, the header has {width}"
            problems.add("row with too few or too many values", detail)


def _warn_incomplete(name: str, line: int) -> None:
    log.warning("%s line %d is incomplete, as a program that was killed leaves it: ignored", name, line)


def _check_header(header: Sequence[str], name: str, problems: Problems) -> bool:
    """Whether the columns are there that a log needs; otherwise adds problems."""
    before = len(problems)
    for column in dict.fromkeys(header):
        if column and header.count(column) > 1:
            problems.add("duplicate columns", f"{name}: {column}")
    unknown = [column for column in header if column not in CORRECTION_COLUMNS]
    for column in CORRECTION_COLUMNS:
        # A missing column is only an error if it is required or misspelt: who writes a log by hand leaves some out
        near = "" if column in header else did_you_mean(column, unknown)
        required = column == "action" or (column == "path" and "group" not in header)
        if column not in header and (near or required):
            problems.add("missing column", f"{name}: {column}; its columns are {listing(header)}{near}")
    return len(problems) == before


def _is_valid(correction: Correction, where: str, problems: Problems) -> bool:
    """Whether a row is valid by itself; otherwise adds its problems. where: file and line."""
    before = len(problems)
    action, path = correction.action, correction.path
    if action not in ACTIONS:
        near = did_you_mean(action, ACTIONS)
        problems.add("unknown action", f"{where}: {action!r}, expected {listing(ACTIONS)}{near}")
    if not path and not correction.group:
        problems.add("row without an image or group", f"{where}: expected a path, or a group")
    if path and leaves_folder(path):
        problems.add("path outside of the channel", f"{where}: {path!r}, expected a path relative to the channel")
    if action == RELABEL and not (correction.attribute and correction.value):
        absent = "attribute" if not correction.attribute else "value"
        problems.add("relabel without an attribute or value", f"{where}: {correction.subject} has no {absent}")
    if action == DELETE and correction.attribute:
        detail = f"{where}: {correction.attribute!r}; delete removes the image, so its attribute must be empty"
        problems.add("delete with an attribute", detail)
    return len(problems) == before


def effective(corrections: Iterable[Correction]) -> dict[Key, Correction]:
    """The rows that are in force, by key, in the order in which they were written.

    The last row of a key replaces the earlier ones, whoever wrote them. `undo` withdraws the last row of its key that
    this reviewer wrote and has not withdrawn; then the one before it is in force again.
    """
    last = sorted((rows[-1] for rows in _standing(corrections).values()), key=lambda numbered: numbered[0])
    return {correction.key: correction for _, correction in last}


def disagreements(corrections: Iterable[Correction]) -> dict[Key, list[Correction]]:
    """By key, the last row of each reviewer if they decided differently. The last of the list is in force."""
    differing: dict[Key, list[Correction]] = {}
    for key, rows in _standing(corrections).items():
        last: dict[str, Correction] = {}
        for _, row in rows:
            last.pop(row.reviewer, None)  # so that the order is that of the last rows
            last[row.reviewer] = row
        if len({row.verdict for row in last.values()}) > 1:
            differing[key] = list(last.values())
    return differing


def _standing(corrections: Iterable[Correction]) -> dict[Key, list[tuple[int, Correction]]]:
    """By key, the rows that are not withdrawn, each with its position in the log."""
    rows_by_key: dict[Key, list[tuple[int, Correction]]] = {}
    for number, correction in enumerate(corrections):
        rows = rows_by_key.setdefault(correction.key, [])
        if correction.action != UNDO:
            rows.append((number, correction))
        elif own := [position for position, (_, row) in enumerate(rows) if row.reviewer == correction.reviewer]:
            del rows[own[-1]]
    return {key: rows for key, rows in rows_by_key.items() if rows}
