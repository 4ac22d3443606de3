"""Benchmarks the search for near-duplicates: recall and precision on copies that are planted among images.

    python -m benchmarks.near_duplicates [--channel DIR] [--persons 715] [--copies 200]

Without a channel, faces are drawn as by `python -m exploration demo`. The copies are recompressed, resized, flipped,
slightly cropped, or several of these; a quarter is in another split and 15 % have another label. Precision counts the
pairs across groups. With a channel, the pairs that were not planted are listed: real near-duplicates may be among them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.command_line import run
from exploration.altered_copies import CHANGES, altered_copy
from exploration.demo import DemoSettings, draw_demo
from exploration.joined_tables import joined_tables
from exploration.near_duplicates import DuplicatePair, near_duplicates
from model.data.channel import ChannelOptions, read_channel
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.errors import InputError, Problems, raise_all
from model.images.decode import read_image
from model.images.image_location import ImageLocation
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
SHARE_OF_OTHER_SPLIT, SHARE_OF_OTHER_LABEL = 0.25, 0.15
LISTED = 20  # pairs that were not planted


@dataclass(frozen=True)
class DuplicateSettings:
    channel: str | None = setting(None, "labelled channel to plant copies in", section="What is measured")
    persons: int = setting(715, "drawn persons, seven images each, if there is no channel", low=12)
    copies: int = setting(200, "number of copies, each of another image", low=7)
    seed: int = setting(0, "seed of the copies", low=0)
    workers: int = setting(-1, "threads that read images; -1: one per core, less one", low=-1)


@dataclass(frozen=True)
class Planted:
    """A channel with planted copies.

    Attributes:
        table: The images; the copies are the last rows, each in a group of its own. `sides` has their splits.
        changes: What was changed in each copy, by the rows of the original and of the copy.
        relabelled: Rows of the copies with another label.
    """

    table: Table
    changes: dict[tuple[int, int], tuple[str, ...]]
    relabelled: frozenset[int]


def plant(table: Table, folder: Path, copies: int, seed: int) -> Planted:
    """Plants altered copies of random images.

    Args:
        table: The images.
        folder: Folder that the copies are written to.
        copies: Number of copies.
        seed: Seed of the random numbers.
    """
    if copies > len(table):
        raise InputError(f"copies: expected at most the number of images, {len(table):,}, not {copies:,}")
    rng = np.random.default_rng(seed)
    originals = rng.choice(len(table), copies, replace=False)
    changes: list[tuple[str, ...]] = [CHANGES[number % len(CHANGES)] for number in range(copies)]
    for number, (row, own) in enumerate(zip(originals.tolist(), changes)):
        image = read_image(table.root, table.locations[row])
        (folder / f"{number}.jpg").write_bytes(altered_copy(image, own, rng))
    copied = table.take(originals)
    # another class of the first attribute for the first copies
    relabelled = round(SHARE_OF_OTHER_LABEL * copies)
    labels, attribute = copied.labels.copy(), table.scheme.attributes[0]
    labels.loc[: relabelled - 1, attribute.name] += 1
    labels[attribute.name] %= len(attribute.values)
    locations = ImageLocations(ImageLocation(f"{number}.jpg") for number in range(copies))
    groups = np.array([f"copy {number}" for number in range(copies)])
    copied = replace(copied, root=folder, locations=locations, groups=groups, labels=labels, grouped_by="copy")
    elsewhere = rng.permutation(copies) < round(SHARE_OF_OTHER_SPLIT * copies)
    first = len(table)
    joined, _ = joined_tables({"train": table, "copies": replace(copied, contents=None)})
    sides = np.concatenate([np.full(first, "train"), np.where(elsewhere, "eval", "train")])
    joined = replace(joined, sides=sides)
    planted = {(int(row), first + number): own for number, (row, own) in enumerate(zip(originals, changes))}
    return Planted(joined, planted, frozenset(range(first, first + relabelled)))


def scores(planted: Planted, pairs: Sequence[DuplicatePair]) -> str:
    """A table of the recall of each kind of change, the precision, and the recall of copies that matter most."""
    found = {pair.rows: pair for pair in pairs if pair.across_groups or pair.across_splits}
    kinds: dict[str, list[bool]] = {}
    for rows, changes in planted.changes.items():
        kinds.setdefault(" and ".join(changes), []).append(rows in found)
    truth, splits = planted.changes, planted.table.sides
    assert splits is not None
    kinds["all"] = [rows in found for rows in truth]
    other_split = [rows for rows in truth if splits[rows[1]] != splits[rows[0]]]
    kinds["in another split"] = [rows in found and found[rows].across_splits for rows in other_split]
    kinds["with another label"] = [
        rows in found and found[rows].labels_differ for rows in truth if rows[1] in planted.relabelled
    ]
    lines = [[kind, f"{sum(hits)} of {len(hits)}", f"{np.mean(hits):.3f}"] for kind, hits in kinds.items()]
    right = sum(rows in truth for rows in found)
    lines.append(["precision", f"{right} of {len(found)}", f"{right / max(1, len(found)):.3f}"])
    return text_table(["copies", "found", "share"], lines, right=(1, 2))


def measure(settings: DuplicateSettings, folder: Path) -> tuple[Planted, list[DuplicatePair], float]:
    """Plants copies and searches them without embeddings; also the seconds of the search. folder: for temporary files.

    Raises:
        InputError: The channel has problems.
    """
    channel = Path(settings.channel) if settings.channel else folder / "drawn" / "train"
    if not settings.channel:
        draw_demo(DemoSettings(str(folder / "drawn"), persons=settings.persons, eval_persons=12))
    problems = Problems(str(channel))
    table = read_channel(channel, problems, ChannelOptions())
    raise_all([problems])
    assert table is not None  # otherwise there is a problem
    (folder / "copies").mkdir()
    planted = plant(table, folder / "copies", settings.copies, settings.seed)
    started = time.perf_counter()
    pairs = near_duplicates(planted.table, None, planted.table.sides, workers=settings.workers)
    return planted, pairs, time.perf_counter() - started


def main(argv: Sequence[str]) -> int:
    settings = from_flags(DuplicateSettings, argv, USAGE)
    with tempfile.TemporaryDirectory() as folder:
        planted, pairs, seconds = measure(settings, Path(folder))
    print(scores(planted, pairs))
    print(f"\n{len(planted.table):,} images in {seconds:.1f} s, without embeddings and without a cache")
    paths = planted.table.locations.paths
    others = [pair for pair in pairs if pair.rows not in planted.changes]
    for pair in others[:LISTED]:
        print(f"not planted: {paths[pair.rows[0]]} and {paths[pair.rows[1]]}, distance {pair.distance:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
