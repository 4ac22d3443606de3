"""A channel becomes a table, a row a picture: its place, classes, group and metadata, whatever lay in the channel."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.faults import InputError, Problems, did_you_mean, listing, nearest
from model.files import Files, is_picture
from model.labels import Attribute, Scheme, mask_scheme, normal_text, scheme_from_config
from model.layouts import Rows
from model.recognise import choose_table, names_pictures, read_rows
from model.shards import Shards
from model.tabular import column_named, picture_column_of, read_csv

log = logging.getLogger("rarebird")

LABEL_COLUMNS = ("label", "class", "ans", "y_pred")
GROUP_COLUMNS = ("group", "person", "sender", "people_path")
MASK_COLUMNS = ("mask", "gender", "age")
MOST_NUMBERED = 10_000  # a column with a whole number above this is not taken for classes counted from 0


@dataclass(frozen=True)
class Table:
    """The pictures of a channel. All frames and arrays are aligned and have a RangeIndex.

    pictures: path (relative to root, with /), shard (a file relative to root that the picture lies in, or None),
    offset and size in bytes (int64; size -1 where the file is the picture); groups: (n,) str, whom or what no split may
    part, each picture its own where grouped_by, the column they come from, is ""; labels: int64, a class an attribute;
    numbers: float64, the number behind a banded attribute's class, NaN where only the band was given; metadata: str;
    set_aside: paths of pictures whose rows had a fault, to be checked with the others.
    """

    root: Path
    scheme: Scheme
    pictures: pd.DataFrame
    groups: np.ndarray
    grouped_by: str
    labels: pd.DataFrame
    numbers: pd.DataFrame
    metadata: pd.DataFrame
    source: str
    set_aside: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Sequence[int] | np.ndarray) -> Table:
        """The table of these rows, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        frames = (self.pictures, self.labels, self.numbers, self.metadata)
        pictures, labels, numbers, metadata = (frame.iloc[at].reset_index(drop=True) for frame in frames)
        return replace(
            self,
            pictures=pictures,
            groups=self.groups[at],
            labels=labels,
            numbers=numbers,
            metadata=metadata,
            set_aside=(),
        )

    def classes(self) -> np.ndarray:
        """Joint classes, (n,) int64."""
        codes = {name: self.labels[name].to_numpy() for name in self.scheme.names}
        return np.asarray(self.scheme.joint(codes), dtype=np.int64)

    def class_counts(self) -> np.ndarray:
        """Pictures of each joint class, (num_classes,) int64."""
        return np.bincount(self.classes(), minlength=self.scheme.num_classes).astype(np.int64)

    def fingerprint(self) -> str:
        """blake2b in hex over paths, places in shards, labels and groups, in order. The root does not count: the same
        channel in two places has one fingerprint."""
        digest = hashlib.blake2b(digest_size=16)
        shards = ["" if shard is None else shard for shard in self.pictures["shard"]]
        for texts in (self.pictures["path"], shards, self.groups, self.scheme.names):
            digest.update("\0".join(texts).encode("utf-8", "surrogateescape"))
            digest.update(b"\0\0")
        for numbers in (self.pictures[["offset", "size"]], self.labels[list(self.scheme.names)]):
            digest.update(np.ascontiguousarray(numbers.to_numpy(np.int64)).tobytes())
        return digest.hexdigest()

    def frame(self) -> pd.DataFrame:
        """One flat frame: path, group, each attribute's value by name, numbers as ATTRIBUTE_number, metadata (as
        metadata_NAME where the name is taken)."""
        columns: dict[str, Any] = {"path": self.pictures["path"], "group": self.groups}
        for attribute in self.scheme.attributes:
            columns[attribute.name] = np.array(attribute.values, dtype=object)[self.labels[attribute.name].to_numpy()]
        for name in self.numbers:
            columns[f"{name}_number"] = self.numbers[name]
        for name in self.metadata:
            columns[f"metadata_{name}" if name in columns else str(name)] = self.metadata[name]
        return pd.DataFrame(columns)


