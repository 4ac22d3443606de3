"""default_scheme derives the label scheme of a channel if the settings do not list attributes."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence

import yaml

from model.attributes import Attribute, normal_text
from model.data.label_columns import log_spellings
from model.data.readers.columns import GROUP_COLUMNS, LABEL_COLUMNS, MASK_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import Problems, listing, nearest
from model.label_values import found_names, whole_number
from model.labels import Scheme, mask_scheme

log = logging.getLogger("rarebird")


def default_scheme(rows: Rows, age_cuts: Sequence[float], num_classes: int, problems: Problems) -> Scheme | None:
    """Derives the label scheme from the columns.

    With columns mask, gender and age it is the mask scheme. Otherwise it has one attribute `label`, whose classes are
    the values in the label column.

    Args:
        rows: The rows of the channel.
        age_cuts: Ages in years at which the mask scheme starts a new band.
        num_classes: If not 0, and the labels are whole numbers below it, the classes are 0 to num_classes - 1.
        problems: Collects what is wrong.

    Returns:
        The scheme. None, and a problem, if there is no label column or it has fewer than two values.
    """
    if all(column_named(rows.columns, name) for name in MASK_COLUMNS):
        return mask_scheme(age_cuts)
    if rows.named_by_folder and rows.paths and rows.label_columns not in ((), ("label",)):
        return _scheme_of_levels(rows, problems)
    if len(rows.label_columns) > 1:
        advice = _attributes_advice(rows.label_columns)
        detail = f"{rows.source} has the label columns {listing(rows.label_columns)}; {advice}"
        problems.add("more than one label column", detail)
        return None
    if not rows.columns:
        expected = "a table, one folder per class, or `attributes` with a `pattern` to search in paths (docs/data.md)"
        problems.add("channel without labels", f"{len(rows.paths):,} {rows.source}; expected {expected}")
        return None
    column = rows.label_columns[0] if rows.label_columns else column_named(rows.columns, *LABEL_COLUMNS)
    if column is None:
        similar = [name for name in (nearest(column, LABEL_COLUMNS) for column in rows.columns) if name]
        near = f"; nearest: {similar[0]}" if similar else ""
        columns = f"its columns are {listing(rows.columns)}{near}; {_attributes_advice(_learnable_columns(rows))}"
        problems.add("missing label column", f"{rows.source} has {_missing_columns(rows)}; {columns}")
        return None
    if not rows.paths:
        return None
    _log_other_columns(rows, column)
    labels = [normal_text(label) for label in rows.columns[column]]
    values = _class_values(labels, num_classes)
    if len(values) < 2:
        content = listing(values) or "empty values"
        problems.add("fewer than two classes", f"{rows.source}: column {column} contains only {content}")
        return None
    attribute = Attribute("label", values, (), column)
    log_spellings("label", column, rows.columns[column], attribute)
    return Scheme((attribute,))


def _log_other_columns(rows: Rows, column: str) -> None:
    """Logs which other columns have the name of a label column."""
    others = [name for name in rows.columns if name != column and normal_text(name).lower() in LABEL_COLUMNS]
    if others and not rows.label_columns:
        log.info("%s: labels are read from column %s, not from %s", rows.source, column, listing(others))


def _missing_columns(rows: Rows) -> str:
    """`no column called label, ...`, or which of mask, gender and age are missing."""
    missing = [name for name in MASK_COLUMNS if column_named(rows.columns, name) is None]
    if len(missing) == len(MASK_COLUMNS):
        return f"no label column ({listing(LABEL_COLUMNS)})"
    present = [name for name in MASK_COLUMNS if name not in missing]
    return f"{listing(present)} but not {listing(missing)}, and none of {listing(LABEL_COLUMNS)}"


def _attributes_advice(columns: Sequence[str]) -> str:
    """How to choose the columns to learn, as a flag to paste into a shell."""
    mapping = shlex.quote(f"{{{', '.join(f'{_yaml_key(name)}: {{}}' for name in columns)}}}")
    return f"choose the columns to learn, as in --attributes {mapping}"


def _yaml_key(name: str) -> str:
    """The name of a column as a key of a mapping, in quotes if it is not a plain word."""
    is_plain = name.isidentifier() and yaml.safe_load(name) == name  # `no` and `null` are not texts in YAML
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _learnable_columns(rows: Rows) -> list[str]:
    """The columns that may be labels: some rows have the same value, but not all. All columns if there are none."""
    candidates = [name for name in rows.columns if name not in GROUP_COLUMNS]
    repeated = [name for name in candidates if 1 < len(set(rows.columns[name])) < len(rows.columns[name])]
    return repeated or candidates or list(rows.columns)


def _scheme_of_levels(rows: Rows, problems: Problems) -> Scheme | None:
    """One attribute per level of folders that is a label, with the names of its folders as values."""
    attributes = []
    for name in rows.label_columns:
        values = found_names([normal_text(label) for label in rows.columns[name]])
        if len(values) < 2:
            content = listing(values) or "empty values"
            problems.add("fewer than two classes", f"{rows.source}: level {name} contains only {content}")
            return None
        attributes.append(Attribute(name, values, (), name))
        log_spellings(name, name, rows.columns[name], attributes[-1])
    return Scheme(tuple(attributes))


def _class_values(labels: Sequence[str], num_classes: int) -> tuple[str, ...]:
    """The distinct labels; 0 to num_classes - 1 if it is set and every label is a whole number in this range."""
    values = found_names(labels)
    if len(values) >= num_classes or any(whole_number(value) is None for value in values):
        return values
    spelled = {whole_number(value): value for value in values}
    counted = [str(code) for code in range(num_classes)]
    return tuple(spelled.get(number, number) for number in counted) if spelled.keys() <= set(counted) else values
