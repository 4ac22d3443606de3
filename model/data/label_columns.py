"""The label columns of a channel: the column of each attribute, the scheme from the settings, the classes of rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from model.attributes import DROPPED, MISSING, UNKNOWN, Attribute, ReadLabels, normal_text
from model.data.label_forms import AttributeForm
from model.data.readers.columns import LABEL_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import InputError, Problems, did_you_mean, listing
from model.label_values import INDICES, NAMES, equal_numbers, similar_names, whole_number
from model.labels import Scheme, mask_scheme

SHOWN_ROWS = 5  # rows with an unknown label that a message lists

log = logging.getLogger("rarebird")


class Named(Protocol):
    """An attribute, or the form of one."""

    @property
    def name(self) -> str: ...

    @property
    def column(self) -> str: ...


def find_column(rows: Rows, name: str, role: str, problems: Problems) -> str | None:
    """Finds the column that a setting names.

    Args:
        rows: The rows of the channel.
        name: Name of the column in the settings.
        role: Name of the column's purpose for messages, such as `group column`.
        problems: Collects a missing column.

    Returns:
        The column as the table spells it; None, and a problem, if there is no such column.
    """
    column = column_named(rows.columns, name)
    if column is None:
        columns = f"its columns are {listing(rows.columns)}" if rows.columns else "it has no columns"
        near = did_you_mean(name, rows.columns)
        problems.add(f"missing {role}", f"{rows.source} has no column {name!r}; {columns}{near}")
    return column


def label_columns(rows: Rows, attributes: Sequence[Named], problems: Problems) -> list[str | None]:
    """The column of each attribute; None, and a problem, if it has none.

    Columns are found by name. If the layout itself defines the label columns, and as many as there are attributes,
    they are assigned in order, unless a column of the same name is at another position. An only attribute `label`,
    as in a scheme of another table, is also read from any of LABEL_COLUMNS.

    Args:
        rows: The rows of the channel.
        attributes: Attributes or forms, with the names of their columns.
        problems: Collects missing columns.
    """
    if len(rows.label_columns) == len(attributes):
        by_name = [column_named(rows.columns, attribute.column) for attribute in attributes]
        if all(by_name):
            return by_name
        if all(column in (None, own) for column, own in zip(by_name, rows.label_columns)):
            return list(rows.label_columns)
    if [attribute.name for attribute in attributes] == ["label"]:
        usual = column_named(rows.columns, attributes[0].column, *LABEL_COLUMNS)
        if usual:
            return [usual]
    return [find_column(rows, attribute.column, "label column", problems) for attribute in attributes]


def scheme_from_forms(forms: Sequence[AttributeForm], rows: Rows, problems: Problems) -> Scheme | None:
    """The scheme that the setting `attributes` describes. If it lists no values, they are the values in the column.

    Args:
        forms: The parsed setting.
        rows: The rows of the channel.
        problems: Collects missing columns and columns with fewer than two values.

    Returns:
        The scheme; None if there are problems. Without rows, columns with too few values are not reported.
    """
    # Report a missing column here if its values are needed, otherwise when the labels are read
    columns = label_columns(rows, forms, Problems("columns"))
    if any(form.finds_values and column is None for form, column in zip(forms, columns)):
        label_columns(rows, forms, problems)
        return None
    attributes: list[Attribute] = []
    for form, column in zip(forms, columns):
        labels = [normal_text(label) for label in rows.columns[column]] if column is not None else []
        try:
            attribute = form.attribute(labels)
        except InputError as error:
            if rows.paths:
                problems.add("fewer than two classes", f"{rows.source}: {error}")
            continue
        attributes.append(attribute)
        for sentence in form.unused_rules(labels) if column is not None else ():
            log.warning("%s: %s", rows.source, sentence)
        if form.finds_values:
            log_spellings(form.name, column or form.column, rows.columns[column or ""], attribute)
    return Scheme(tuple(attributes)) if len(attributes) == len(forms) else None


def log_spellings(name: str, column: str, labels: Sequence[str], attribute: Attribute) -> None:
    """Logs which spellings of labels are one class, and which classes differ so little that they may be one.

    Args:
        name: Name of the attribute.
        column: Its column.
        labels: The labels as they are written.
        attribute: The attribute, whose classes are the values in the column.
    """
    as_written: dict[str, set[str]] = {}
    for label in dict.fromkeys(labels):
        as_written.setdefault(normal_text(label), set()).add(label)
    kept = [label for label in as_written if label and not attribute.rules.drops(label)]
    padded = [listing(sorted(map(repr, as_written[label]))) for label in kept if len(as_written[label]) > 1]
    if padded:
        log.warning(
            "%s: labels that differ only in leading or trailing white space are one class: %s",
            column,
            "; ".join(padded),
        )
    spelled = [
        f"{listing(group)} as {attribute.values[code]}"
        for group in equal_numbers(kept)
        if (code := attribute.lookup.code(group[0])) is not None
    ]
    if spelled:
        text = "%s: every label is a number, and spellings of the same number are one class: %s"
        log.warning(text, column, "; ".join(spelled))
    indices = {str(code) for code in range(len(attribute.values))}
    if attribute.lookup.are_numbers and {whole_number(value) for value in attribute.values} != indices:
        order = listing(f"{code} is {value}" for code, value in enumerate(attribute.values))
        log.info("%s: the classes are the numbers in the column; `ans` in output.csv is their index: %s", column, order)
    similar = [] if attribute.rules.fold_case else similar_names(attribute.values)
    if similar:
        log.warning(
            "%s: these classes differ only in letter case or white space: %s; `fold_case: true` merges them "
            "(attributes: {%s: {column: %s, fold_case: true}})",
            column,
            "; ".join(listing(group) for group in similar[:SHOWN_ROWS]),
            name,
            column,
        )


def takes_indices(attribute: Attribute, forms: Sequence[AttributeForm]) -> bool:
    """Whether a table may contain the indices of an attribute's classes instead of their names.

    This requires a known order of the names: they are listed in `attributes`, or the scheme is that of the mask
    competition, whose tables have 0, 1, 2 for worn, incorrect, none. Names that were collected from a channel have no
    order that a table could refer to.

    Args:
        attribute: An attribute of the scheme.
        forms: The parsed setting `attributes`; empty if it is not set.
    """
    if forms:
        return any(form.name == attribute.name and form.values == attribute.values for form in forms)
    return attribute in mask_scheme().attributes


@dataclass(frozen=True)
class LabelColumn:
    """The classes of a column.

    Attributes:
        codes: int64 (n,), the class of each row; MISSING, DROPPED or UNKNOWN if it has none.
        numbers: float64 (n,), the number of each row if the attribute has bands, otherwise NaN.
    """

    codes: np.ndarray
    numbers: np.ndarray


def read_label_column(
    attribute: Attribute,
    rows: Rows,
    column: str | None,
    indices: bool,
    problems: Problems,
    corrected: np.ndarray | None = None,
) -> LabelColumn:
    """Reads one attribute of all rows. Each unknown label is one problem that lists its rows.

    Args:
        attribute: The attribute.
        rows: The rows.
        column: Its column; None if it is missing, which makes every label unknown.
        indices: Whether the column may contain class indices. Names of folders are never read as indices.
        problems: Collects unknown labels.
        corrected: bool (n,), the rows whose label will be replaced, so that it may be invalid; None: no row.
    """
    if column is None:
        return LabelColumn(np.full(len(rows.paths), UNKNOWN), np.full(len(rows.paths), np.nan))
    # Read each distinct label once
    text_of_row, distinct = pd.factorize(np.array(rows.columns[column], dtype=object))
    texts = [normal_text(text) for text in distinct]
    kept_labels = [text for text in texts if text or attribute.rules.drops(text)]
    read = attribute.read(kept_labels, (NAMES, INDICES) if indices and not rows.named_by_folder else (NAMES,))

    absent = {"": MISSING} if attribute.optional else {}
    codes = np.array([read.codes.get(text, absent.get(text, UNKNOWN)) for text in texts], np.int64)[text_of_row]
    numbers = np.array([read.numbers.get(text, np.nan) for text in texts], np.float64)[text_of_row]
    _log_reading(attribute, column, read, [texts[i] for i in text_of_row[codes == DROPPED]])
    is_unknown = codes == UNKNOWN if corrected is None else (codes == UNKNOWN) & ~corrected
    _report_unknown(attribute, rows, np.array(texts, dtype=object)[text_of_row], is_unknown, read, problems)
    return LabelColumn(codes, numbers)


def _log_reading(attribute: Attribute, column: str, read: ReadLabels, dropped: Sequence[str]) -> None:
    if read.reading == INDICES:
        order = listing(f"{code} {value}" for code, value in enumerate(attribute.values))
        log.info("%s contains class indices: %s", column, order)
    if dropped:
        counts = pd.Series(dropped).value_counts()
        texts = listing(f"{label or 'no label'} ({count:,})" for label, count in counts.items())
        rows = "1 row" if len(dropped) == 1 else f"{len(dropped):,} rows"
        log.info("%s: `drop` skipped %s: %s", column, rows, texts)


def _report_unknown(
    attribute: Attribute, rows: Rows, texts: np.ndarray, is_unknown: np.ndarray, read: ReadLabels, problems: Problems
) -> None:
    """Adds a problem for each unknown label, with the rows that have it, most frequent first."""
    positions_by_text: dict[str, list[int]] = {}
    for row in np.flatnonzero(is_unknown).tolist():
        positions_by_text.setdefault(texts[row], []).append(row)
    for text, positions in sorted(positions_by_text.items(), key=lambda item: (-len(item[1]), item[0])):
        kind = "invalid number" if attribute.cuts else "unknown label"
        if text:
            sentence = read.unknown[text]
        else:
            advice = 'in `attributes`, `drop: [""]` skips such rows and `optional: true` keeps them without a label'
            kind, sentence = "empty label", f"{attribute.expected('', (NAMES,))}; {advice}"
        origins = list(dict.fromkeys(rows.origins[row] for row in positions))
        count = f" ({len(origins):,} in total)" if len(origins) > SHOWN_ROWS else ""
        problems.add(kind, f"{origins_text(origins)}{count}: {sentence}")


def origins_text(origins: Sequence[str]) -> str:
    """`train.csv row 8`, `train.csv rows 8, 33`, or folders: at most SHOWN_ROWS, and how many more there are."""
    parts = [origin.rpartition(" row ") for origin in origins]
    if len(origins) > 1 and len({(file, bool(word)) for file, word, _ in parts}) == 1 and parts[0][1]:
        return f"{parts[0][0]} rows {listing((row for _, _, row in parts), SHOWN_ROWS)}"
    return listing(origins, SHOWN_ROWS)
