"""Vocabulary: which metadata values a network knows, and the numbers of their embeddings. Saved with the model."""

from __future__ import annotations

import math
import numbers
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.attributes import normal_text
from model.errors import InputError
from model.settings.decode import finite_number

UNKNOWN = 0  # code of a value that the vocabulary does not have, and of a column that was not given
MISSING = ""  # text of an empty value, which is a value like others
MANY_NUMBERS = 20  # a column of fractions with more different values is read as numbers, in bins
BINS = 10


@dataclass(frozen=True)
class MetadataColumn:
    """The known values of one column. Code 0 is `unknown`; then come the values in order, then the bins of numbers.

    Attributes:
        name: Name of the column.
        size: Size of its embeddings.
        values: Known texts. The empty text is among them if enough training images lack a value.
        edges: Ascending numbers between which a number is in one bin; empty if the column has texts.
    """

    name: str
    size: int
    values: tuple[str, ...]
    edges: tuple[float, ...] = ()

    @property
    def entries(self) -> int:
        """Number of embeddings: of `unknown`, the values and the bins."""
        return 1 + len(self.values) + (len(self.edges) + 1 if self.edges else 0)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {value: code for code, value in enumerate(self.values, UNKNOWN + 1)}

    def code(self, value: object) -> int:
        """The code of a value: of a table, of a request's JSON or of Python."""
        text = value_text(value)
        if text is None:
            return UNKNOWN
        if text in self._codes:
            return self._codes[text]
        number = finite_number(text) if self.edges else None
        return UNKNOWN if number is None else 1 + len(self.values) + bisect_right(self.edges, number)

    def codes(self, values: Iterable[object]) -> NDArray[np.int64]:
        """The codes of n values, int64 (n,)."""
        known: dict[object, int] = {}
        listed = list(values)
        for value in listed:
            if isinstance(value, str) and value not in known:
                known[value] = self.code(value)
        return np.array([known[v] if isinstance(v, str) else self.code(v) for v in listed], np.int64)

    def __str__(self) -> str:
        missing = "; empty values are known" if MISSING in self.values else ""
        what = f"numbers in {len(self.edges) + 1} bins" if self.edges else f"{len(self.values):,} values"
        return f"{self.name} ({what}{missing})"

    @classmethod
    def of(cls, name: str, values: Iterable[object], min_count: int, size: int) -> MetadataColumn:
        """The column of the training images' values.

        Fractions with more than MANY_NUMBERS different values are put in BINS bins of about as many images (between
        their quantiles). All other columns are categories, whole numbers too, which are often codes.

        Args:
            name: Name of the column.
            values: The values of the training images.
            min_count: A value of fewer images is unknown.
            size: Size of the embeddings; 0 for default_size.
        """
        counts = Counter(text for text in map(value_text, values) if text is not None)
        parsed = {text: finite_number(text) for text in counts if text != MISSING}
        found = [number for number in parsed.values() if number is not None]
        edges: tuple[float, ...] = ()
        if len(found) == len(parsed) > MANY_NUMBERS and any(number % 1 for number in found):
            every = np.repeat(found, [counts[text] for text in parsed])
            # edges are numbers of images above the lowest, so that no bin is empty
            quantiles = np.unique(np.quantile(every, np.arange(1, BINS) / BINS, method="higher"))
            edges = tuple(quantiles[quantiles > every.min()].tolist())
        kept = (text for text in counts if text == MISSING or not edges)
        known = tuple(sorted(text for text in kept if counts[text] >= min_count))
        column = cls(name, size, known, edges)
        return column if size else cls(name, default_size(column.entries), known, edges)

    def to_dict(self) -> dict[str, Any]:
        """The column as preprocessing.json has it."""
        return {"name": self.name, "size": self.size, "values": list(self.values), "edges": list(self.edges)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> MetadataColumn:
        """The inverse of to_dict. ValueError, KeyError or TypeError for other content."""
        values, edges = tuple(saved["values"]), tuple(float(edge) for edge in saved["edges"])
        column = cls(saved["name"], saved["size"], values, edges)
        if not isinstance(column.name, str) or not all(isinstance(value, str) for value in values):
            raise TypeError("expected text as name and values")
        if not isinstance(column.size, int) or column.size < 1:
            raise ValueError(f"size = {column.size!r}, expected a whole number, at least 1")
        if len(set(values)) < len(values):
            raise ValueError("a value is listed twice")
        if not all(map(math.isfinite, edges)) or list(edges) != sorted(set(edges)):
            raise ValueError("edges must be increasing numbers")
        return column


@dataclass(frozen=True)
class Vocabulary:
    """The metadata columns that a network reads, in the order of its input `metadata`, int64 (N, columns)."""

    columns: tuple[MetadataColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def codes(self, values: Mapping[str, Sequence[object]], rows: int) -> NDArray[np.int64]:
        """The codes of n images, int64 (n, columns).

        Args:
            values: The values of the images by column; a column that is not among them is unknown for all images.
            rows: Number of images.
        """
        codes = np.full((rows, len(self.columns)), UNKNOWN, np.int64)
        for position, column in enumerate(self.columns):
            if column.name in values:
                codes[:, position] = column.codes(values[column.name])
        return codes

    @classmethod
    def of(
        cls, values: Mapping[str, Sequence[object]], names: Sequence[str], min_count: int, size: int = 0
    ) -> Vocabulary:
        """The vocabulary of the training images; see MetadataColumn.of. names: the columns, in order."""
        return cls(tuple(MetadataColumn.of(name, values[name], min_count, size) for name in names))

    def to_dict(self) -> list[dict[str, Any]]:
        """The columns as preprocessing.json lists them."""
        return [column.to_dict() for column in self.columns]

    @classmethod
    def from_dict(cls, saved: Sequence[Mapping[str, Any]]) -> Vocabulary:
        """The inverse of to_dict. InputError for other content."""
        try:
            vocabulary = cls(tuple(MetadataColumn.from_dict(column) for column in saved))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"invalid metadata columns: {type(error).__name__}: {error}") from None
        if not vocabulary.columns or len(set(vocabulary.names)) < len(vocabulary.columns):
            raise InputError("invalid metadata columns: expected at least one, each with its own name")
        return vocabulary


def value_text(value: object) -> str | None:
    """A value as the text that a table has for it: whole numbers without a fraction, the empty text for None and NaN.
    None if it is a list or an object, which no table has."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return normal_text(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        number = float(value)
        if math.isnan(number):
            return MISSING
        return str(int(number)) if number.is_integer() else str(number)
    return None


def default_size(entries: int) -> int:
    """Size of embeddings by their number: fastai's rule for tables (fastai.tabular.model.emb_sz_rule)."""
    return min(600, round(1.6 * entries**0.56))
