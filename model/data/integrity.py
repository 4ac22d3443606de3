"""Integrity check: reads every image of a channel before training and indexes the contents of the readable ones.

All unreadable images are reported at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.data.content_index import (
    CACHE,
    COLUMNS,
    ContentIndex,
    content_hash,
    fingerprints,
    known_contents,
    read_array,
    with_contents,
    write_array,
)
from model.data.table import Table
from model.errors import Problems
from model.images.decode import (
    FOUR_BANDS,
    STITCH,
    UnreadableImage,
    image_source,
    read_content,
    read_header,
    read_source,
)
from model.images.image_location import ImageLocation
from model.runtime.division import team
from model.runtime.workers import CHUNK, in_threads

ROUND = 8192  # images per process between two exchanges of results, if more than one process checks
PROGRESS_SECONDS = 10.0

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class CheckedImages:
    """The result of an integrity check.

    Attributes:
        read: Number of images that were checked; the others were in the cache.
        unreadable: Reason by row for unreadable images of the table.
        contents: The contents of the table's images.
    """

    read: int
    unreadable: dict[int, str]
    contents: ContentIndex


_Job = Callable[[int], tuple[ImageLocation, bool]]  # an image's location, and whether it is new, by its row


@dataclass(frozen=True)
class _Facts:
    """The result of reading one image.

    Attributes:
        error: Why it is unreadable; None if it is readable.
        hash: Hash of its bytes; zeros if only its header was read.
        is_deep: Whether it has more than 8 bits per channel.
    """

    error: str | None = None
    hash: tuple[int, int] = (0, 0)
    is_deep: bool = False


def check_images(
    table: Table,
    problems: Problems,
    how: str = "decode",
    cache: Path | None = None,
    workers: int = 1,
    remember: bool = True,
) -> CheckedImages:
    """Reads every image of a table, including those in `set_aside`, and adds unreadable images to problems.

    Within `distributed.on_rank_zero` the images are divided among the processes of all hosts; results and messages are
    the same as with one process.

    Args:
        table: Images to check.
        problems: Collects the unreadable images, by reason.
        how: `decode` decodes every image; `headers` reads only headers and computes no hashes.
        cache: File with the fingerprints of images that an earlier check decoded without error. These images are not
            decoded again; if a second file next to it has their hashes, they are not even read. If the files cannot be
            read or written, every image is checked and nothing is cached.
        workers: Number of threads.
        remember: Whether to add new results to the cache; False only reads it.
    """
    count = len(table.locations) + len(table.set_aside)
    keys = fingerprints(table.root, chain(table.locations, table.set_aside), count)
    # Skip images that are in both caches: decoded without error, and hashed
    checked, contents_file = read_array(cache), None if cache is None else cache.with_name(CACHE)
    remembered = read_array(contents_file, COLUMNS)
    index, is_indexed = known_contents(remembered, keys)
    is_new = ~np.isin(keys, checked) | (keys == 0)
    rows = np.flatnonzero(is_new | ~is_indexed)

    def job(row: int) -> tuple[ImageLocation, bool]:
        in_table = len(table.locations)
        return table.locations[row] if row < in_table else table.set_aside[row - in_table], bool(is_new[row])

    readable: list[int] = []
    unreadable: dict[int, str] = {}
    started = logged = time.monotonic()
    try:
        for number, (row, facts) in enumerate(zip(rows.tolist(), _read_all(table.root, how, rows, job, workers)), 1):
            if facts.error is None:
                readable.append(row)
                index.hashes[row], index.is_deep[row] = facts.hash, facts.is_deep
            else:
                kind, _, detail = facts.error.partition(": ")
                path = (table.locations[row] if row < len(table) else table.set_aside[row - len(table)]).path
                advice = "to skip unreadable images: --unreadable skip"
                problems.add(f"unreadable image, {kind}", f"{path}: {detail}" if detail else path, advice)
                if row < len(table):
                    unreadable[row] = facts.error
            if time.monotonic() - logged >= PROGRESS_SECONDS:
                logged = time.monotonic()
                rate = number / (logged - started)
                log.info("checked %s of %s images, %.0f/s", f"{number:,}", f"{len(rows):,}", rate)
    finally:  # an interrupted check saves its results too
        if remember and how == "decode" and readable and cache is not None and contents_file is not None:
            new = keys[readable]
            write_array(cache, np.union1d(checked, new[new != 0]))
            write_array(contents_file, with_contents(remembered, keys, index, np.array(readable)))
    return CheckedImages(int(is_new.sum()), unreadable, index.take(np.arange(len(table))))


def check_four_channels(table: Table, problems: Problems, workers: int = 1) -> None:
    """Adds the readable images of a table that do not have four channels to problems. Reads only their headers.

    Args:
        table: Images to check.
        problems: Collects the images.
        workers: Number of threads.
    """

    def mode(row: int) -> str | None:
        try:
            return read_header(image_source(table.root, table.locations[row])).mode or "of a TIFF"
        except UnreadableImage:
            return None

    for row, found in enumerate(in_threads(mode, range(len(table)), max(1, workers), "modes", chunk=CHUNK)):
        if found is not None and found not in FOUR_BANDS:
            problems.add("not an image of four channels", f"{table.locations[row].path}: mode {found}", STITCH)


def _read_all(root: Path, how: str, rows: NDArray[np.int64], job: _Job, workers: int) -> Iterator[_Facts]:
    """Yields the result of reading the image of each row, in order. job: returns what to read for a row."""
    shared, parts = team(), team().parts
    if parts == 1:
        yield from _read_images(root, how, rows, job, workers)
        return
    threads = max(1, workers // shared.on_machine)
    for first in range(0, len(rows), ROUND * parts):
        jobs = [job(row) for row in rows[first : first + ROUND * parts].tolist()]
        for facts in shared.run(_read_part, root, how, jobs, threads):
            yield from facts


def _read_part(
    root: Path, how: str, jobs: Sequence[tuple[ImageLocation, bool]], workers: int, part: int, parts: int
) -> list[_Facts]:
    """Reads the images of part number `part` of `parts` consecutive parts."""
    rows = np.arange(len(jobs) * part // parts, len(jobs) * (part + 1) // parts)
    return list(_read_images(root, how, rows, jobs.__getitem__, workers))


def _read_images(root: Path, how: str, rows: NDArray[np.int64], job: _Job, workers: int) -> Iterator[_Facts]:
    """The result of reading the image of each row, in order. workers: number of threads."""
    return in_threads(lambda row: _read(root, *job(row), how), rows.tolist(), max(1, workers), "check", chunk=CHUNK)


def _read(root: Path, location: ImageLocation, is_new: bool, how: str) -> _Facts:
    """Reads an image. is_new: whether it must be decoded if `how` is decode; otherwise it is only hashed."""
    try:
        source = image_source(root, location)
        if how != "decode":
            return _Facts(is_deep=read_header(source).is_deep)
        content = read_content(source)
        assert isinstance(content, bytes)
        if is_new:
            read_source(content)
        return _Facts(None, content_hash(content), read_header(content).is_deep)
    except UnreadableImage as error:
        return _Facts(str(error))