def read_channel(
    root: Path,
    problems: Problems,
    *,
    layout: str = "auto",
    table: str | None = None,
    picture_column: str | None = None,
    group_column: str | None = None,
    metadata_columns: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
    age_cuts: Sequence[float] = (30, 60),
    scheme: Scheme | None = None,
) -> Table | None:
    """The labelled channel at root as a table of its good rows; None where nothing can be read at all.

    Every fault is added to problems, which the caller raises once the pictures have been checked too. layout: auto,
    csv, profiles, classes, lst or manifest; table: the name of a CSV, .lst or manifest in the channel; attributes: an
    experiment file's label scheme; age_cuts: years, for the mask scheme; scheme: the training channel's, for a
    validation channel, which has to have the same.
    """
    root = Path(root)
    files = Files(root)
    if not _is_there(files, problems):
        return None
    rows = None
    try:
        if scheme is None and attributes:
            scheme = scheme_from_config(attributes)
        rows = read_rows(files, layout, table, picture_column, problems)
        for folder, reason in files.unreadable.items():
            problems.add("file or folder that cannot be read", f"{folder}: {reason}")
        if rows is None:
            return None
        if not (rows.paths or rows.set_aside or problems):
            problems.add("channel without pictures", f"{root}: {rows.source}")
        group = _column(rows, group_column, "group column", problems) if group_column else None
        group = group or column_named(rows.columns, *GROUP_COLUMNS)
        metadata = [_column(rows, name, "metadata column", problems) for name in metadata_columns]
        if scheme is None:
            scheme = _find_scheme(rows, age_cuts, problems)
    except InputError as error:
        problems.add("label scheme", str(error))
        scheme = None
    if rows is None:
        return None
    if scheme is None:
        return _unlabelled(root, rows)
    made = _label(files, rows, scheme, group, [column for column in metadata if column], problems)
    return made if len(made) or made.set_aside else None


def _unlabelled(root: Path, rows: Rows) -> Table:
    """No row at all, every picture set aside: what is left to check where the labels cannot be told."""
    nothing = pd.DataFrame(index=pd.RangeIndex(0))
    pictures = pd.DataFrame({name: [] for name in ("path", "shard", "offset", "size")})
    scheme = Scheme((Attribute("label", ("unknown",)),))
    aside = (*rows.set_aside, *rows.paths)
    groups = np.array([], dtype=object)
    return Table(root, scheme, pictures, groups, "", nothing, nothing, nothing, rows.source, aside)


def _is_there(files: Files, problems: Problems) -> bool:
    if not files.root.is_dir():
        there = "a file, no folder" if files.root.exists() else "there is no such folder"
        problems.add("missing channel", f"{files.root}: {there}")
    elif not files.folder().kinds and not files.unreadable:
        problems.add("empty channel", f"{files.root}: there is nothing in it")
    else:
        return True
    return False


def _find_scheme(rows: Rows, age_cuts: Sequence[float], problems: Problems) -> Scheme | None:
    """The scheme that the columns show: the mask scheme, or one attribute `label` with the values there are."""
    if all(column_named(rows.columns, name) for name in MASK_COLUMNS):
        return mask_scheme(age_cuts)
    if len(rows.label_columns) > 1:
        told = f"{rows.source} has the labels {listing(rows.label_columns)}; name the attributes in the config"
        problems.add("several label columns", told)
        return None
    column = rows.label_columns[0] if rows.label_columns else column_named(rows.columns, *LABEL_COLUMNS)
    if column is None:
        close = [f"; nearest: {name}" for name in (nearest(column, LABEL_COLUMNS) for column in rows.columns) if name]
        near = close[0] if close else ""
        problems.add(
            "missing label column",
            f"{rows.source} has neither {listing(MASK_COLUMNS)} nor one of {listing(LABEL_COLUMNS)}; there are "
            f"{listing(rows.columns)}{near}; name it under `attributes` in the config",
        )
        return None
    if not rows.paths:
        return None
    values = _values(rows.columns[column], counted=not rows.named_by_folder)
    if len(values) < 2:
        problems.add("fewer than two classes", f"{rows.source}: {column} holds {listing(values) or 'nothing'} only")
        return None
    return Scheme((Attribute("label", values, (), column),))


