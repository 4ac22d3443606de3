"""TableOptions: how annotation files are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.data.readers.columns import picture_columns


@dataclass(frozen=True)
class TableOptions:
    """The settings of training and inference with these names, and columns from a saved model.

    Attributes:
        table: Path of the annotation file below the channel.
        picture_column: Column of image names, which the table must have.
        encoding: Encoding of files without a byte-order mark.
        missing: `error` if a row without an image is an error; `skip` to skip such rows.
        split_column: Column with the split of each row.
        remembered_column: Column of image names that a saved model was trained with; used if the table has it.
        label_columns: Columns of the label scheme.
        not_input: File of the channel with another use: the log of corrections.
    """

    table: str | None = None
    picture_column: str | None = None
    encoding: str = "utf-8"
    missing: str = "error"
    split_column: str | None = None
    remembered_column: str | None = None
    label_columns: Sequence[str] = ()
    not_input: str | None = None

    @property
    def picture_columns(self) -> Sequence[str]:
        """Possible names of the column of image names; the first that the table has is used."""
        return (self.picture_column,) if self.picture_column else picture_columns(self.remembered_column)
