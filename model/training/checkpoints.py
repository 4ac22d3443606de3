"""Unfinished runs: what training needs to go on, the name under which it does, and the lock on that name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from model.atomic_write import write_beside
from model.errors import InputError

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
