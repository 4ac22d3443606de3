"""default_scheme: the label scheme of a channel for which the settings name no attributes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from model.attributes import Attribute, normal_text
from model.data.label_columns import log_spellings
from model.data.readers.columns import LABEL_COLUMNS, MASK_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import Problems, listing, nearest
from model.label_values import found_names, whole_number
from model.labels import Scheme, mask_scheme

log = logging.getLogger("rarebird")


def default_scheme(rows: Rows, age_cuts: Sequence[float], num_classes: int, problems: Problems) -> Scheme | None:
    """Derives the label scheme from the columns.

    It is the mask scheme where there are columns mask, gender and age, else one attribute `label` whose classes are the
    values that occur in the label column.

    Args:
        rows: The rows of the channel.
        age_cuts: Years at which the mask scheme cuts the age.
        num_classes: If not 0, and the labels are whole numbers below it, the classes are 0 to num_classes - 1.
        problems: Collects that there is no label column, or that it has fewer than two values; None is returned then.
    """
    if all(column_named(rows.columns, name) for name in MASK_COLUMNS):
        return mask_scheme(age_cuts)
    if rows.named_by_folder and rows.paths and rows.label_columns not in ((), ("label",)):
        return _scheme_of_levels(rows, problems)
    if len(rows.label_columns) > 1:
        example = ", ".join(f"{name}: {{}}" for name in rows.label_columns)
        detail = (
            f"{rows.source} has the labels {listing(rows.label_columns)}; name in the config those to learn, "
            f"attributes: {{{example}}}"
        )
        problems.add("several label columns", detail)
        return None
    if not rows.columns:
        expected = "a table, a folder per class, or `attributes` with a `pattern` of the path (docs/data.md)"
        problems.add("channel without labels", f"{len(rows.paths):,} {rows.source}; expected {expected}")
        return None
    column = rows.label_columns[0] if rows.label_columns else column_named(rows.columns, *LABEL_COLUMNS)
    if column is None:
        similar = [name for name in (nearest(column, LABEL_COLUMNS) for column in rows.columns) if name]
        near = f"; nearest: {similar[0]}" if similar else ""
        there = f"there are {listing(rows.columns)}{near}; {_attributes_advice(rows)}"
        problems.add("missing label column", f"{rows.source} has {_missing_columns(rows)}; {there}")
        return None
    if not rows.paths:
        return None
    _log_other_columns(rows, column)
    labels = [normal_text(label) for label in rows.columns[column]]
    values = _class_values(labels, num_classes)
    if len(values) < 2:
        problems.add("fewer than two classes", f"{rows.source}: {column} holds {listing(values) or 'nothing'} only")
        return None
    attribute = Attribute("label", values, (), column)
    log_spellings("label", column, rows.columns[column], attribute)
    return Scheme((attribute,))


def _log_other_columns(rows: Rows, column: str) -> None:
    """Logs which columns could be the labels too, by their names."""
    others = [name for name in rows.columns if name != column and normal_text(name).lower() in LABEL_COLUMNS]
    if others and not rows.label_columns:
        log.info("%s: the labels are those of column %s, not of %s", rows.source, column, listing(others))


def _missing_columns(rows: Rows) -> str:
    """`neither mask, gender, age nor one of label, ...`, or which of the three are missing."""
    missing = [name for name in MASK_COLUMNS if column_named(rows.columns, name) is None]
    if len(missing) == len(MASK_COLUMNS):
        return f"neither {listing(MASK_COLUMNS)} nor one of {listing(LABEL_COLUMNS)}"
    there = [name for name in MASK_COLUMNS if name not in missing]
    return f"{listing(there)} without {listing(missing)}, and none of {listing(LABEL_COLUMNS)}"


def _attributes_advice(rows: Rows) -> str:
    """How to name the label columns, with one that is there."""
    name = next((name for name in MASK_COLUMNS if column_named(rows.columns, name)), "size")
    return f"name the columns of the labels under `attributes`, as in {{{name}: {{column: {name}}}}}"


def _scheme_of_levels(rows: Rows, problems: Problems) -> Scheme | None:
    """An attribute for each level of folders that is a label, with the names of its folders as values."""
    attributes = []
    for name in rows.label_columns:
        values = found_names([normal_text(label) for label in rows.columns[name]])
        if len(values) < 2:
            problems.add("fewer than two classes", f"{rows.source}: {name} holds {listing(values) or 'nothing'} only")
            return None
        attributes.append(Attribute(name, values, (), name))
        log_spellings(name, name, rows.columns[name], attributes[-1])
    return Scheme(tuple(attributes))


def _class_values(labels: Sequence[str], num_classes: int) -> tuple[str, ...]:
    """The values that occur; 0 to num_classes - 1 where it is set and whole numbers among them are all that occur."""
    values = found_names(labels)
    if len(values) >= num_classes or any(whole_number(value) is None for value in values):
        return values
    spelled = {whole_number(value): value for value in values}
    counted = [str(code) for code in range(num_classes)]
    return tuple(spelled.get(number, number) for number in counted) if spelled.keys() <= set(counted) else values
