"""The name that a run trains under: finds a free name or an unfinished run to resume, and locks the name."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

from model.artifacts.discovery import is_finished
from model.atomic_write import remove_parts
from model.data.datasets import ADDED_DATA
from model.errors import InputError
from model.settings.fields import Layer, as_dict, decode_layer
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints, State, is_begin


class Lock:
    """A lock on a run's name: a locked file, which is released and removed at the end of a `with` block.

    The lock always ends with this process, even if it crashes: forked loader workers, which may live longer, do not
    inherit POSIX record locks (fcntl(2)). A pickled copy is not locked.
    """

    def __init__(self, folder: Path):
        self.path = folder / "lock"
        self._file: IO[str] | None = None

    def acquire(self) -> str | None:
        """Tries to lock. Returns None if this process now has the lock, otherwise a description of its holder."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 (it stays open)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip()
                file.close()
                return holder or "another process"
            if self._is_current(file):
                break
            file.close()  # the former holder removed the file between open and lock: try again
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        self._file = file
        return None

    def _is_current(self, file: IO[str]) -> bool:
        """Whether the locked file is still the one at the path."""
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
        """Releases the lock and removes its file."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


@dataclass(frozen=True)
class RunLocation:
    """The folders of saved models and checkpoints.

    Attributes:
        models: Folder of saved models, with a subfolder per name.
        checkpoints: Folder of checkpoints, with a subfolder per name.
        is_packed: Whether the saved model is in `models` itself instead of a subfolder, because SageMaker packs this
            folder.
    """

    models: Path
    checkpoints: Path
    is_packed: bool = False

    def run_dir(self, name: str) -> Path:
        """Folder of a run's saved model."""
        return self.models if self.is_packed else self.models / name

    def checkpoints_dir(self, name: str) -> Path:
        """Folder of a run's checkpoints."""
        return self.checkpoints / name


@dataclass
class Claim:
    """A name that this process trains under, locked.

    Attributes:
        name: The name.
        run_dir: Folder of the saved model.
        checkpoints: The run's checkpoints.
        lock: The lock on the name.
        state: State to resume from; None to start from scratch.
    """

    name: str
    run_dir: Path
    checkpoints: Checkpoints
    lock: Lock
    state: State | None

    @property
    def finished(self) -> bool:
        """Whether the run is finished, but its saved model is missing and must be written again."""
        return self.state is not None and bool(self.state["finished"])

    @property
    def training_state(self) -> State | None:
        """State of the only model to resume from; None if the run has only begun (Checkpoints.begin)."""
        return None if self.state is None or is_begin(self.state) else self.state

    def output_dir(self, output: Path | None, is_packed: bool) -> Path:
        """The run's folder in the output directory; the saved model's folder if there is no output directory.

        Args:
            output: The output directory.
            is_packed: As in RunLocation; the output directory is then of this run alone.
        """
        if output is None:
            return self.run_dir
        return output if is_packed else output / self.name

    def new_name_text(self, name: str, location: RunLocation) -> str:
        """A sentence that the run is not called `name`, because a finished run is; "" if it is called so."""
        if self.name == name:
            return ""
        return f"{location.run_dir(name)} exists and is finished; this run is named {self.name}"


def claim(name: str, location: RunLocation, identity: Mapping[str, Any], resume: str) -> Claim:
    """Locks a name to train under: `name`, or the first of name1, name2, ... that is not of a finished run.

    Args:
        name: The setting `name`.
        location: Folders of saved models and checkpoints.
        identity: Settings and data of this run. An unfinished run is resumed only if its own are the same.
        resume: "auto" resumes an unfinished run of the name, "never" starts it from scratch.

    Raises:
        InputError: If another process trains under the name, or an unfinished run of it has other settings or data.
    """
    for candidate in _candidates(name):
        claimed = _claim(candidate, location, identity, resume)
        if claimed is not None:
            return claimed
    raise AssertionError("unreachable: there is always another name to try")


def _candidates(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        yield f"{name}{number}"
        number += 1


def _claim(name: str, location: RunLocation, identity: Mapping[str, Any], resume: str) -> Claim | None:
    """The claim of exactly this name; None if a finished run has it."""
    folder, run_dir = location.checkpoints_dir(name), location.run_dir(name)
    if not folder.is_dir() and not location.is_packed and is_finished(run_dir):
        return None
    lock, checkpoints = Lock(folder), Checkpoints(folder, identity)
    holder = lock.acquire()
    if holder:
        raise InputError(f"the run {name!r} is being trained by {holder}; wait for it or choose another --name")
    claimed = None
    try:
        remove_parts(folder)
        state = None if resume == "never" else checkpoints.newest()
        if not _is_taken(state, run_dir, checkpoints, location.is_packed):
            claimed = Claim(name, run_dir, checkpoints, lock, _resumable(state, name, checkpoints))
        return claimed
    finally:
        if claimed is None:
            lock.release()


def _is_taken(state: State | None, run_dir: Path, checkpoints: Checkpoints, is_packed: bool) -> bool:
    """Whether a finished run with a saved model has the name."""
    if not is_finished(run_dir):
        return False
    if state is not None:
        return bool(state["finished"])
    # There is no checkpoint, or resume is "never". A run with unfinished checkpoints is then trained again, and so is a
    # run in the folder that SageMaker packs
    return checkpoints.is_finished() or not (checkpoints.files() or is_packed)


def _resumable(state: State | None, name: str, checkpoints: Checkpoints) -> State | None:
    """The state to resume from. If there is none, deletes the checkpoints, and the run starts from scratch.

    Raises:
        InputError: If the run is unfinished and has other settings or data.
    """
    differences = differing_fields(state["identity"], checkpoints.identity) if state else []
    if state is None or (state["finished"] and differences):
        checkpoints.clear()
        return None
    if differences:
        raise InputError(
            f"{checkpoints.folder} contains an unfinished run {name!r} with other settings or data:\n"
            + "\n".join(f"  {difference}" for difference in differences)
            + "\nto resume it, use its settings and data; to start from scratch, set --resume never; "
            "or choose another --name"
        )
    return state


def differing_fields(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line such as `lr: 0.001 then, 0.01 now` for every field that differs. Settings that say how the channel is read
    are not compared, because the data themselves are.

    Args:
        before: Settings and data of a checkpoint of this version or an earlier one. A setting that an earlier version
            did not have is compared by its default; missing fields of ADDED_DATA are not compared.
        now: Settings and data of this run.
    """
    defaults = {name: value for name, value in as_dict(TrainSettings()).items() if name in now}
    added = {name: now[name] for name in ADDED_DATA if name in now}
    then, current = _as_json({**defaults, **added, **_as_read_now(before)}), _as_json(now)
    reading = {field.name for field in fields(TrainSettings) if field.metadata["reading"]}
    return [
        f"{key}: {then.get(key, 'not set')} then, {current.get(key, 'not set')} now"
        for key in sorted({*then, *current} - reading)
        if then.get(key) != current.get(key)
    ]


def _as_read_now(values: Mapping[str, Any]) -> dict[str, Any]:
    """Converts the settings among the values to the spelling of this version. Earlier versions saved names inside
    settings as the user wrote them. `heads` is not converted, since they ignored its names in another spelling."""
    known = as_dict(TrainSettings()).keys() - {"heads"}
    settings = {name: value for name, value in values.items() if name in known}
    decoded, _ = decode_layer(TrainSettings, Layer("{}", settings))
    return {**values, **decoded}


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values after a round trip through JSON, which turns tuples into lists."""
    return json.loads(json.dumps(dict(values)))
