"""TableOptions: how annotation files are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.data.readers.columns import picture_columns


@dataclass(frozen=True)
class TableOptions:
    """The settings of training and inference that have these names, and what a saved model remembers.

    Attributes:
        table: Path of the annotation file below the channel.
        picture_column: Column of image names, which the table must have.
        encoding: Encoding of files without a byte-order mark.
        missing: What a row without an image is: `error`, or `skip`, which leaves it out.
        split_column: Column whose values name the split that a row belongs to.
        remembered_column: Column of image names that a saved model was trained with; taken where the table has it.
        label_columns: Columns that the label scheme names.
    """

    table: str | None = None
    picture_column: str | None = None
    encoding: str = "utf-8"
    missing: str = "error"
    split_column: str | None = None
    remembered_column: str | None = None
    label_columns: Sequence[str] = ()

    @property
    def picture_columns(self) -> Sequence[str]:
        """Names that the column of image names may have, the first that is there counts."""
        return (self.picture_column,) if self.picture_column else picture_columns(self.remembered_column)
