"""Table: a channel's images with their labels, groups and metadata, one row per image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.attributes import MISSING
from model.data.content_index import ContentIndex
from model.data.correction_record import CorrectionRecord
from model.data.image_locations import ImageLocations
from model.labels import Scheme

SIDE = "side"  # last column of split.csv, after those of Table.frame


@dataclass(frozen=True)
class Strata:
    """The strata whose shares splits keep and by which samplers draw.

    Attributes:
        rows: int64 (n,), the stratum of each row.
        codes: int64 (strata,) by attribute, the class of each stratum; MISSING if the label is missing.
    """

    rows: np.ndarray
    codes: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.codes.values())))


@dataclass(frozen=True)
class Table:
    """The images of a channel. All sequences, arrays and frames are aligned; the frames have a RangeIndex.

    Attributes:
        root: Folder of the channel.
        scheme: Label scheme.
        locations: Location of each image.
        groups: str (n,), the group of each image, which no split may divide; the image's path if grouped_by is "".
        grouped_by: Column of the groups; "" without groups.
        labels: int64, one column of classes per attribute of the scheme; MISSING if an optional label is missing.
        numbers: float64, one column per attribute with bands; NaN if a row has only the name of the band.
        metadata: str, the other columns.
        source: Layout and file that the rows were read from, for logs.
        set_aside: Images whose rows have problems. They are checked like the others, so that one error reports all.
        contents: Contents of the images; None before they are checked.
        skipped: Path and reason of each unreadable image that was skipped.
        sides: str (n,), `train` or `validation`, from the split column; None without one.
        corrected: What the setting `corrections` changed; None without it.
        weights: float64 (n,), how much each image counts in the training loss; None if all count equally.
    """

    root: Path
    scheme: Scheme
    locations: ImageLocations
    groups: np.ndarray
    grouped_by: str
    labels: pd.DataFrame
    numbers: pd.DataFrame
    metadata: pd.DataFrame
    source: str
    set_aside: ImageLocations = field(default_factory=ImageLocations)
    contents: ContentIndex | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    sides: np.ndarray | None = None
    corrected: CorrectionRecord | None = None
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.locations)

    def take(self, rows: Sequence[int] | np.ndarray) -> Table:
        """The table of these rows, in this order."""
        positions = np.asarray(rows, dtype=np.int64)
        frames = (self.labels, self.numbers, self.metadata)
        labels, numbers, metadata = (frame.iloc[positions].reset_index(drop=True) for frame in frames)
        return replace(
            self,
            locations=self.locations.take(positions),
            groups=self.groups[positions],
            labels=labels,
            numbers=numbers,
            metadata=metadata,
            set_aside=ImageLocations(),
            contents=self.contents and self.contents.take(positions),
            sides=None if self.sides is None else self.sides[positions],
            weights=None if self.weights is None else self.weights[positions],
        )

    def has_all_labels(self) -> np.ndarray:
        """Whether each image has a label of every attribute of the scheme, bool (n,)."""
        return np.asarray((self.labels[list(self.scheme.names)] >= 0).all(axis=1), dtype=bool)

    def codes(self) -> dict[str, np.ndarray]:
        """Classes of each attribute by its name, int64 (n,); MISSING if a label is missing."""
        return {name: self.labels[name].to_numpy() for name in self.scheme.names}

    def classes(self) -> np.ndarray:
        """Joint classes, int64 (n,); MISSING if a label is missing."""
        joint = np.asarray(self.scheme.joint(self.codes()), dtype=np.int64)
        return np.where(self.has_all_labels(), joint, MISSING)

    def class_counts(self) -> np.ndarray:
        """Number of images of each joint class, int64 (num_classes,)."""
        classes = self.classes()
        return np.bincount(classes[classes >= 0], minlength=self.scheme.num_classes).astype(np.int64)

    def strata(self) -> Strata:
        """The joint classes; if labels are missing, the combinations of labels and missing labels that occur."""
        names = list(self.scheme.names)
        if self.has_all_labels().all():
            return Strata(self.classes(), self.scheme.split(np.arange(self.scheme.num_classes)))
        combinations, rows = np.unique(self.labels[names].to_numpy(np.int64), axis=0, return_inverse=True)
        return Strata(rows.ravel().astype(np.int64), dict(zip(names, combinations.T)))

    def fingerprint(self) -> str:
        """A hash (BLAKE2b, hex) of paths, shards, byte ranges, labels, groups and weights, in the order of the rows.

        It does not depend on the root: copies of a channel in two folders have the same fingerprint.
        """
        digest = hashlib.blake2b(digest_size=16)
        shards = ["" if shard is None else shard for shard in self.locations.shards]
        for texts in (self.locations.paths, shards, self.groups, self.scheme.names):
            digest.update("\0".join(texts).encode("utf-8", "surrogateescape"))
            digest.update(b"\0\0")
        byte_ranges = np.column_stack([self.locations.offsets, self.locations.sizes])
        labels = self.labels[list(self.scheme.names)].to_numpy(np.int64)
        for numbers in (byte_ranges, labels):
            digest.update(np.ascontiguousarray(numbers).tobytes())
        if self.weights is not None:
            digest.update(np.ascontiguousarray(self.weights, np.float64).tobytes())
        return digest.hexdigest()

    def frame(self) -> pd.DataFrame:
        """One flat frame: path, group, weight if images have weights, the value of each attribute, numbers as
        ATTRIBUTE_number, then metadata.

        If the name of an attribute or metadata column is taken, for example by `side` of split.csv, the column is
        called attribute_NAME or metadata_NAME.
        """
        columns: dict[str, Any] = {"path": pd.Series(self.locations.paths, dtype="str"), "group": self.groups}
        if self.weights is not None:
            columns["weight"] = self.weights

        def add(name: str, values: Any, prefix: str) -> None:
            while name in columns or name == SIDE:
                name = f"{prefix}_{name}"
            columns[name] = values

        for attribute in self.scheme.attributes:
            # The last value, the empty text, is that of MISSING, which is -1
            values = np.array([*attribute.values, ""], dtype=object)
            add(attribute.name, values[self.labels[attribute.name].to_numpy()], "attribute")
        for name in self.numbers:
            add(f"{name}_number", self.numbers[name], "attribute")
        for name in self.metadata:
            add(str(name), self.metadata[name], "metadata")
        return pd.DataFrame(columns)
