"""Leaks between train and validation: the same image, or images of one group, on both sides."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from model.data.table import Table
from model.errors import Problems, listing

SAME_IMAGE, SAME_GROUP = "the same image in both", "the same group in both"

log = logging.getLogger("rarebird")


def check_channels(train: Table, validation: Table, allow_overlap: bool) -> None:
    """Compares two channels by contents and groups.

    Args:
        train: Images of the training channel.
        validation: Images of the validation channel.
        allow_overlap: Whether an overlap is only a warning.

    Raises:
        InputError: They overlap. The message has counts and examples.
    """
    problems = Problems(
        "the channels train and validation overlap, which makes validation scores too high (--allow_overlap true "
        "trains anyway)"
    )
    # For each validation image, find the first training image with the same content
    keys = _keys(train)
    order = np.argsort(keys, kind="stable")
    positions = _find(keys[order], _keys(validation))
    for row in np.flatnonzero(positions >= 0):
        twin = train.locations[int(order[positions[row]])].path
        problems.add(SAME_IMAGE, f"{validation.locations[int(row)].path}: {twin} in train")
    # Find groups that are in both channels
    if train.grouped_by and validation.grouped_by:
        named = [_named_groups(table) for table in (train, validation)]
        both = named[0].intersection(named[1], sort=True)
        counts = pd.Series(validation.groups).value_counts()
        for group in both:
            problems.add(SAME_GROUP, f"{validation.grouped_by} {group}: {counts[group]:,} validation images")
    if problems and allow_overlap:
        shared = listing(f"{kind} ({len(locations):,})" for kind, locations in problems.kinds.items())
        log.warning("train and validation overlap, which makes validation scores too high: %s", shared)
    else:
        problems.raise_if_any()


def warn_of_duplicates(table: Table, sides: np.ndarray) -> None:
    """Warns if copies of an image are on both sides of a split, because they are in different groups.

    Args:
        table: The images of the channel that was split.
        sides: int64 (n,), side of each image.
    """
    keys = _keys(table)
    rows = np.flatnonzero(keys)
    order = rows[np.lexsort((sides[rows], keys[rows]))]
    # Compare the side of each image with the side of the first image that has the same content
    first = np.searchsorted(keys[order], keys[order])
    copies = np.flatnonzero(sides[order] != sides[order[first]])
    if not len(copies):
        return
    contents = len(np.unique(keys[order[copies]]))
    twins = (tuple(table.locations[int(order[i])].path for i in (copy, first[copy])) for copy in copies)
    examples = listing((" = ".join(paths) for paths in twins), 3)
    log.warning(
        "%s on the other side of the split, which makes scores too high: %s; assign copies to the same group",
        "1 image has copies" if contents == 1 else f"{contents:,} images have copies",
        examples,
    )


def _named_groups(table: Table) -> pd.Index:
    """The groups of a table, except images without a group, whose group is their own path."""
    paths = np.array(table.locations.paths, dtype=object)
    return pd.Index(pd.unique(table.groups[table.groups != paths]))


def _keys(table: Table) -> np.ndarray:
    """The keys of the images' contents, uint64 (n,); 0 if an image was not hashed."""
    return np.zeros(len(table), np.uint64) if table.contents is None else table.contents.keys


def _find(sorted_keys: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The first position of each key in sorted_keys, int64 (n,); -1 if the key is not in it or is 0."""
    if not len(sorted_keys):
        return np.full(len(keys), -1)
    positions = np.searchsorted(sorted_keys, keys)
    positions[positions == len(sorted_keys)] = 0
    return np.where((sorted_keys[positions] == keys) & (keys != 0), positions, -1)
