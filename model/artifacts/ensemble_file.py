"""ensemble.json, the file that makes a folder of saved models an ensemble: reading and writing it, without torch."""

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

    combine: how the members' probabilities become one answer, a key of model.artifacts.ensemble.COMBINE.
    finished: whether the run that trained the members ended by itself, with all of them.
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
    """The ensemble.json in folder. InputError where it cannot be read or a member does not lie below folder."""
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
            raise InputError(f"{path}: the member {member.path!r} does not lie below the ensemble's folder")
    return EnsembleFile(combine, members, finished)


def write_ensemble_file(folder: Path, ensemble: EnsembleFile) -> None:
    """Writes ensemble.json into folder; write it last, as a folder with it counts as an ensemble."""
    members = [{"model": member.path, "weight": member.weight} for member in ensemble.members]
    write_json(folder / ENSEMBLE, {"combine": ensemble.combine, "finished": ensemble.finished, "members": members})
