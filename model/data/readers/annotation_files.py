"""Channels with a table of pictures: CSV, SageMaker's .lst and its augmented manifest, read into rows of text."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.folders import (
    MASK_OF_STEM,
    OUTSIDE,
    PROFILE_PARTS,
    ProfileFolder,
    Rows,
    profile_parts,
    read_profile_folder,
    tell_left_out,
)
from model.errors import Problems, did_you_mean, listing
from model.labels import normal_text

log = logging.getLogger("rarebird")

PICTURE_COLUMNS = ("ImageID", "image_name", "path")
MISSING = "missing file"


@dataclass
class TextTable:
    """A table as text. lines: the line of the file, from 1, that each row begins on."""

    name: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def place(self, row: int) -> str:
        return f"{self.name} row {self.lines[row]}"

    def column(self, name: str) -> list[str]:
        at = self.header.index(name)
        return [cells[at] for cells in self.rows]


def column_named(header: Iterable[str], *names: str) -> str | None:
    """The first of the names that is a column, as the header writes it; letter case does not count."""
    written = {normal_text(column).lower(): column for column in reversed(list(header))}
    return next((written[normal_text(name).lower()] for name in names if normal_text(name).lower() in written), None)


def read_csv(path: Path, problems: Problems) -> TextTable | None:
    """A CSV in UTF-8 as text. A byte-order mark and blank lines are read silently; a row that has not the header's
    number of cells is a problem and left out. None where it is no CSV at all."""
    text = _read_text(path, problems)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    table: TextTable | None = None
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(cells) or not any(cell.strip() for cell in cells):
                continue
            if table is None:
                table = TextTable(path.name, cells)
            elif len(cells) == len(table.header):
                table.rows.append(cells)
                table.lines.append(line)
            else:
                told = f"{path.name} row {line}: {len(cells)} cells, the header has {len(table.header)}"
                problems.add("row with too few or too many cells", told)
    except csv.Error as error:
        problems.add("table that is no CSV", f"{path.name} row {before + 1}: {error}")
    if table is None:
        problems.add("empty table", path.name)
    return table


def csv_header(path: Path) -> list[str]:
    """The columns of a CSV, as far as its first lines can be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            return next((cells for cells in csv.reader(lines) if any(cell.strip() for cell in cells)), [])
    except (OSError, csv.Error):
        return []


def picture_column_of(table: TextTable, named: str | None, problems: Problems) -> str | None:
    """The column that names the pictures; where there is none, a problem that tells the columns there are."""
    column = column_named(table.header, *([named] if named else PICTURE_COLUMNS))
    if column is None:
        there = listing(table.header)
        if named:
            told = f"{table.name} has no column {named!r}; there are {there}{did_you_mean(named, table.header)}"
        else:
            told = f"{table.name} has none of {listing(PICTURE_COLUMNS)}; there are {there}; name it by picture_column"
        problems.add("missing picture column", told)
    return column


class _Finder:
    """Takes the rows of a table whose pictures are there, and tells of those whose are not."""

    def __init__(self, files: ChannelFiles, problems: Problems) -> None:
        self.files, self.problems = files, problems
        self.first: dict[str, str] = {}  # the place that named a path first

    def take(self, name: str, place: str) -> tuple[str, str] | None:
        """("file" or "folder", path), or None after telling why not."""
        name = normal_text(name)
        if not name:
            self.problems.add("empty picture name", f"{place}: expected a path below the channel")
            return None
        what, path = self.files.find(name)
        if what == "outside":
            link = "" if path == name else f" leads to {path}"
            self.problems.add(OUTSIDE, f"{place}: {name!r}{link}, expected a path below the channel")
            return None
        if what == "missing":
            self.problems.add(MISSING, f"{place}: {path}{self.files.similar(path)}")
            return None
        if path in self.first:
            self.problems.add("duplicate picture", f"{place}: {path} is named in {self.first[path]} already")
            return None
        self.first[path] = place
        return what, path


