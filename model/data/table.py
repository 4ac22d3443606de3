"""a row a picture: place, labels, group, metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.data.readers.shards import Shards
from model.labels import Scheme


@dataclass(frozen=True)
class Table:
    """The pictures of a channel. All frames and arrays are aligned and have a RangeIndex.

    pictures: path (relative to root, with /), shard (a file relative to root that the picture lies in, or None),
    offset and size in bytes (int64; size -1 where the file is the picture); groups: (n,) str, whom or what no split may
    part, each picture its own where grouped_by, the column they come from, is ""; labels: int64, a class an attribute;
    numbers: float64, the number behind a banded attribute's class, NaN where only the band was given; metadata: str;
    set_aside: paths of pictures whose rows had a fault, to be checked with the others.
    """

    root: Path
    scheme: Scheme
    pictures: pd.DataFrame
    groups: np.ndarray
    grouped_by: str
    labels: pd.DataFrame
    numbers: pd.DataFrame
    metadata: pd.DataFrame
    source: str
    set_aside: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Sequence[int] | np.ndarray) -> Table:
        """The table of these rows, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        frames = (self.pictures, self.labels, self.numbers, self.metadata)
        pictures, labels, numbers, metadata = (frame.iloc[at].reset_index(drop=True) for frame in frames)
        return replace(
            self,
            pictures=pictures,
            groups=self.groups[at],
            labels=labels,
            numbers=numbers,
            metadata=metadata,
            set_aside=(),
        )

    def classes(self) -> np.ndarray:
        """Joint classes, (n,) int64."""
        codes = {name: self.labels[name].to_numpy() for name in self.scheme.names}
        return np.asarray(self.scheme.joint(codes), dtype=np.int64)

    def class_counts(self) -> np.ndarray:
        """Pictures of each joint class, (num_classes,) int64."""
        return np.bincount(self.classes(), minlength=self.scheme.num_classes).astype(np.int64)

    def fingerprint(self) -> str:
        """blake2b in hex over paths, places in shards, labels and groups, in order. The root does not count: the same
        channel in two places has one fingerprint."""
        digest = hashlib.blake2b(digest_size=16)
        shards = ["" if shard is None else shard for shard in self.pictures["shard"]]
        for texts in (self.pictures["path"], shards, self.groups, self.scheme.names):
            digest.update("\0".join(texts).encode("utf-8", "surrogateescape"))
            digest.update(b"\0\0")
        for numbers in (self.pictures[["offset", "size"]], self.labels[list(self.scheme.names)]):
            digest.update(np.ascontiguousarray(numbers.to_numpy(np.int64)).tobytes())
        return digest.hexdigest()

    def frame(self) -> pd.DataFrame:
        """One flat frame: path, group, each attribute's value by name, numbers as ATTRIBUTE_number, metadata (as
        metadata_NAME where the name is taken)."""
        columns: dict[str, Any] = {"path": self.pictures["path"], "group": self.groups}
        for attribute in self.scheme.attributes:
            columns[attribute.name] = np.array(attribute.values, dtype=object)[self.labels[attribute.name].to_numpy()]
        for name in self.numbers:
            columns[f"{name}_number"] = self.numbers[name]
        for name in self.metadata:
            columns[f"metadata_{name}" if name in columns else str(name)] = self.metadata[name]
        return pd.DataFrame(columns)


def placed(paths: Sequence[str], shards: Shards) -> pd.DataFrame:
    """The frame of Table.pictures for pictures by path relative to the channel, files of their own or in its shards."""
    places = [shards.place(path) for path in paths]
    frame = pd.DataFrame({"path": pd.Series(paths, dtype="str", index=pd.RangeIndex(len(paths)))})
    frame["shard"] = pd.Series([shard for shard, _, _ in places], dtype=object)
    frame["offset"] = np.array([offset for _, offset, _ in places], dtype=np.int64)
    frame["size"] = np.array([size for _, _, size in places], dtype=np.int64)
    return frame
