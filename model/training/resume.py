"""which name a run trains under, its lock, what may differ."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from model.atomic_write import remove_parts
from model.errors import InputError
from model.training.checkpoints import Checkpoints, State


class Lock:
    """A lock on a run's name, released at the end of a `with` block, that dies with this process, however it dies:
    POSIX record locks (fcntl(2)) are not inherited by forked loader workers, which may outlive it. A copy that is
    sent to another process holds nothing."""

    def __init__(self, folder: Path):
        self.path = folder / "lock"
        self._file: IO[str] | None = None

    def acquire(self) -> str | None:
        """None when this process holds it now, else who does."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 (it is held open)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip()
                file.close()
                return holder or "another process"
            if self._is_there(file):
                break
            file.close()  # its holder removed it between the two
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        self._file = file
        return None

    def _is_there(self, file: IO[str]) -> bool:
        """Whether the file that was locked is still the one of that name."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None}

    def release(self) -> None:
        """Gives it up and leaves no file."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


@dataclass
class Claim:
    """A name that this process trains under. state: where to go on, None to begin; finished: the state is that of a
    finished run whose saved model is gone and is to be written again."""

    name: str
    run_dir: Path
    checkpoints: Checkpoints
    lock: Lock
    state: State | None

    @property
    def finished(self) -> bool:
        return self.state is not None and bool(self.state["finished"])


def claim(
    name: str,
    checkpoints_dir: Path,
    run_dir: Callable[[str], Path],
    is_saved: Callable[[Path], bool],
    packed: bool,
    identity: Mapping[str, Any],
    resume: str,
) -> Claim:
    """The name to train under: name, or with a number behind it the first one that is not finished.

    run_dir: a name's folder for the saved model; is_saved: whether one of a finished run lies there; packed: every
    name has the same folder; identity: settings and data that a run must share to be gone on with. InputError where
    somebody else trains under it, or where an unfinished run of it has other settings or data.
    """
    for candidate in _names(name):
        folder, run = checkpoints_dir / candidate, run_dir(candidate)
        if not folder.is_dir() and not packed and is_saved(run):
            continue
        lock, checkpoints = Lock(folder), Checkpoints(folder)
        holder = lock.acquire()
        if holder:
            raise InputError(
                f"the run {candidate!r} is being trained by {holder}; wait for it or choose another --name"
            )
        remove_parts(folder)
        try:
            state = None if resume == "never" else checkpoints.newest()
        except BaseException:
            lock.release()
            raise
        if state is None:
            if is_saved(run) and (checkpoints.is_finished() or not (checkpoints.files() or packed)):
                lock.release()
                continue
            checkpoints.clear()
            return Claim(candidate, run, checkpoints, lock, None)
        differing = differing_fields(state["identity"], identity)
        if state["finished"]:
            if is_saved(run):
                lock.release()
                continue
            if differing:
                checkpoints.clear()
            return Claim(candidate, run, checkpoints, lock, None if differing else state)
        if differing:
            lock.release()
            raise InputError(
                f"an unfinished run {candidate!r} lies in {folder} with other settings or data:\n"
                + "\n".join(f"  {difference}" for difference in differing)
                + "\ngo on with the same ones, begin anew with --resume never, or choose another --name"
            )
        return Claim(candidate, run, checkpoints, lock, state)
    raise AssertionError("names do not end")


def _names(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        yield f"{name}{number}"
        number += 1


def differing_fields(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """`lr: 0.001 then, 0.01 now` for every field that differs."""
    then, current = _plain(before), _plain(now)
    return [
        f"{key}: {then.get(key, 'not set')} then, {current.get(key, 'not set')} now"
        for key in sorted({*then, *current})
        if then.get(key) != current.get(key)
    ]


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples are lists."""
    return json.loads(json.dumps(dict(fields)))
