"""Unfinished runs: what training needs to go on, the name under which it does, and the lock on that name."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from model.faults import InputError
from model.writing import remove_parts, write_beside

log = logging.getLogger("rarebird")

KEPT = 2  # the one before stays, should the newest be cut off by a copy to a bucket
FINISHED = "finished"
State = dict[str, Any]


class Checkpoints:
    """The states of one run, in a folder of their own, newest last."""

    def __init__(self, folder: Path):
        self.folder = folder

    def files(self) -> list[Path]:
        """Oldest first; the name of a finished run's sorts behind all numbers."""
        return sorted(self.folder.glob("checkpoint-*.pt"))

    def save(self, state: State) -> None:
        """Writes state (tensors, numbers, text, lists and mappings) beside, renames it, and prunes older ones. It is
        ordered by its `epoch` and `batches`."""
        place = FINISHED if state["finished"] else f"{state['epoch']:06d}-{state['batches']:09d}"
        with write_beside(self.folder / f"checkpoint-{place}.pt") as path:
            torch.save(state, path)
        for old in self.files()[:-KEPT]:
            old.unlink(missing_ok=True)

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Marks the run of several models begun, whose members keep states of their own."""
        if self.newest() is None:
            self.save({"epoch": 0, "batches": 0, "identity": dict(identity), "finished": False})

    def finish(self, outcome: State, identity: Mapping[str, Any]) -> None:
        """Marks the run finished. outcome (Outcome.to_state) is all that is left of it, from which the saved model
        can be written again."""
        self.save({**outcome, "identity": dict(identity), "finished": True})
        for path in self.files():
            if not path.stem.endswith(FINISHED):
                path.unlink()

    def is_finished(self) -> bool:
        """Whether the run of these states is."""
        return any(path.stem.endswith(FINISHED) for path in self.files())

    def newest(self) -> State | None:
        """The newest state that can be read, None where there is none. InputError where there are files and all are
        damaged; OSError where the system refuses one."""
        files = self.files()
        for path in reversed(files):
            try:
                return torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, MemoryError):
                raise
            except Exception as error:  # what a damaged zip or pickle raises differs by version
                log.warning("checkpoint %s cannot be read (%s); the one before is taken", path, type(error).__name__)
        if files:
            raise InputError(
                f"{self.folder}: no checkpoint can be read ({len(files)} damaged); begin anew with --resume never, or "
                "choose another --name"
            )
        return None

    def clear(self) -> None:
        """Forgets every state, those of its members too."""
        for path in self.folder.rglob("checkpoint-*.pt"):
            path.unlink()

    def of_member(self, place: str) -> Checkpoints:
        """The states of one of the models that this run makes."""
        return Checkpoints(self.folder / place)


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