def read_csv_rows(files: ChannelFiles, name: str, picture_column: str | None, problems: Problems) -> Rows | None:
    """A CSV with a picture a row, or (the competition's train.csv) a profile folder a row."""
    table = read_csv(files.root / name, problems)
    if table is None:
        return None
    named = picture_column_of(table, picture_column, problems)
    twice = {column for column in table.header if column and table.header.count(column) > 1}
    if twice:
        problems.add("column that stands twice", f"{name}: {listing(sorted(twice))}")
    others = [column for column in table.header if column not in (named, "")]
    rows = Rows(f"CSV {name}", columns={column: [] for column in others})
    if named is None:
        return rows
    finder = _Finder(files, problems)
    found = [finder.take(text, table.place(row)) for row, text in enumerate(table.column(named))]
    if any(place and place[0] == "folder" for place in found):
        return _profile_rows(files, table, found, others, rows, problems)
    kept = [row for row, place in enumerate(found) if place]
    rows.paths = [place[1] for place in found if place]
    rows.places = [table.place(row) for row in kept]
    for column in others:
        texts = table.column(column)
        rows.columns[column] = [texts[row] for row in kept]
    return rows


def _profile_rows(
    files: ChannelFiles,
    table: TextTable,
    found: Sequence[tuple[str, str] | None],
    others: Sequence[str],
    rows: Rows,
    problems: Problems,
) -> Rows:
    """The pictures of the folders that a table names. What the table says of a person wins over the folder's name."""
    by_part = {part: column_named(others, part) for part in PROFILE_PARTS}
    by_part["person"] = by_part["person"] or column_named(others, "id")
    kept = [column for column in others if column not in by_part.values() and column.lower() != "mask"]
    rows.columns = {name: [] for name in (*PROFILE_PARTS, *kept, "mask")}
    left_out: list[str] = []
    differing: list[str] = []
    for row, taken in enumerate(found):
        if taken is None:
            continue
        what, path = taken
        place = table.place(row)
        if what == "file":
            problems.add("picture among profile folders", f"{place}: {path}, expected a folder as in the other rows")
            rows.set_aside.append(path)
            continue
        folder: ProfileFolder = read_profile_folder(files, path, problems)
        left_out += folder.left_out
        if not folder.pictures:
            problems.add("profile folder without pictures", f"{place}: {path}: expected {listing(MASK_OF_STEM)}")
        cells = dict(zip(table.header, table.rows[row]))
        parts = profile_parts(posixpath.basename(path)) or dict.fromkeys(PROFILE_PARTS, "")
        for part, column in by_part.items():
            if column is None:
                continue
            if part in ("gender", "age") and parts[part] and normal_text(cells[column]) != parts[part]:
                differing.append(f"{place} ({part} {cells[column]}, folder {parts[part]})")
            parts[part] = cells[column]
        for picture, mask in folder.pictures:
            rows.paths.append(picture)
            rows.places.append(place)
            rows.columns["mask"].append(mask)
            for part in PROFILE_PARTS:
                rows.columns[part].append(parts[part])
            for column in kept:
                rows.columns[column].append(cells[column])
    if differing:
        log.warning(
            "%s says otherwise than its folders' names in %d places and wins: %s",
            table.name,
            len(differing),
            listing(differing, 5),
        )
    tell_left_out(left_out)
    return rows


def read_lst(files: ChannelFiles, name: str, problems: Problems) -> Rows:
    """SageMaker's .lst: number, label (or several), relative path, separated by tabs. The label columns are named
    label, or label1, label2, ...

    Reference: the input interface of SageMaker's built-in image classification, and MXNet's im2rec.
    """
    rows = Rows(f"list {name}")
    finder = _Finder(files, problems)
    labels: list[list[str]] = []
    for line, text in _lines(files.root / name, problems):
        place = f"{name} row {line}"
        cells = text.split("\t")
        if len(cells) < 3 or (labels and len(cells) != len(labels[0]) + 2):
            expected = "number, label, path" if not labels else f"{len(labels[0]) + 2} cells as in the first row"
            problems.add("row with too few or too many cells", f"{place}: {text!r}, expected {expected}, tabs between")
            continue
        taken = finder.take(cells[-1], place)
        if taken and _is_file(taken, place, problems):
            rows.paths.append(taken[1])
            rows.places.append(place)
            labels.append(cells[1:-1])
    columns = list(zip(*labels))
    rows.label_columns = tuple(f"label{at + 1}" for at in range(len(columns))) if len(columns) > 1 else ("label",)
    rows.columns = {column: list(texts) for column, texts in zip(rows.label_columns, columns or [()])}
    return rows


