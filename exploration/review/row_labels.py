"""RowLabels: the labels of a table's rows as texts, its groups and its paths."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from model.data.table import Table


class RowLabels:
    """Texts of the labels, as corrections.csv has them: a class name; a number for an attribute with cuts if the
    channel has one; "" if the label is missing.

    Args:
        table: The table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.is_grouped = bool(table.grouped_by)
        self.paths = table.locations.paths
        self.groups: list[str] = [str(group) for group in table.groups] if self.is_grouped else [""] * len(table)
        self._codes = table.codes()
        self._numbers = {str(name): table.numbers[name].to_numpy() for name in table.numbers}
        self._metadata = {str(name): table.metadata[name].tolist() for name in table.metadata}

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each path."""
        return {path: row for row, path in enumerate(self.paths)}

    @cached_property
    def rows_of(self) -> dict[str, list[int]]:
        """The rows of each group in the order of their paths; empty without groups."""
        if not self.is_grouped:
            return {}
        rows: dict[str, list[int]] = {}
        for row in sorted(range(len(self.paths)), key=self.paths.__getitem__):
            rows.setdefault(self.groups[row], []).append(row)
        return rows

    @cached_property
    def searched(self) -> list[str]:
        """Path, group and labels of each image as one text without letter case."""
        texts = (
            [path, group, *self.labels(row).values()] for row, (path, group) in enumerate(zip(self.paths, self.groups))
        )
        return ["\n".join(own).casefold() for own in texts]

    def text(self, row: int, attribute: str) -> str:
        """The label of an image."""
        if attribute in self._numbers and not np.isnan(number := self._numbers[attribute][row]):
            return f"{number:.12g}"
        code = self._codes[attribute][row]
        return self.table.scheme.attribute(attribute).values[code] if code >= 0 else ""

    def labels(self, row: int) -> dict[str, str]:
        """All labels of an image."""
        return {name: self.text(row, name) for name in self.table.scheme.names}

    def metadata(self, row: int) -> dict[str, Any]:
        """The metadata of an image."""
        return {name: values[row] for name, values in self._metadata.items()}

    def shared(self, rows: Sequence[int], attribute: str) -> str:
        """The label of an attribute if all these images have the same, otherwise "".

        If attribute is "", all labels that they share, such as `gender female, age 25`.
        """
        if not attribute:
            texts = {name: self.shared(rows, name) for name in self.table.scheme.names}
            if len(texts) == 1:
                return next(iter(texts.values()))
            return ", ".join(f"{name} {text}" for name, text in texts.items() if text)
        texts_of_rows = {self.text(row, attribute) for row in rows}
        return texts_of_rows.pop() if len(texts_of_rows) == 1 else ""