def _values(cells: Iterable[str], counted: bool) -> tuple[str, ...]:
    """The classes that texts name, sorted, numbers by their size. counted: whole numbers are classes counted from 0."""
    texts = sorted({normal_text(cell) for cell in cells} - {""})
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return tuple(texts)
    if not counted:
        return tuple(text for _, text in sorted(zip(numbers, texts)))
    if all(number.is_integer() and 0 <= number <= MOST_NUMBERED for number in numbers):
        return tuple(str(code) for code in range(int(max(numbers, default=-1)) + 1))
    return tuple(texts)


def _label(
    files: Files,
    rows: Rows,
    scheme: Scheme,
    group: str | None,
    metadata: Sequence[str],
    problems: Problems,
) -> Table:
    """The table of the rows whose labels all fit the scheme; the others are told and set aside. metadata: columns; none
    means every column that is nothing else."""
    good = np.ones(len(rows.paths), dtype=bool)
    labels: dict[str, np.ndarray] = {}
    numbers: dict[str, np.ndarray] = {}
    label_columns = _label_columns(rows, scheme, problems)
    for attribute, column in zip(scheme.attributes, label_columns):
        codes, values = _parse(attribute, rows, column, problems)
        good &= codes >= 0
        labels[attribute.name] = codes
        if not np.isnan(values).all():
            numbers[attribute.name] = values
    if not metadata:
        used = {group, *label_columns, *(column_named(rows.columns, name) for name in LABEL_COLUMNS)}
        metadata = [column for column in rows.columns if column not in used]

    kept = np.flatnonzero(good)
    index = pd.RangeIndex(len(kept))

    def texts(cells: list[str]) -> pd.Series:
        return pd.Series([cells[row] for row in kept], index=index, dtype="str")

    pictures = placed([rows.paths[row] for row in kept], files.shards)
    groups = [(normal_text(rows.columns[group][row]) if group else "") or rows.paths[row] for row in kept]
    made = Table(
        root=files.root,
        scheme=scheme,
        pictures=pictures,
        groups=np.array(groups, dtype=object),
        grouped_by=group or "",
        labels=pd.DataFrame({name: codes[kept] for name, codes in labels.items()}, index=index),
        numbers=pd.DataFrame({name: values[kept] for name, values in numbers.items()}, index=index),
        metadata=pd.DataFrame({column: texts(rows.columns[column]) for column in metadata}, index=index),
        source=rows.source,
        set_aside=(*rows.set_aside, *(rows.paths[row] for row in np.flatnonzero(~good))),
    )
    absent = [scheme.class_names[code] for code in np.flatnonzero(made.class_counts() == 0)]
    if absent and not problems:
        log.warning(
            "%s: no picture of %d of %d classes: %s", files.root, len(absent), scheme.num_classes, listing(absent)
        )
    return made


def placed(paths: Sequence[str], shards: Shards) -> pd.DataFrame:
    """The frame of Table.pictures for pictures by path relative to the channel, files of their own or in its shards."""
    places = [shards.place(path) for path in paths]
    frame = pd.DataFrame({"path": pd.Series(paths, dtype="str", index=pd.RangeIndex(len(paths)))})
    frame["shard"] = pd.Series([shard for shard, _, _ in places], dtype=object)
    frame["offset"] = np.array([offset for _, offset, _ in places], dtype=np.int64)
    frame["size"] = np.array([size for _, _, size in places], dtype=np.int64)
    return frame


def _column(rows: Rows, name: str, what: str, problems: Problems) -> str | None:
    """A column named in the settings, or None and a problem that tells the columns there are."""
    column = column_named(rows.columns, name)
    if column is None:
        there = listing(rows.columns) or "none"
        close = did_you_mean(name, rows.columns)
        problems.add(f"missing {what}", f"{rows.source} has no column {name!r}; there are {there}{close}")
    return column


