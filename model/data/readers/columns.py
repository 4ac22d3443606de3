"""Column names that are recognised without a setting: of images, labels, groups and the mask scheme."""

from __future__ import annotations

from collections.abc import Iterable

from model.attributes import normal_text
from model.errors import listing

# The first three make a table that of the channel; the others, which tables about other things have too, do so in
# training where their values name images
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
    """The first of the names that is a column, as the header spells it: in the same letter case, else in any."""
    columns = list(reversed(list(header)))
    exact = {normal_text(column): column for column in columns}
    folded = {normal_text(column).lower(): column for column in columns}
    found = (exact.get(normal_text(name), folded.get(normal_text(name).lower())) for name in names)
    return next((column for column in found if column is not None), None)


def picture_columns(*remembered: str | None) -> tuple[str, ...]:
    """Names that the column of image names may have: those that are set or remembered, then the usual ones."""
    return (*filter(None, remembered), *PICTURE_COLUMNS)
