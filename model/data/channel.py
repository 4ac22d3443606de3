"""A channel becomes a table, a row a picture: its place, classes, group and metadata, whatever lay in the channel."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.data.locations import ImageLocations
from model.data.readers.annotation_files import column_named
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.detect import read_rows
from model.data.readers.folders import Rows
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing, nearest
from model.labels import Attribute, Scheme, mask_scheme, normal_text, scheme_from_config

log = logging.getLogger("rarebird")

LABEL_COLUMNS = ("label", "class", "ans", "y_pred")
GROUP_COLUMNS = ("group", "person", "sender", "people_path")
MASK_COLUMNS = ("mask", "gender", "age")
MOST_NUMBERED = 10_000  # a column with a whole number above this is not taken for classes counted from 0


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
    files = ChannelFiles(root)
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
        return _unlabelled(files, rows)
    made = _label(files, rows, scheme, group, [column for column in metadata if column], problems)
    return made if len(made) or len(made.set_aside) else None


def _unlabelled(files: ChannelFiles, rows: Rows) -> Table:
    """No row at all, every picture set aside: what is left to check where the labels cannot be told."""
    nothing = pd.DataFrame(index=pd.RangeIndex(0))
    scheme = Scheme((Attribute("label", ("unknown",)),))
    aside = ImageLocations(map(files.shards.locate, (*rows.set_aside, *rows.paths)))
    groups = np.array([], dtype=object)
    return Table(files.root, scheme, ImageLocations(), groups, "", nothing, nothing, nothing, rows.source, aside)


def _is_there(files: ChannelFiles, problems: Problems) -> bool:
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
    files: ChannelFiles,
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

    aside = (*rows.set_aside, *(rows.paths[row] for row in np.flatnonzero(~good)))
    groups = [(normal_text(rows.columns[group][row]) if group else "") or rows.paths[row] for row in kept]
    made = Table(
        root=files.root,
        scheme=scheme,
        locations=ImageLocations(files.shards.locate(rows.paths[row]) for row in kept),
        groups=np.array(groups, dtype=object),
        grouped_by=group or "",
        labels=pd.DataFrame({name: codes[kept] for name, codes in labels.items()}, index=index),
        numbers=pd.DataFrame({name: values[kept] for name, values in numbers.items()}, index=index),
        metadata=pd.DataFrame({column: texts(rows.columns[column]) for column in metadata}, index=index),
        source=rows.source,
        set_aside=ImageLocations(map(files.shards.locate, aside)),
    )
    absent = [scheme.class_names[code] for code in np.flatnonzero(made.class_counts() == 0)]
    if absent and not problems:
        log.warning(
            "%s: no picture of %d of %d classes: %s", files.root, len(absent), scheme.num_classes, listing(absent)
        )
    return made


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
