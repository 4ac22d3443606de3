"""Reads and writes ensemble.json, the file that makes a folder of saved models an ensemble. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from model.artifacts.files import ENSEMBLE
from model.atomic_write import write_json
from model.errors import InputError


@dataclass(frozen=True)
class EnsembleMember:
    """One member: its folder, relative to the ensemble's, and its weight."""

    path: str
    weight: float


@dataclass(frozen=True)
class EnsembleFile:
    """Content of ensemble.json.

    Attributes:
        combine: How the members' probabilities are combined, a key of model.artifacts.ensemble.COMBINE.
        members: Folders and weights.
        finished: Whether all members are trained; False if their training was stopped.
    """

    combine: str
    members: tuple[EnsembleMember, ...]
    finished: bool = True

    @property
    def paths(self) -> list[str]:
        return [member.path for member in self.members]

    @property
    def weights(self) -> list[float]:
        return [member.weight for member in self.members]


def read_ensemble_file(folder: Path) -> EnsembleFile:
    """Reads ensemble.json in a folder. InputError if it is unreadable or a member is not in a subfolder."""
    path = folder / ENSEMBLE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        members = tuple(
            EnsembleMember(str(member["model"]), float(member.get("weight", 1))) for member in content["members"]
        )
        combine, finished = str(content.get("combine", "")), bool(content.get("finished", True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read: {type(error).__name__}: {error}") from None
    root = folder.resolve()
    for member in members:
        if root not in (folder / member.path).resolve().parents:
            raise InputError(f"{path}: the member {member.path!r} is not in a subfolder of the ensemble")
    return EnsembleFile(combine, members, finished)


def write_ensemble_file(folder: Path, ensemble: EnsembleFile) -> None:
    """Writes ensemble.json into a folder. Write it last: it marks the ensemble as complete."""
    members = [{"model": member.path, "weight": member.weight} for member in ensemble.members]
    write_json(folder / ENSEMBLE, {"combine": ensemble.combine, "finished": ensemble.finished, "members": members})
