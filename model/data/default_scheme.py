"""default_scheme: the label scheme of a channel for which the settings name no attributes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model.data.readers.columns import LABEL_COLUMNS, MASK_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import Problems, listing, nearest
from model.labels import Attribute, Scheme, mask_scheme, normal_text

MAX_CLASS_NUMBER = 10_000  # a column with a greater whole number is not taken for classes counted from 0


def default_scheme(rows: Rows, age_cuts: Sequence[float], problems: Problems) -> Scheme | None:
    """Derives the label scheme from the columns.

    It is the mask scheme where there are columns mask, gender and age, else one attribute `label` with the values of
    the label column. None, and a problem, where there is no label column or it has fewer than two values.
    """
    if all(column_named(rows.columns, name) for name in MASK_COLUMNS):
        return mask_scheme(age_cuts)
    if len(rows.label_columns) > 1:
        detail = f"{rows.source} has the labels {listing(rows.label_columns)}; name the attributes in the config"
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
        problems.add(
            "missing label column",
            f"{rows.source} has neither {listing(MASK_COLUMNS)} nor one of {listing(LABEL_COLUMNS)}; there are "
            f"{listing(rows.columns)}{near}; name it under `attributes` in the config",
        )
        return None
    if not rows.paths:
        return None
    values = _class_values(rows.columns[column], are_numbers=not rows.named_by_folder)
    if len(values) < 2:
        problems.add("fewer than two classes", f"{rows.source}: {column} holds {listing(values) or 'nothing'} only")
        return None
    return Scheme((Attribute("label", values, (), column),))


def _class_values(labels: Iterable[str], are_numbers: bool) -> tuple[str, ...]:
    """The different labels, sorted, numbers by their size.

    are_numbers: Whole numbers are classes counted from 0, so that those between them are classes without an image.
    """
    texts = sorted({normal_text(label) for label in labels} - {""})
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return tuple(texts)
    if not are_numbers:
        return tuple(text for _, text in sorted(zip(numbers, texts)))
    if all(number.is_integer() and 0 <= number <= MAX_CLASS_NUMBER for number in numbers):
        return tuple(str(code) for code in range(int(max(numbers, default=-1)) + 1))
    return tuple(texts)
