"""DecisionStore: the decisions of a review in an append-only file, corrections.csv, which several servers may share.

Every decision is on the disk (fsync) before it is acknowledged. The file is the only state: its rows are numbered, so
that all windows and servers agree on what is new. Rows of other processes are read before each answer. A lock (flock)
covers the check for conflicts and the append.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from exploration.review.correction_rows import as_correction, complete_rows, correction_row, header_row
from model.data.corrections import CORRECTION_COLUMNS, UNDO, Correction, Key, effective
from model.errors import InputError, listing

COMPARED = 4096  # bytes before the end of what was read, which must be unchanged when the file is read on
BOM = "\ufeff"

log = logging.getLogger("rarebird")


class StoreError(Exception):
    """The file cannot be read or written; nothing was saved."""


class ConflictError(Exception):
    """Somebody else has decided on the same image or group since. current: the decision that is valid now."""

    def __init__(self, current: Correction):
        text = f"{current.action} {current.value}".strip()
        super().__init__(f"another window has decided on this since: {text} ({current.reviewer})")
        self.current = current


class NothingToUndo(Exception):
    """The reviewer has no decision to withdraw."""


@dataclass
class Content:
    """What was read of the file.

    Attributes:
        generation: Increases if the file was deleted, replaced or cut, so that the numbers of rows are no longer those
            that clients have seen.
        file: Device and inode; None before anything was read.
        end: Number of bytes of the complete rows.
        last: The last bytes before `end`, at most COMPARED.
        rows: Number of complete rows, the header included.
        decisions: The valid rows in order; their `line` is the number of the row.
        by_key: The same by what was decided on.
    """

    generation: int = 0
    file: tuple[int, int] | None = None
    end: int = 0
    last: bytes = b""
    rows: int = 0
    decisions: list[Correction] = field(default_factory=list)
    by_key: dict[Key, list[Correction]] = field(default_factory=dict)

    def add(self, decision: Correction) -> None:
        """Adds the next row."""
        self.decisions.append(decision)
        self.by_key.setdefault(decision.key, []).append(decision)

    def in_force(self, key: Key) -> Correction | None:
        """The decision with this key that is in force."""
        return effective(self.by_key.get(key, ())).get(key)

    def can_undo(self, key: Key, reviewer: str) -> bool:
        """Whether a reviewer has a decision with this key that is not withdrawn."""
        count = 0
        for row in self.by_key.get(key, ()):
            if row.reviewer == reviewer:
                count = count + 1 if row.action != UNDO else max(count - 1, 0)
        return count > 0


class DecisionStore:
    """Reads and appends decisions. Its methods may be called from several threads.

    Args:
        path: The file; created, with its folder, if it is missing.

    Raises:
        InputError: The file cannot be written, or is no file of corrections.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._content = Content()
        self._stat: tuple[int, ...] = ()
        self._windows: dict[int, str] = {}  # by line, of the decisions that this server appended
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, self._locked_file() as file:
                self._read_on(file)
                self._end_last_row(file)
        except (OSError, StoreError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(f"corrections {path}: {reason or error}") from None

    @contextmanager
    def reading(self) -> Iterator[Content]:
        """The content of the file. It does not change within the context.

        Raises:
            StoreError: The file cannot be read.
        """
        with self._lock:
            try:
                self._refresh()
            except OSError as error:
                raise StoreError(f"{self.path} cannot be read: {error.strerror or error}") from None
            yield self._content

    def append(
        self, decision: Correction, after: int | None = None, window: str = ""
    ) -> tuple[Correction, list[Correction]]:
        """Appends a decision; it is on the disk when the method returns.

        Args:
            decision: The decision; its line is ignored.
            after: Number of the last row that the window has seen; None: do not check for conflicts.
            window: Name of the window, whose own decisions are no conflict.

        Returns:
            The decision with its number, and those of other windows after `after` with the same key.

        Raises:
            ConflictError: Another window has decided on the same key after `after`.
            NothingToUndo: The action is undo, and the reviewer has not decided on this key.
            StoreError: The file cannot be written, for example because the disk is full. Nothing was saved.
        """
        with self._lock:
            try:
                with self._locked_file() as file:
                    self._read_on(file)
                    self._end_last_row(file)
                    if decision.action == UNDO and not self._content.can_undo(decision.key, decision.reviewer):
                        raise NothingToUndo
                    others = self._others(decision, after, window)
                    saved = replace(decision, line=self._content.rows + 1)
                    _write(file, correction_row(saved))
                    self._read_on(file)
            except OSError as error:
                raise StoreError(f"not saved: {self.path}: {error.strerror or error}") from None
            except UnicodeEncodeError:
                raise StoreError(f"not saved: the name of {decision.subject!r} is not valid UTF-8") from None
            if window:
                self._windows[saved.line] = window
            return saved, others

    def _others(self, decision: Correction, after: int | None, window: str) -> list[Correction]:
        """The decisions of other windows after `after` with the same key; ConflictError if one of them is valid."""
        if after is None:
            return []
        others = []
        for row in self._content.by_key.get(decision.key, ()):
            if row.line > after and not (window and self._windows.get(row.line) == window):
                others.append(row)
        current = self._content.in_force(decision.key)
        withdraws_own = decision.action == UNDO and current is not None and current.reviewer != decision.reviewer
        if current is not None and not withdraws_own and any(row.line == current.line for row in others):
            raise ConflictError(current)
        return others

    @contextmanager
    def _locked_file(self) -> Iterator[BinaryIO]:
        """The file, open for reading and appending and locked. It is created if it is missing."""
        while True:
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666), "r+b", 0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                opened = os.fstat(file.fileno())
                if not _is_file(self.path, opened):  # it was replaced before it was locked
                    continue
                if not opened.st_size:
                    _write(file, header_row())
                    _sync_folder(self.path.parent)
                yield file
                return

    def _refresh(self) -> None:
        """Reads the rows that were added to the file; all of them if it is another file."""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            if self._content.file is not None:
                log.warning("%s was deleted; the next decision creates it", self.path)
                self._forget()
            return
        if self._stat == _version(now):
            return
        with open(self.path, "rb", 0) as file:
            self._read_on(file)

    def _forget(self) -> None:
        self._content, self._stat = Content(self._content.generation + 1), ()
        self._windows.clear()

    def _read_on(self, file: BinaryIO) -> None:
        """Reads the complete rows after those that were read."""
        opened = os.fstat(file.fileno())
        own = self._content
        if own.file is not None and not self._continues(file, opened):
            log.warning("%s was replaced; it is read again", self.path)
            self._forget()
            own = self._content
        own.file = (opened.st_dev, opened.st_ino)
        file.seek(own.end)
        content = file.read()
        read, invalid = 0, []
        for values, position in complete_rows(content):
            read = position
            own.rows += 1
            if own.rows == 1:
                self._check_header(values)
            elif (decision := as_correction(values, own.rows)) is not None:
                own.add(decision)
            else:
                invalid.append(own.rows)
        own.end += read
        own.last = (own.last + content[:read])[-COMPARED:]
        self._stat = _version(opened)
        if invalid:
            log.warning("%s: ignored rows that are no corrections: %s", self.path, listing(invalid))

    def _continues(self, file: BinaryIO, opened: os.stat_result) -> bool:
        """Whether an open file is the one that was read, with at most more rows."""
        own = self._content
        if own.file != (opened.st_dev, opened.st_ino) or opened.st_size < own.end:
            return False
        file.seek(own.end - len(own.last))
        return file.read(len(own.last)) == own.last

    def _check_header(self, values: Sequence[str] | None) -> None:
        columns = [name.removeprefix(BOM) for name in values or ()]
        if columns != list(CORRECTION_COLUMNS):
            self._forget()
            raise StoreError(
                f"its columns are {listing(columns) or 'missing'}; expected {','.join(CORRECTION_COLUMNS)}"
            )

    def _end_last_row(self, file: BinaryIO) -> None:
        """Removes the start of a row that a killed process left at the end of the locked file: it was never
        acknowledged. A row that only lacks its line feed, as some editors save it, is kept."""
        own = self._content
        file.seek(own.end)
        rest = file.read()
        if not rest:
            return
        rows = [values for values, _ in complete_rows(rest + b"\n")]
        if len(rows) == 1 and as_correction(rows[0], 0) is not None:
            _write(file, b"\n")
            self._read_on(file)
            return
        log.warning("%s: removed an incomplete last row", self.path)
        os.ftruncate(file.fileno(), own.end)
        if not own.end:
            _write(file, header_row())
            self._read_on(file)


def _write(file: BinaryIO, line: bytes) -> None:
    """Appends a line to a locked file and syncs it. If that fails, the file is as before."""
    size = os.fstat(file.fileno()).st_size
    try:
        written = 0
        while written < len(line):
            written += os.write(file.fileno(), line[written:])
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), size)
        raise


def _version(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _is_file(path: Path, opened: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), opened)
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Syncs the entry of a new file to the disk, where the file system supports it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
