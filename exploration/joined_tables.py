"""joined_tables puts several channels into one table, so that code that compares images of two channels reads one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from model.attributes import MISSING
from model.data.content_index import ContentIndex
from model.data.image_locations import ImageLocations
from model.data.table import Table


def joined_tables(tables: Mapping[str, Table]) -> tuple[Table, list[str]]:
    """Joins tables below each other.

    Args:
        tables: The tables by split; their schemes must have the same attributes. Not empty.

    Returns:
        The table, whose root is the folder that contains all channels, and the split of each row. The scheme is that of
        the first table; a label whose attribute another table lacks is MISSING.
    """
    parts = list(tables.values())
    first = parts[0]
    splits = [split for split, table in tables.items() for _ in range(len(table))]
    if len(parts) == 1:
        return first, splits
    root = Path(os.path.commonpath([os.path.realpath(table.root) for table in parts]))
    below = [os.path.relpath(os.path.realpath(table.root), root) for table in parts]

    def moved(file: str, folder: str) -> str:
        return file if folder == "." else f"{folder}/{file}"

    locations = ImageLocations(
        replace(own, path=moved(own.path, folder), shard=own.shard and moved(own.shard, folder))
        for table, folder in zip(parts, below)
        for own in table.locations
    )
    # the group of an image without one is its path
    groups = [
        [
            moved(group, folder) if not table.grouped_by or group == path else group
            for group, path in zip(table.groups, table.locations.paths)
        ]
        for table, folder in zip(parts, below)
    ]
    names = list(first.scheme.names)
    labels = pd.concat([table.labels for table in parts], ignore_index=True).reindex(columns=names)
    contents = [table.contents for table in parts if table.contents is not None]
    joined = replace(
        first,
        root=root,
        locations=locations,
        groups=np.array([group for own in groups for group in own], dtype=object),
        grouped_by=next((table.grouped_by for table in parts if table.grouped_by), ""),
        labels=labels.fillna(MISSING).astype(np.int64),
        numbers=pd.concat([table.numbers for table in parts], ignore_index=True),
        metadata=pd.concat([table.metadata for table in parts], ignore_index=True).fillna(""),
        source=" and ".join(table.source for table in parts),
        set_aside=ImageLocations(),
        contents=_joined_contents(contents) if len(contents) == len(parts) else None,
        skipped=tuple((moved(path, folder), reason) for table, folder in zip(parts, below)
                      for path, reason in table.skipped),
        sides=None,
    )  # fmt: skip
    return joined, splits


def _joined_contents(contents: list[ContentIndex]) -> ContentIndex:
    """The contents of all tables. The sampled pixels of deep images are left out."""
    hashes, is_deep = ([getattr(own, name) for own in contents] for name in ("hashes", "is_deep"))
    return ContentIndex(np.concatenate(hashes), np.concatenate(is_deep))
