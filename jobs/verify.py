"""Whether a model that came back is whole: files, safetensors headers, settings and label schemes, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from container.saved import model_fault
from model.finding import LABELS, SETTINGS, is_ensemble, is_saved_model
from model.labels import Scheme
from model.records import read_json, read_records
from model.settings import Failure, InputError


@dataclass(frozen=True)
class Verified:
    """models: saved models in the folder, one where it is no ensemble; finished: whether their run is."""

    folder: Path
    models: int
    classes: int
    backbone: str
    finished: bool

    def __str__(self) -> str:
        of = f"{self.models} models, " if self.models > 1 else ""
        stopped = "" if self.finished else ", of a run that was stopped"
        return f"{of}{self.backbone}, {self.classes} classes{stopped}"


def verify(folder: Path) -> Verified:
    """What the model in folder is. Failure says why no job could take it."""
    fault = model_fault(folder)
    if fault:
        raise Failure(f"what came back is no model: {fault}")
    members = [folder]
    if is_ensemble(folder):
        members = sorted(path.parent for path in folder.rglob(SETTINGS) if is_saved_model(path.parent))
    backbones: set[str] = set()
    finished = True
    for member in members:
        try:
            settings, metrics = read_records(member)
            labels = read_json(member / LABELS)
            scheme = Scheme.from_dict(labels)
        except InputError as error:
            raise Failure(f"what came back is no model: {member}: {error}") from None
        backbones.add(settings.model)
        finished = finished and bool(metrics.get("finished"))
        classes = scheme.num_classes if "channel" not in labels else Scheme.from_dict(labels["channel"]).num_classes
    return Verified(folder, len(members), classes, ", ".join(sorted(backbones)), finished)
