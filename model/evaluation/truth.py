"""The truth of an evaluation: gt.csv, another table, or a labelled channel of any layout that training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from model.answers.files import TRUTH
from model.answers.read import (
    ANSWER_COLUMNS,
    ANSWER_NAME,
    MISSING_FILES,
    UNKNOWN_CLASSES,
    ClassTable,
    attribute_column,
    read_class_table,
    rows_text,
)
from model.attributes import DROPPED, MISSING, Attribute, LabelPattern, normal_text
from model.data.channel import ChannelOptions, read_channel
from model.data.label_pattern import pattern_labels
from model.data.readers.columns import column_named
from model.data.readers.csv_table import has_picture_column
from model.data.readers.detect import TABLE_NAMES
from model.data.readers.own_outputs import input_tables
from model.data.readers.table_options import TableOptions
from model.data.readers.text_table import table_header
from model.errors import Problems, listing
from model.label_values import INDICES, NAMES
from model.labels import JOIN, Scheme

CHANNEL_FILES = (".lst", ".manifest", ".jsonl")  # whose rows a channel's readers read
NAME_COLUMN = "path"
LEFT_OUT = "images left out, as those of their labels were in training"  # for notes


def truth_location(path: Path) -> Path:
    """The table or the folder that the truth is read from: a file as it is; of a folder its gt.csv, else the folder
    itself if there is anything in it."""
    if path.is_file() or (path.is_dir() and not (path / TRUTH).is_file() and any(path.iterdir())):
        return path
    return path if path.suffix.lower() == ".csv" else path / TRUTH


def read_truth(
    location: Path,
    scheme: Scheme | None,
    channel: ChannelOptions,
    options: TableOptions,
    problems: Problems,
    notes: list[str],
) -> ClassTable | None:
    """Reads the true classes; None, and problems, where that is not possible.

    Args:
        location: What truth_location returns.
        scheme: Of the answers, by which a channel or the columns of its attributes are read; None if it is not known.
        channel: How a channel is read that is no table.
        options: How a table is read.
        problems: Collects what is wrong.
        notes: Collects how a channel was read.
    """
    found = Problems(f"truth {location}")
    table = None
    if location.suffix.lower() not in CHANNEL_FILES:
        table = _read_table(location, scheme, options, channel.group_column, found, notes)
    if table is None and not found:
        table = _read_channel(location, scheme, channel, found, notes)
    for kind, texts in found.kinds.items():
        for text in texts:
            problems.add(kind, text)
    return table


def _read_table(
    location: Path,
    scheme: Scheme | None,
    options: TableOptions,
    group_column: str | None,
    problems: Problems,
    notes: list[str],
) -> ClassTable | None:
    """A CSV with a column of classes, or with those of the attributes. None without a problem where there is none: a
    folder has no such table."""
    file = _table_in(location, options, problems) if location.is_dir() else location
    if file is None:
        return None
    header = table_header(file, options.encoding, options.picture_columns)
    columns = _label_columns(header, scheme) if scheme else None
    if scheme and columns and (file == location or not any(column.pattern for column in columns)):
        return _read_attributes(file, scheme, columns, options, group_column, problems, notes)
    if column_named(header, ANSWER_NAME, *ANSWER_COLUMNS) is None and file != location:
        return None
    return read_class_table(file, problems, (), options.picture_columns, options.encoding, preferred=ANSWER_NAME)


def _read_channel(
    location: Path, scheme: Scheme | None, options: ChannelOptions, problems: Problems, notes: list[str]
) -> ClassTable | None:
    """The images of a channel of any layout with their joint classes by name, groups and metadata."""
    root, name = (location.parent, location.name) if location.is_file() else (location, None)
    table = read_channel(root, problems, replace(options, table=name), scheme)
    if table is None or problems:
        return None
    notes.append(f"the truth was read from {table.source}: {len(table):,} images")
    frame = pd.DataFrame({NAME_COLUMN: pd.Series(table.locations.paths, dtype="str")})
    if table.grouped_by:
        frame[table.grouped_by] = table.groups
    for column in table.metadata:
        if column not in frame:
            frame[column] = table.metadata[column]
    names = frame[NAME_COLUMN].map(normal_text)
    return _class_table(location, names, frame, NAME_COLUMN, table.scheme, pd.DataFrame(table.codes()), notes)


def _class_table(
    file: Path,
    names: pd.Series,
    table: pd.DataFrame,
    name_column: str,
    scheme: Scheme,
    codes: pd.DataFrame,
    notes: list[str],
) -> ClassTable:
    """The table of joint classes by name. Rows that the rules leave out or that have no label at all are left out.

    Args:
        file, names, table, name_column: Of the ClassTable, in the order of codes.
        scheme: Of the attributes.
        codes: int64, a column an attribute: the class of each row, MISSING without a label, DROPPED by the rules.
        notes: Collects how many rows lack labels.
    """
    optional = [attribute.name for attribute in scheme.attributes if attribute.optional]
    kept = ~(codes == DROPPED).any(axis=1)
    complete = (codes >= 0).all(axis=1)
    lacking = kept & ~complete & (codes.drop(columns=optional) >= 0).all(axis=1)  # optional labels alone
    if not kept.all():
        counts = listing(f"{name} {count:,}" for name, count in (codes == DROPPED).sum().items() if count)
        notes.append(f"{LEFT_OUT}: {int((~kept).sum()):,} ({counts})")
    unlabelled = lacking & (codes < 0).all(axis=1)
    partial = lacking & ~unlabelled
    if unlabelled.any():
        notes.append(
            f"images left out, as an optional label ({listing(optional)}) is missing: {int(unlabelled.sum()):,}"
        )
    if partial.any():
        missing = listing(f"no {name} {count:,}" for name, count in (codes[partial] < 0).sum().items() if count)
        notes.append(
            f"images with a label of some attributes only, which are scored by attribute alone: "
            f"{int(partial.sum()):,} ({missing}); with every label: {int((kept & complete).sum()):,}"
        )
    values = _joined_values(scheme, codes).where(complete, "")
    labels = codes.where(complete | partial, MISSING) if partial.any() else None
    kept &= ~unlabelled
    return ClassTable(
        file,
        names[kept],
        values[kept],
        table[kept],
        ANSWER_NAME,
        name_column,
        None if labels is None else labels[kept],
    )


def _joined_values(scheme: Scheme, codes: pd.DataFrame) -> pd.Series:
    """The names of the values of each row, joined as in the name of a joint class; "" for a missing one."""
    values = [
        np.array([*one.values, ""], dtype=object)[np.maximum(codes[one.name], MISSING)] for one in scheme.attributes
    ]
    joined = values[0]
    for own in values[1:]:
        joined = joined + JOIN + own
    return pd.Series(joined, index=codes.index, dtype=object)


def match_by_file_name(truth: ClassTable, answers: pd.Series, notes: list[str]) -> ClassTable:
    """The truth with the names that the answers have for its images.

    A name that no answer has is matched by the last parts of its path, the most that one other name alone shares:
    a/cat/1.jpg with cat/1.jpg, or with 1.jpg.

    Args:
        truth: The truth of a channel, named by paths.
        answers: Names of the answers.
        notes: Collects how many were matched so.
    """
    names = truth.names.copy()
    matched = 0
    depth = max((name.count("/") + 1 for name in (*names, *answers)), default=1)
    for parts in range(depth, 0, -1):
        left = names[~names.isin(set(answers))]
        free = answers[~answers.isin(set(names))]
        if left.empty or free.empty:
            break
        own, theirs = _tails(left, parts), _tails(free, parts)
        unique = theirs[~theirs.duplicated(keep=False)]
        found = own[~own.duplicated(keep=False) & own.isin(set(unique))]
        by_tail = pd.Series(free.loc[unique.index].to_numpy(), index=unique.to_numpy())
        names.loc[found.index] = by_tail.loc[found].to_numpy()
        matched += len(found)
    if matched:
        notes.append(f"images matched by the end of their paths: {matched:,} of {len(names):,}")
    return replace(truth, names=names)


def _tails(names: pd.Series, parts: int) -> pd.Series:
    """The last so many parts of each path, of shorter ones all."""
    return names.map(lambda name: "/".join(PurePosixPath(name).parts[-parts:]))


def _table_in(folder: Path, options: TableOptions, problems: Problems) -> Path | None:
    """The CSV in a folder that names images: the only one, or one of the usual names; None where there is none."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix.lower() == ".csv")
    others = input_tables(names)
    candidates = [name for name in others if has_picture_column(folder / name, options)]
    has_folders = any(path.is_dir() for path in folder.iterdir())
    if not candidates and not has_folders:  # a name that tables about other things have too
        headers = {name: table_header(folder / name, options.encoding, options.picture_columns) for name in others}
        candidates = [name for name, header in headers.items() if column_named(header, *options.picture_columns)]
    usual = [name for name in TABLE_NAMES if name in candidates]
    if len(candidates) > 1 and not usual:
        named = f"name one, as in --ground_truth_dir {folder / candidates[0]}"
        problems.add("several tables", f"{folder} has no {TRUTH}, but {listing(candidates)}; {named}")
        return None
    if names and not others and not has_folders:
        problems.add(MISSING_FILES, f"{folder / TRUTH}: no such file; the folder has {listing(names)}")
        return None
    return folder / (usual or candidates)[0] if candidates else None


