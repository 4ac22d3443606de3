"""Reads the true labels: gt.csv, another table, or a labelled channel of any layout that training reads."""

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

CHANNEL_FILES = (".lst", ".manifest", ".jsonl")  # read as a channel, not as a table
MISSING_LABELS = "missing label column"  # kind of problem of model.data.label_columns
NAME_COLUMN = "path"
LEFT_OUT = "images that are not scored because their label was dropped in training"  # for notes


def truth_location(path: Path) -> Path:
    """The table or folder of true labels: a file itself; for a folder its gt.csv, otherwise the folder if not empty."""
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
    """Reads the true classes; None, with problems, if that is not possible.

    Args:
        location: Table or folder, from truth_location.
        scheme: Scheme of the predictions, by which a channel or columns of attributes are read; None if not known.
        channel: How a channel is read.
        options: How a table is read.
        problems: Collects errors.
        notes: Collects how a channel was read.
    """
    own_problems = Problems(f"true labels {location}")
    table = None
    if location.suffix.lower() not in CHANNEL_FILES:
        table = _read_table(location, scheme, options, channel.group_column, own_problems, notes)
    if table is None and not own_problems:
        table = _read_channel(location, scheme, channel, own_problems, notes)
    for kind, texts in own_problems.kinds.items():
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
    """A CSV with a column of classes or one per attribute. None, without a problem, if a folder has no such CSV."""
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
    """The images of a channel of any layout, with joint classes by name, groups and metadata."""
    root, name = (location.parent, location.name) if location.is_file() else (location, None)
    own = Problems("")
    table = read_channel(root, own, replace(options, table=name), scheme)
    if scheme and len(scheme.attributes) > 1 and len(own.kinds.get(MISSING_LABELS, ())) == len(scheme.attributes):
        # no attribute has labels: one problem with both label schemes instead of one per column
        _, _, columns = own.kinds[MISSING_LABELS][0].partition("; ")
        expected = f"the predictions are for the attributes {listing(scheme.names)}"
        problems.add(MISSING_LABELS, f"{location}: {expected}; the ground truth has labels for none of them: {columns}")
        return None
    problems.extend(own)
    if table is None or problems:
        return None
    notes.append(f"true labels were read from {table.source}: {len(table):,} images")
    frame = pd.DataFrame({NAME_COLUMN: pd.Series(table.locations.paths, dtype="str")})
    if table.grouped_by:
        frame[table.grouped_by] = table.groups
    for column in table.metadata:
        if column not in frame:
            frame[column] = table.metadata[column]
    names = frame[NAME_COLUMN].map(normal_text)
    found = _class_table(location, names, frame, NAME_COLUMN, table.scheme, pd.DataFrame(table.codes()), notes)
    return replace(found, numbers=table.numbers)


