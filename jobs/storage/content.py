"""The content of a local folder: a hash of its files' names, sizes and contents, by which its prefix in S3 is named.

The hash of each file is remembered in the user's cache folder by name, size and times, so that only new and changed
files are read again; memory does not grow with the number of files.
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
PROGRESS_SECONDS = 10.0  # between two progress lines, where stderr is no terminal
SETTLED = 2_000_000_000  # ns after its last change, from which on a file's times tell whether it has changed since
SCHEMA = """
    CREATE TABLE IF NOT EXISTS files (
        name BLOB PRIMARY KEY, size INTEGER, modified INTEGER, changed INTEGER, hashed INTEGER, etag TEXT, md5 TEXT
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS uploads (root TEXT PRIMARY KEY, uri TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class FileHash:
    """The hashes of a file, as etag_and_md5 returns them. is_current: whether the file is certainly as it was then."""

    etag: str
    md5: str
    is_current: bool = True


class HashCache:
    """The hashes of the files of one folder, and where its content was uploaded to. For one thread.

    A cache that cannot be written lasts as long as the process.
    """

    def __init__(self, source: Path):
        path = cache_folder() / f"{hashlib.blake2b(os.fsencode(source.resolve()), digest_size=16).hexdigest()}.sqlite3"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.database = self._open(str(path))
        except (OSError, sqlite3.OperationalError):  # not writable, or locked
            self.database = self._open("")  # a temporary file of SQLite's
        except sqlite3.DatabaseError:  # damaged
            path.unlink(missing_ok=True)
            self.database = self._open(str(path))

    @staticmethod
    def _open(path: str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=60.0)
        database.execute("PRAGMA synchronous = OFF")  # what is lost is read again
        database.executescript(SCHEMA)
        return database

    def find(self, file: LocalFile) -> FileHash | None:
        """The hashes that were remembered last under the file's name; None without any."""
        row = self.database.execute(
            "SELECT size, modified, changed, hashed, etag, md5 FROM files WHERE name = ?", (file.key,)
        ).fetchone()
        if row is None:
            return None
        size, modified, changed, hashed, etag, md5 = row
        is_same = (size, modified, changed) == (file.size, *file.times)
        return FileHash(etag, md5, is_same and changed + SETTLED < hashed)

    def hashes(self, files: Iterable[LocalFile]) -> Iterator[tuple[LocalFile, FileHash]]:
        """Each file with its hashes, in order; those that are not known are read, and remembered.

        Raises:
            Failure: A file cannot be read.
        """
        remaining, count, printed = iter(files), 0, time.monotonic()
        with progress_bar("read", unit="B") as bar, ThreadPoolExecutor(THREADS, thread_name_prefix="hash") as pool:
            while batch := list(itertools.islice(remaining, BATCH)):
                known = {file.name: hashed for file in batch if (hashed := self.find(file)) and hashed.is_current}
                unknown = [file for file in batch if file.name not in known]
                now = time.time_ns()
                new = dict(zip([file.name for file in unknown], pool.map(_hash, unknown), strict=True))
                self._write(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (file.key, file.size, *file.times, now, new[file.name].etag, new[file.name].md5)
                        for file in unknown
                    ],
                )
                count += len(batch)
                if bar.disable and time.monotonic() - printed >= PROGRESS_SECONDS:
                    printed = time.monotonic()
                    print(f"hashes of {count:,} files so far", file=sys.stderr, flush=True)
                for file in batch:
                    bar.update(file.size)
                    yield file, known.get(file.name) or new[file.name]

    def earlier_upload(self, root: str) -> str | None:
        """The prefix below root that the folder was uploaded to last."""
        row = self.database.execute("SELECT uri FROM uploads WHERE root = ?", (root,)).fetchone()
        return None if row is None else str(row[0])

    def uploaded(self, root: str, uri: str) -> None:
        """Remembers the prefix below root that the folder was uploaded to."""
        self._write("INSERT OR REPLACE INTO uploads VALUES (?, ?)", [(root, uri)])

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        try:
            with self.database:
                self.database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise Failure(
                f"{cache_folder()}: hashes cannot be kept there: {error}; XDG_CACHE_HOME names a folder"
            ) from None


@dataclass(frozen=True)
class Content:
    """What a folder, or the files of some endings in it, holds.

    Attributes:
        digest: Hexadecimal BLAKE2b of 16 bytes of the names, sizes and MD5 of all files.
        files, size: Number of files, and bytes of all.
        cache: The hashes of the files.
    """

    digest: str
    files: int
    size: int
    cache: HashCache


def read_content(source: Path, suffixes: tuple[str, ...] = (), salt: str = "") -> Content:
    """The content of a folder or a file.

    Args:
        source: Folder or file.
        suffixes: Lower-case endings of the files that count; () for all files.
        salt: A text that the digest depends on, too.

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
    """Where hashes are remembered."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rarebird" / "uploads"


def _hash(file: LocalFile) -> FileHash:
    try:
        return FileHash(*etag_and_md5(file.path))
    except OSError as error:
        raise Failure(f"{error.filename}: cannot be read: {error.strerror}") from None
