"""Checkpoints of a training run: files with the state that a stopped run resumes from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from model.atomic_write import write_beside
from model.errors import InputError

log = logging.getLogger("rarebird")

FEATURES = "features.npz"
KEPT = 2  # the last but one is kept in case a copy of the newest to a bucket is incomplete
FINISHED = "finished"
BEGIN = {"epoch": 0, "batches": 0, "finished": False}  # the state of Checkpoints.begin
State = dict[str, Any]  # tensors, numbers, text, lists and mappings

CRITERION = "criterion"  # part of a state only if the loss has a state, such as elr
DYNAMICS = "training dynamics"  # part of a state only with the setting training_dynamics
OPTIONAL = (CRITERION, DYNAMICS)


def states_of(parts: Mapping[str, Any]) -> State:
    """The state of each part by its name; None for a missing one. Optional parts without state are left out."""
    states = {name: part.state_dict() if part is not None else None for name, part in parts.items()}
    return {name: state for name, state in states.items() if state or name not in OPTIONAL}


def load_states(parts: Mapping[str, Any], state: State) -> None:
    """The inverse of states_of: loads the states into the parts that are not None."""
    for name, part in parts.items():
        if part is not None and (name in state or name not in OPTIONAL):
            part.load_state_dict(state[name])


def is_begin(state: State) -> bool:
    """Whether a state is that of Checkpoints.begin, without any weights."""
    return state.keys() - {"identity"} == BEGIN.keys()


class Checkpoints:
    """The checkpoints of one run, in a folder of their own.

    Args:
        folder: The folder; it is created when the first checkpoint is written.
        identity: Settings and data of the run, written into each checkpoint. A run can resume from a checkpoint only if
            its own are the same.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any] | None = None):
        self.folder = folder
        self.identity = dict(identity or {})

    @property
    def features(self) -> Path:
        """The file of the features that a resumed run trains on, with `feature_views`."""
        return self.folder / FEATURES

    def files(self) -> list[Path]:
        """Paths of the checkpoints, oldest first. That of a finished run comes last, as letters sort after digits."""
        return sorted(self.folder.glob("checkpoint-*.pt"))

    def save(self, state: State) -> None:
        """Writes a state atomically and removes older ones. Its `epoch` and `batches` are in the file's name."""
        position = FINISHED if state["finished"] else f"{state['epoch']:06d}-{state['batches']:09d}"
        with write_beside(self.folder / f"checkpoint-{position}.pt") as path:
            torch.save({**state, "identity": self.identity}, path)
        for old in self.files()[:-KEPT]:
            old.unlink(missing_ok=True)

    def begin(self) -> None:
        """Marks a run of several models as started, or one whose labels are cleaned first. Each model has its own
        checkpoints; see `member`."""
        if self.newest() is None:
            self.save(dict(BEGIN))

    def finish(self, outcome: State) -> None:
        """Marks the run as finished and removes its other checkpoints.

        Args:
            outcome: `Outcome.to_state()`, from which the saved model can be written again.
        """
        self.save({**outcome, "finished": True})
        for path in self.files():
            if not path.stem.endswith(FINISHED):
                path.unlink()
        self.features.unlink(missing_ok=True)

    def is_finished(self) -> bool:
        """Whether the run of these checkpoints is finished."""
        return any(path.stem.endswith(FINISHED) for path in self.files())

    def newest(self) -> State | None:
        """Loads the newest checkpoint that can be read. Returns None if there are no files.

        Raises:
            InputError: If there are files, but all are damaged.
            OSError: If the system refuses to read a file.
        """
        files = self.files()
        for path in reversed(files):
            try:
                return torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, MemoryError):
                raise
            except Exception as error:  # for a damaged zip or pickle the error type depends on torch's version
                log.warning("checkpoint %s cannot be read (%s); trying the one before", path, type(error).__name__)
        if files:
            raise InputError(
                f"{self.folder}: no checkpoint can be read ({len(files)} damaged); start from scratch with "
                "--resume never, or choose another --name"
            )
        return None

    def clear(self) -> None:
        """Deletes all checkpoints and features, including those of members."""
        for path in [*self.folder.rglob("checkpoint-*.pt"), *self.folder.rglob(FEATURES)]:
            path.unlink()

    def member(self, name: str) -> Checkpoints:
        """The checkpoints of one model of a run of several models."""
        return Checkpoints(self.folder / name, self.identity)