def _class_table(
    file: Path,
    names: pd.Series,
    table: pd.DataFrame,
    name_column: str,
    scheme: Scheme,
    codes: pd.DataFrame,
    notes: list[str],
) -> ClassTable:
    """The table of joint classes by name, without rows that the rules drop or that have no label at all.

    Args:
        file, names, table, name_column: Fields of the ClassTable, in the order of codes.
        scheme: Scheme of the attributes.
        codes: int64, one column per attribute: the class of each row, MISSING without a label, DROPPED by the rules.
        notes: Collects how many rows lack labels.
    """
    optional = [attribute.name for attribute in scheme.attributes if attribute.optional]
    kept = ~(codes == DROPPED).any(axis=1)
    complete = (codes >= 0).all(axis=1)
    lacking = kept & ~complete & (codes.drop(columns=optional) >= 0).all(axis=1)  # only optional labels
    if not kept.all():
        counts = listing(f"{name} {count:,}" for name, count in (codes == DROPPED).sum().items() if count)
        notes.append(f"{LEFT_OUT}: {int((~kept).sum()):,} ({counts})")
    unlabelled = lacking & (codes < 0).all(axis=1)
    partial = lacking & ~unlabelled
    if unlabelled.any():
        reason = f"because they have no label (optional: {listing(optional)})"
        notes.append(f"images that are not scored {reason}: {int(unlabelled.sum()):,}")
    if partial.any():
        missing = listing(f"no {name} {count:,}" for name, count in (codes[partial] < 0).sum().items() if count)
        notes.append(
            f"images with labels for only some attributes, which are scored for these attributes: "
            f"{int(partial.sum()):,} ({missing}); images with labels for all attributes: "
            f"{int((kept & complete).sum()):,}"
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
    """The names of the values of each row, joined to the name of the joint class; "" for a missing value."""
    values = [
        np.array([*one.values, ""], dtype=object)[np.maximum(codes[one.name], MISSING)] for one in scheme.attributes
    ]
    joined = values[0]
    for own in values[1:]:
        joined = joined + JOIN + own
    return pd.Series(joined, index=codes.index, dtype=object)


def match_by_file_name(truth: ClassTable, answers: pd.Series, notes: list[str]) -> ClassTable:
    """The true labels with the image names of the predictions.

    A name that is not in the predictions is matched by the end of its path, with as many parts as possible, if exactly
    one name on each side has it: a/cat/1.jpg with cat/1.jpg, or with 1.jpg.

    Args:
        truth: True labels of a channel, with paths as names.
        answers: Names in the predictions.
        notes: Collects how many were matched by the end of their path.
    """
    names = truth.names.copy()
    matched = 0
    depth = max((name.count("/") + 1 for name in (*names, *answers)), default=1)
    # match the names that are left by their last `parts` parts, fewer each time
    for parts in range(depth, 0, -1):
        left = names[~names.isin(set(answers))]
        free = answers[~answers.isin(set(names))]
        if left.empty or free.empty:
            break
        own, theirs = _tails(left, parts), _tails(free, parts)
        unique = theirs[~theirs.duplicated(keep=False)]
        fitting = own[~own.duplicated(keep=False) & own.isin(set(unique))]
        by_tail = pd.Series(free.loc[unique.index].to_numpy(), index=unique.to_numpy())
        names.loc[fitting.index] = by_tail.loc[fitting].to_numpy()
        matched += len(fitting)
    if matched:
        notes.append(f"images matched by the end of their paths: {matched:,} of {len(names):,}")
    return replace(truth, names=names)


def _tails(names: pd.Series, parts: int) -> pd.Series:
    """The last parts of each path; all parts of a shorter path."""
    return names.map(lambda name: "/".join(PurePosixPath(name).parts[-parts:]))


def _table_in(folder: Path, options: TableOptions, problems: Problems) -> Path | None:
    """The CSV with image names in a folder: the only one, or the one with a usual name; None if there is none."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix.lower() == ".csv")
    others = input_tables(names, folder)
    candidates = [name for name in others if has_picture_column(folder / name, options)]
    has_folders = any(path.is_dir() for path in folder.iterdir())
    if not candidates and not has_folders:  # column names that other tables also have
        headers = {name: table_header(folder / name, options.encoding, options.picture_columns) for name in others}
        candidates = [name for name, header in headers.items() if column_named(header, *options.picture_columns)]
    usual = [name for name in TABLE_NAMES if name in candidates]
    if len(candidates) > 1 and not usual:
        remedy = f"choose one, such as --ground_truth_dir {folder / candidates[0]}"
        problems.add("several tables", f"{folder} has no {TRUTH}, but several tables: {listing(candidates)}; {remedy}")
        return None
    if names and not others and not has_folders:
        problems.add(MISSING_FILES, f"{folder / TRUTH}: no such file; the folder has {listing(names)}")
        return None
    return folder / (usual or candidates)[0] if candidates else None


@dataclass(frozen=True)
class _LabelColumn:
    """The column with the labels of an attribute.

    name: Name of the column; "" for the column of image names.
    pattern: Finds the label in its texts; None if the text is the label.
    """

    name: str
    pattern: LabelPattern | None = None


def _label_columns(header: Sequence[str], scheme: Scheme) -> list[_LabelColumn] | None:
    """The column of each attribute; None if one is missing or if another column contains the joint classes."""
    written = [normal_text(attribute_column(name)) for name in scheme.names]
    if set(written) <= set(map(normal_text, header)):  # written by a training with missing labels
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
    """Reads a table with a column of labels per attribute as joint classes by name.

    Columns of labels are not metadata, but one of them may be group_column.

    Args:
        file: The table.
        scheme: Scheme of the attributes.
        columns: The column of each attribute.
        options: How the table is read.
        group_column: The setting of that name.
        problems: Collects errors.
        notes: Collects how many rows lack labels.
    """
    known = (columns[0].name,) if columns[0].name else options.picture_columns
    table = read_class_table(file, problems, (), options.picture_columns, options.encoding, columns=known)
    if table is None:
        return None
    codes, numbers = {}, {}
    for attribute, column in zip(scheme.attributes, columns, strict=True):
        texts = table.table[column.name or table.name_column].map(normal_text)
        if column.pattern:
            labels = pattern_labels(attribute.name, column.pattern, texts.tolist(), problems)
            texts = pd.Series(labels, index=texts.index, dtype=object).map(normal_text)
        codes[attribute.name], numbers[attribute.name] = _codes(attribute, texts, file, problems)
    group = normal_text(group_column or "").lower()
    labels = [column.name for column in columns if not column.pattern and column.name.lower() != group]
    frame, by_attribute = table.table.drop(columns=labels), pd.DataFrame(codes, index=table.names.index)
    found = _class_table(file, table.names, frame, table.name_column, scheme, by_attribute, notes)
    return replace(found, numbers=pd.DataFrame(numbers, index=table.names.index))


def _codes(attribute: Attribute, texts: pd.Series, file: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Classes of an attribute, int64 (n,): MISSING if empty, DROPPED by the rules; and its numbers, float64 (n,), NaN
    without one. An unknown text is a problem."""
    labels = [text for text in texts.unique() if text or attribute.rules.drops(text)]
    read = attribute.read(labels, (NAMES, INDICES))
    for text, sentence in read.unknown.items():
        problems.add(UNKNOWN_CLASSES, f"{file} {rows_text(texts.index[texts == text])}: {sentence}")
    codes = texts.map(read.codes).fillna(MISSING).to_numpy(dtype=np.int64)
    return codes, texts.map(read.numbers).to_numpy(dtype=np.float64)