def read_manifest(files: ChannelFiles, name: str, problems: Problems) -> Rows:
    """SageMaker's augmented manifest: a JSON object a line, with `source-ref` and attributes; an attribute that has
    `NAME-metadata` beside it is a label, its text the metadata's `class-name` where there is one.

    s3:// addresses are looked up below the channel by what follows their common prefix.
    Reference: SageMaker's augmented manifest files and Ground Truth's image classification output.
    """
    rows = Rows(f"manifest {name}")
    records: list[tuple[str, dict[str, Any]]] = []
    for line, text in _lines(files.root / name, problems):
        place = f"{name} row {line}"
        try:
            record = json.loads(text)
            if not isinstance(record, dict) or not isinstance(record.get("source-ref"), str):
                raise ValueError("no source-ref")
        except ValueError as error:
            problems.add("row that is no manifest's", f"{place}: {error}; expected a JSON object with source-ref")
            continue
        records.append((place, record))
    paths = _below_prefix(files, [record["source-ref"] for _, record in records])
    keys = list(dict.fromkeys(key for _, record in records for key in record if key not in ("source-ref", "source")))
    attributes = [key for key in keys if not key.endswith("-metadata")]
    labelled = tuple(key for key in attributes if f"{key}-metadata" in keys)
    rows.label_columns = labelled or (tuple(attributes) if len(attributes) == 1 else ())
    rows.columns = {key: [] for key in attributes}
    finder = _Finder(files, problems)
    for (place, record), path in zip(records, paths):
        taken = finder.take(path, place)
        if not taken or not _is_file(taken, place, problems):
            continue
        texts = {key: _attribute_text(record, key) for key in attributes}
        several = [key for key in rows.label_columns if texts[key].startswith("[")]
        if several:
            told = f"{place}: {several[0]} = {texts[several[0]]}, expected one label; make an attribute of each"
            problems.add("several labels in one attribute", told)
            rows.set_aside.append(taken[1])
            continue
        rows.paths.append(taken[1])
        rows.places.append(place)
        for key, text in texts.items():
            rows.columns[key].append(text)
    return rows


def _attribute_text(record: dict[str, Any], key: str) -> str:
    metadata = record.get(f"{key}-metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("class-name"), str):
        return str(metadata["class-name"])
    value = record.get(key, "")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _below_prefix(files: ChannelFiles, references: list[str]) -> list[str]:
    """Paths below the channel. The addresses' common folder may be one inside the channel, so as many of its last
    parts are kept as are needed for a picture to be found."""
    addresses = [reference for reference in references if reference.startswith("s3://")]
    if not addresses:
        return references
    prefix = os.path.commonpath([posixpath.dirname(address[len("s3://") :]) for address in addresses])
    parts = prefix.split("/")
    inside = {address: address[len("s3://") + len(prefix) :].lstrip("/") for address in addresses}
    kept = ""
    for count in range(len(parts)):
        lead = "/".join(parts[len(parts) - count :])
        if any(files.find(posixpath.join(lead, inside[address]))[0] == "file" for address in addresses):
            kept = lead
            break
    return [posixpath.join(kept, inside[reference]) if reference in inside else reference for reference in references]


def _is_file(taken: tuple[str, str], place: str, problems: Problems) -> bool:
    if taken[0] == "folder":
        problems.add("folder in place of a picture", f"{place}: {taken[1]}")
    return taken[0] == "file"


def _lines(path: Path, problems: Problems) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    text = _read_text(path, problems)
    if text is None:
        return []
    lines = [(at + 1, line.rstrip("\r")) for at, line in enumerate(text.split("\n")) if line.strip()]
    if not lines:
        problems.add("empty table", path.name)
    return lines


def _read_text(path: Path, problems: Problems) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.add("table that cannot be read", f"{path.name}: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.add("table that is not UTF-8", f"{path.name} row {line}: save it as UTF-8")
    return None
