"""Integrity check: reads every image of a channel before training, so that all unreadable ones are reported at once."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from model.atomic_write import write_beside
from model.data.table import Table
from model.errors import Problems
from model.images.decode import UnreadableImage, image_size, image_source, read_source
from model.images.image_location import ImageLocation

CHUNK = 64  # images per task of a thread
PROGRESS_SECONDS = 10.0

log = logging.getLogger("rarebird")


def check_images(
    table: Table, problems: Problems, how: str = "decode", cache: Path | None = None, workers: int = 1
) -> int:
    """Reads every image of a table, those set aside included, and adds each that cannot be read to problems.

    Args:
        table: Images to check.
        problems: Collects the unreadable images, by reason.
        how: `decode` decodes each image whole, `headers` reads only its header.
        cache: File with the fingerprints of images that an earlier check decoded without error. They are not read
            again. If it cannot be read or written, every image is checked and nothing is remembered.
        workers: Number of threads.

    Returns:
        The number of images that were read.
    """
    locations = [*table.locations, *table.set_aside]
    fingerprints = _fingerprints(table.root, locations)
    checked = _read_cache(cache)
    rows = np.flatnonzero(~np.isin(fingerprints, checked) | (fingerprints == 0))
    readable: list[int] = []
    started = logged = time.monotonic()
    try:
        for number, (row, error) in enumerate(_read_all(table.root, locations, rows, how, workers), 1):
            if error is None:
                readable.append(row)
            else:
                kind, _, detail = error.partition(": ")
                path = locations[row].path
                problems.add(f"unreadable picture, {kind}", f"{path}: {detail}" if detail else path)
            if time.monotonic() - logged >= PROGRESS_SECONDS:
                logged = time.monotonic()
                rate = number / (logged - started)
                log.info("checked %s of %s pictures, %.0f/s", f"{number:,}", f"{len(rows):,}", rate)
    finally:  # an interrupted check remembers what it has done
        if how == "decode" and readable and cache is not None:
            new = fingerprints[readable]
            _write_cache(cache, np.union1d(checked, new[new != 0]))
    return len(rows)


def _read_all(
    root: Path, locations: Sequence[ImageLocation], rows: np.ndarray, how: str, workers: int
) -> Iterator[tuple[int, str | None]]:
    """Yields each row, in order, with the reason why its image cannot be read, or None."""

    def read_chunk(chunk: list[int]) -> list[tuple[int, str | None]]:
        return [(row, _read_error(root, locations[row], how)) for row in chunk]

    chunks = [rows[first : first + CHUNK].tolist() for first in range(0, len(rows), CHUNK)]
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="check")  # PIL decodes without the GIL
    try:
        for results in pool.map(read_chunk, chunks):
            yield from results
    finally:
        pool.shutdown(cancel_futures=True)


def _read_error(root: Path, location: ImageLocation, how: str) -> str | None:
    try:
        source = image_source(root, location)
        if how == "decode":
            read_source(source)
        else:
            image_size(source)
    except UnreadableImage as error:
        return str(error)
    return None


def _fingerprints(root: Path, locations: Sequence[ImageLocation]) -> np.ndarray:
    """uint64 (n,): a hash of absolute path, size and modification time of the file, and of the byte range in it.

    0 where there is no such file: such an image is read, and so reported, every time.
    """
    absolute = os.path.realpath(root)
    fingerprints = np.zeros(len(locations), dtype=np.uint64)
    for row, location in enumerate(locations):
        file = os.path.join(absolute, location.file)
        try:
            stat = os.stat(file)
        except OSError:
            continue
        text = f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0{location.offset}\0{location.size}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        fingerprints[row] = int.from_bytes(digest, "little")
    return fingerprints


def _read_cache(cache: Path | None) -> np.ndarray:
    """The fingerprints in the file, uint64 (m,); none where there is no valid file."""
    empty = np.empty(0, dtype=np.uint64)
    if cache is None:
        return empty
    try:
        with cache.open("rb") as file:
            checked = np.lib.format.read_array(file, allow_pickle=False)
    except Exception:  # NumPy's reader raises many kinds of errors for a damaged file
        return empty
    return checked if checked.dtype == np.uint64 and checked.ndim == 1 else empty


def _write_cache(cache: Path, fingerprints: np.ndarray) -> None:
    try:
        with write_beside(cache) as partial, partial.open("wb") as file:
            np.lib.format.write_array(file, fingerprints, allow_pickle=False)
    except OSError as error:
        log.info("which pictures are good is not remembered: %s: %s", cache, error.strerror)
