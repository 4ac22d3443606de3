"""Column names that are recognised without a setting: for images, labels, groups and the mask scheme."""

from __future__ import annotations

from collections.abc import Iterable

from model.attributes import normal_text
from model.errors import listing

# A table with one of the first three is read as the channel's table. The other names also occur in unrelated tables, so
# in training such a table is only read if the values in the column are images of the channel.
SURE_PICTURE_COLUMNS = ("ImageID", "image_name", "path")
PICTURE_COLUMNS = (
    *SURE_PICTURE_COLUMNS,
    *("filename", "file_name", "filepath", "file_path", "image_path", "image_id", "image"),
)
USUAL_PICTURE_COLUMNS = listing(PICTURE_COLUMNS, 4)  # for messages
LABEL_COLUMNS = ("label", "class", "ans", "y_pred")
GROUP_COLUMNS = ("group", "person", "sender", "people_path")
MASK_COLUMNS = ("mask", "gender", "age")


def column_named(header: Iterable[str], *names: str) -> str | None:
    """The first of the names that is a column, as the header spells it; None if none is.

    A column in the same letter case is preferred to one in another letter case.
    """
    columns = list(reversed(list(header)))
    exact = {normal_text(column): column for column in columns}
    folded = {normal_text(column).lower(): column for column in columns}
    matches = (exact.get(normal_text(name), folded.get(normal_text(name).lower())) for name in names)
    return next((column for column in matches if column is not None), None)


def picture_columns(*remembered: str | None) -> tuple[str, ...]:
    """Possible names of the column of image names: the remembered ones, then the usual ones."""
    return (*filter(None, remembered), *PICTURE_COLUMNS)