@dataclass(frozen=True)
class _LabelColumn:
    """Where a table has the labels of an attribute.

    name: of the column; "" for that of the images' names.
    pattern: where the labels are parts of its texts.
    """

    name: str
    pattern: LabelPattern | None = None


def _label_columns(header: Sequence[str], scheme: Scheme) -> list[_LabelColumn] | None:
    """The column of each attribute. None where one is missing, or another column holds the joint classes."""
    written = [normal_text(attribute_column(name)) for name in scheme.names]
    if set(written) <= set(map(normal_text, header)):  # as training writes them where labels are missing
        return [_LabelColumn(name) for name in written]
    columns = []
    for attribute in scheme.attributes:
        pattern = attribute.pattern
        source = pattern.column if pattern else attribute.column
        column = column_named(header, source) if source else ""
        if column is None:
            return None
        columns.append(_LabelColumn(normal_text(column), pattern))
    joint = column_named(header, ANSWER_NAME, *ANSWER_COLUMNS)
    is_attribute = any(column.name == joint and (column.pattern or len(columns) > 1) for column in columns)
    return columns if joint is None or is_attribute else None


def _read_attributes(
    file: Path,
    scheme: Scheme,
    columns: Sequence[_LabelColumn],
    options: TableOptions,
    group_column: str | None,
    problems: Problems,
    notes: list[str],
) -> ClassTable | None:
    """A table with the labels of each attribute: its classes are the joint ones, by name. Columns of labels are no
    metadata, but one of them may be group_column."""
    known = (columns[0].name,) if columns[0].name else options.picture_columns
    table = read_class_table(file, problems, (), options.picture_columns, options.encoding, columns=known)
    if table is None:
        return None
    codes = {}
    for attribute, column in zip(scheme.attributes, columns, strict=True):
        texts = table.table[column.name or table.name_column].map(normal_text)
        if column.pattern:
            labels = pattern_labels(attribute.name, column.pattern, texts.tolist(), problems)
            texts = pd.Series(labels, index=texts.index, dtype=object).map(normal_text)
        codes[attribute.name] = _codes(attribute, texts, file, problems)
    group = normal_text(group_column or "").lower()
    labels = [column.name for column in columns if not column.pattern and column.name.lower() != group]
    frame, by_attribute = table.table.drop(columns=labels), pd.DataFrame(codes, index=table.names.index)
    return _class_table(file, table.names, frame, table.name_column, scheme, by_attribute, notes)


def _codes(attribute: Attribute, texts: pd.Series, file: Path, problems: Problems) -> np.ndarray:
    """Classes of an attribute, int64 (n,), MISSING for an empty cell, DROPPED for one that the rules leave out. A text
    that is no value is a problem."""
    labels = [text for text in texts.unique() if text or attribute.rules.drops(text)]
    read = attribute.read(labels, (NAMES, INDICES))
    for text, sentence in read.unknown.items():
        problems.add(UNKNOWN_CLASSES, f"{file} {rows_text(texts.index[texts == text])}: {sentence}")
    return texts.map(read.codes).fillna(MISSING).to_numpy(dtype=np.int64)
