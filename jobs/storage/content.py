"""Hashes a local folder: the names, sizes and contents of its files. Its prefix in S3 is named after the hash.

The hash of each file is cached in the user's cache folder by name, size and times, so that only new and changed files
are read again. Memory does not grow with the number of files.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.storage.etag import etag_and_md5
from jobs.storage.local_files import LocalFile, local_files
from model.errors import Failure
from model.runtime.terminal import progress_bar

THREADS = 8
BATCH = 256  # files hashed together
PROGRESS_SECONDS = 10.0  # between two progress lines, if stderr is not a terminal
# ns: if a file is hashed later than this after its last change, equal times prove that it is unchanged since
SETTLED = 2_000_000_000
SCHEMA = """
    CREATE TABLE IF NOT EXISTS files (
        name BLOB PRIMARY KEY, size INTEGER, modified INTEGER, changed INTEGER, hashed INTEGER, etag TEXT, md5 TEXT
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS uploads (root TEXT PRIMARY KEY, uri TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class FileHash:
    """The hashes of a file from etag_and_md5. is_current: whether the file is certainly unchanged since then."""

    etag: str
    md5: str
    is_current: bool = True


class HashCache:
    """Caches the hashes of the files of one folder, and the prefix that it was uploaded to. Not thread-safe.

    If the cache file is not writable, the cache lasts only as long as the process.
    """

    def __init__(self, source: Path):
        path = cache_folder() / f"{hashlib.blake2b(os.fsencode(source.resolve()), digest_size=16).hexdigest()}.sqlite3"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.database = self._open(str(path))
        except (OSError, sqlite3.OperationalError):  # not writable, or locked
            self.database = self._open("")  # a temporary database
        except sqlite3.DatabaseError:  # damaged
            path.unlink(missing_ok=True)
            self.database = self._open(str(path))

    @staticmethod
    def _open(path: str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=60.0)
        database.execute("PRAGMA synchronous = OFF")  # lost entries are only hashed again
        database.executescript(SCHEMA)
        return database

    def find(self, file: LocalFile) -> FileHash | None:
        """Returns the hashes last cached under the file's name, None if there are none."""
        row = self.database.execute(
            "SELECT size, modified, changed, hashed, etag, md5 FROM files WHERE name = ?", (file.key,)
        ).fetchone()
        if row is None:
            return None
        size, modified, changed, hashed, etag, md5 = row
        is_same = (size, modified, changed) == (file.size, *file.times)
        return FileHash(etag, md5, is_same and changed + SETTLED < hashed)

    def hashes(self, files: Iterable[LocalFile]) -> Iterator[tuple[LocalFile, FileHash]]:
        """Yields each file with its hashes, in order. Files without current hashes are read, and their hashes cached.

        Raises:
            Failure: A file cannot be read.
        """
        remaining, count, printed = iter(files), 0, time.monotonic()
        with progress_bar("read", unit="B") as bar, ThreadPoolExecutor(THREADS, thread_name_prefix="hash") as pool:
            while batch := list(itertools.islice(remaining, BATCH)):
                # hash the files that have no current hash in the cache
                cached = {file.name: hashed for file in batch if (hashed := self.find(file)) and hashed.is_current}
                uncached = [file for file in batch if file.name not in cached]
                now = time.time_ns()
                new = dict(zip([file.name for file in uncached], pool.map(_hash, uncached), strict=True))
                # store their hashes
                self._write(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (file.key, file.size, *file.times, now, new[file.name].etag, new[file.name].md5)
                        for file in uncached
                    ],
                )
                count += len(batch)
                if bar.disable and time.monotonic() - printed >= PROGRESS_SECONDS:
                    printed = time.monotonic()
                    print(f"hashed {count:,} files so far", file=sys.stderr, flush=True)
                for file in batch:
                    bar.update(file.size)
                    yield file, cached.get(file.name) or new[file.name]

    def earlier_upload(self, root: str) -> str | None:
        """Returns the prefix below root that the folder was last uploaded to, None if there is none."""
        row = self.database.execute("SELECT uri FROM uploads WHERE root = ?", (root,)).fetchone()
        return None if row is None else str(row[0])

    def uploaded(self, root: str, uri: str) -> None:
        """Stores the prefix below root that the folder was uploaded to."""
        self._write("INSERT OR REPLACE INTO uploads VALUES (?, ?)", [(root, uri)])

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        try:
            with self.database:
                self.database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise Failure(
                f"{cache_folder()}: hashes cannot be cached there: {error}; set XDG_CACHE_HOME to another folder"
            ) from None


@dataclass(frozen=True)
class Content:
    """The hash of a folder, or of the files in it with certain endings.

    Attributes:
        digest: BLAKE2b (16 bytes, hexadecimal) of the names, sizes and MD5 of all files.
        files: Number of files.
        size: Bytes of all files.
        cache: The hashes of the files.
    """

    digest: str
    files: int
    size: int
    cache: HashCache


def read_content(source: Path, suffixes: tuple[str, ...] = (), salt: str = "") -> Content:
    """Hashes a folder or a file.

    Args:
        source: Folder or file.
        suffixes: Lower-case endings of the files to include; () for all files.
        salt: A text that also changes the digest.

    Raises:
        Failure: A file cannot be read.
    """
    cache = HashCache(source)
    digest, count, size = hashlib.blake2b(salt.encode(), digest_size=16), 0, 0
    for file, hashed in cache.hashes(local_files(source, suffixes)):
        digest.update(b"%b\0%d\0%b\n" % (file.key, file.size, hashed.md5.encode()))
        count += 1
        size += file.size
    return Content(digest.hexdigest(), count, size, cache)


def cache_folder() -> Path:
    """Returns the folder of cached hashes."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rarebird" / "uploads"


def _hash(file: LocalFile) -> FileHash:
    try:
        return FileHash(*etag_and_md5(file.path))
    except OSError as error:
        raise Failure(f"{error.filename}: cannot be read: {error.strerror}") from None
