"""Each picture of a channel is decoded once before training, so that broken ones are told at the start, all at once."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from model.atomic_write import write_beside
from model.data.readers.shards import read_shards
from model.data.table import Table
from model.errors import Problems
from model.images.decode import UnreadablePicture, picture_size, picture_source, read_source

CHUNK = 64  # pictures a task of a thread
PROGRESS_SECONDS = 10.0

log = logging.getLogger("rarebird")

Picture = tuple[str, str | None, int, int]  # path, shard, offset, size: a row of Table.pictures


def check_pictures(
    table: Table,
    problems: Problems,
    how: str = "decode",
    remembered: Path | None = None,
    workers: int = 1,
) -> int:
    """Looks at every picture of the table, those set aside too, in threads, and adds what cannot be read to problems.

    how: decode them whole, or only their headers; remembered: a file with the fingerprints of pictures that a decode
    found good, which are not looked at again. Where it cannot be read or written nothing is remembered. Returns the
    number of pictures looked at.
    """
    columns = (table.pictures[name].tolist() for name in ("path", "shard", "offset", "size"))
    pictures: list[Picture] = list(zip(*columns))
    places = read_shards(table.root).places if table.set_aside else {}
    pictures += [(path, *places.get(path, (None, 0, -1))) for path in table.set_aside]
    marks = _fingerprints(table.root, pictures)
    known = _recall(remembered)
    todo = np.flatnonzero(~np.isin(marks, known) | (marks == 0))
    good: list[int] = []
    started = told = time.monotonic()
    try:
        for done, (row, reason) in enumerate(_look(table.root, pictures, todo, how, workers), 1):
            if reason is None:
                good.append(row)
            else:
                kind, _, detail = reason.partition(": ")
                path = pictures[row][0]
                problems.add(f"unreadable picture, {kind}", f"{path}: {detail}" if detail else path)
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                log.info("checked %s of %s pictures, %.0f/s", f"{done:,}", f"{len(todo):,}", done / (told - started))
    finally:
        if how == "decode" and good and remembered is not None:
            found = marks[good]
            _remember(remembered, np.union1d(known, found[found != 0]))
    return len(todo)


def _look(
    root: Path, pictures: list[Picture], rows: np.ndarray, how: str, workers: int
) -> Iterator[tuple[int, str | None]]:
    """Each row, in order, with why it cannot be read, or None."""

    def look(chunk: list[int]) -> list[tuple[int, str | None]]:
        return [(row, _fault(root, pictures[row], how)) for row in chunk]

    chunks = [rows[first : first + CHUNK].tolist() for first in range(0, len(rows), CHUNK)]
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="check")  # PIL decodes without the GIL
    try:
        for looked in pool.map(look, chunks):
            yield from looked
    finally:
        pool.shutdown(cancel_futures=True)


def _fault(root: Path, picture: Picture, how: str) -> str | None:
    try:
        source = picture_source(root, *picture)
        if how == "decode":
            read_source(source)
        else:
            picture_size(source)
    except UnreadablePicture as reason:
        return str(reason)
    return None


def _fingerprints(root: Path, pictures: list[Picture]) -> np.ndarray:
    """uint64 (n,) of absolute path, size, modification time and the place in a shard; 0 where there is no file."""
    absolute = os.path.realpath(root)
    marks = np.zeros(len(pictures), dtype=np.uint64)
    for row, (path, shard, offset, size) in enumerate(pictures):
        file = os.path.join(absolute, path if shard is None else shard)
        try:
            stat = os.stat(file)
        except OSError:
            continue
        text = f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0{offset}\0{size}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        marks[row] = int.from_bytes(digest, "little")
    return marks


def _recall(remembered: Path | None) -> np.ndarray:
    nothing = np.empty(0, dtype=np.uint64)
    if remembered is None:
        return nothing
    try:
        with remembered.open("rb") as file:
            known = np.lib.format.read_array(file, allow_pickle=False)
    except Exception:  # numpy's reader raises whatever a damaged file leads it to
        return nothing
    return known if known.dtype == np.uint64 and known.ndim == 1 else nothing


def _remember(remembered: Path, marks: np.ndarray) -> None:
    try:
        with write_beside(remembered) as beside, beside.open("wb") as file:
            np.lib.format.write_array(file, marks, allow_pickle=False)
    except OSError as error:
        log.info("which pictures are good is not remembered: %s: %s", remembered, error.strerror)