def _label_columns(rows: Rows, scheme: Scheme, problems: Problems) -> list[str | None]:
    """The column of each attribute. A layout that knows its label columns gives them in order; one that knows none, and
    a scheme found in another table, meet in the usual label columns."""
    if len(rows.label_columns) == len(scheme.attributes):
        by_name = [column_named(rows.columns, attribute.column) for attribute in scheme.attributes]
        return by_name if all(by_name) else list(rows.label_columns)
    if scheme.names == ("label",) and not column_named(rows.columns, scheme.attributes[0].column):
        usual = column_named(rows.columns, *LABEL_COLUMNS)
        if usual:
            return [usual]
    return [_column(rows, attribute.column, "label column", problems) for attribute in scheme.attributes]


def _parse(attribute: Attribute, rows: Rows, column: str | None, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Classes, (n,) int64, -1 where a cell is a fault, and the numbers behind them, (n,) float64. A place that several
    pictures share is told once."""
    codes = np.full(len(rows.paths), -1, dtype=np.int64)
    numbers = np.full(len(rows.paths), np.nan)
    if column is None:
        return codes, numbers
    known: dict[str, tuple[int, float | None] | str] = {}
    told: set[tuple[str, str]] = set()
    for row, cell in enumerate(rows.columns[column]):
        if cell not in known:
            try:
                known[cell] = attribute.parse(cell)
            except ValueError as error:
                known[cell] = str(error)
        parsed = known[cell]
        if isinstance(parsed, tuple):
            codes[row] = parsed[0]
            if parsed[1] is not None:
                numbers[row] = parsed[1]
        elif (rows.places[row], parsed) not in told:
            told.add((rows.places[row], parsed))
            kind = "unparsable number" if attribute.cuts else "unknown label"
            problems.add(kind if normal_text(cell) else "empty label", f"{rows.places[row]}: {parsed}")
    return codes, numbers


def read_info(
    root: Path, *, table: str | None = None, picture_column: str | None = None
) -> tuple[pd.DataFrame, str, list[str]]:
    """What is to be answered: the rows of info.csv (or the table of that name, or the only CSV) with all its columns as
    text, the name of the picture column, and each row's picture as a path relative to root.

    Every row is kept, doubles too. A missing file has the path where it was expected, one out of the channel a path
    that leaves it, an empty cell "": model.pictures.read_picture tells the reason of each. Without a CSV: every picture
    below root, sorted, in a column ImageID. InputError where there is no channel, nothing in it, or no picture column.
    """
    root = Path(root)
    problems = Problems(str(root))
    files = Files(root)
    if not _is_there(files, problems):
        problems.raise_if_any()
    tables = [name for name in files.folder().names("file") if name.lower().endswith(".csv")]
    if table is None and not tables:
        return _all_pictures(files)
    naming = [name for name in tables if names_pictures(root / name, picture_column)]
    name = choose_table(files, table, naming or tables, ("info.csv",), problems)
    read = read_csv(root / name, problems) if name else None
    column = picture_column_of(read, picture_column, problems) if read else None
    if read and not read.rows:
        problems.add("table without rows", read.name)
    problems.raise_if_any()
    assert read and column
    twice = sorted({name for name in read.header if name and read.header.count(name) > 1})
    if twice:
        raise InputError(f"{root / read.name}: several columns are called {listing(map(repr, twice))}")
    frame = pd.DataFrame(read.rows, columns=read.header, dtype="str")
    asked = [normal_text(text) for text in read.column(column)]
    return frame, column, [files.find(text)[1] if text else "" for text in asked]


def _all_pictures(files: Files) -> tuple[pd.DataFrame, str, list[str]]:
    found = sorted((path, what) for what, path in files.below("") if is_picture(path))
    if files.unreadable:
        refused = "; ".join(f"{place}: {reason}" for place, reason in files.unreadable.items())
        raise InputError(f"{files.root}: {refused}")
    if not found:
        raise InputError(f"{files.root}: neither a CSV nor a picture in it")
    paths = [path if what == "file" else files.find(path)[1] for path, what in found]
    return pd.DataFrame({"ImageID": [path for path, _ in found]}, dtype="str"), "ImageID", paths
