"""How a model was made, as it travels with the model's answers in labels.json to who reads their scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.metrics.epoch_metrics import CRITERIA
from model.settings.fields import as_dict, differences
from model.settings.train import TrainSettings

PROVENANCE_KEY = "made"  # in labels.json
SCORES = sorted(CRITERIA)  # of the validation pictures, as metrics.json calls them


@dataclass(frozen=True)
class SplitSize:
    """The pictures of training or validation. groups: persons or senders, of which each picture is one where the
    data names none."""

    pictures: int
    groups: int


@dataclass(frozen=True)
class MemberProvenance:
    """One saved model. backbone: timm's name; settings: those that differ from their defaults and can change what comes
    out; source, grouped_by and all else: as metrics.json holds them."""

    name: str
    backbone: str
    settings: dict[str, Any]
    source: str
    grouped_by: str | None
    train: SplitSize
    validation: SplitSize | None
    scores: dict[str, float]
    best_criterion: str
    finished: bool
    epoch: int
    epochs: int
    seconds: float
    hardware: str
    versions: dict[str, str]

    @classmethod
    def of_run(cls, name: str, settings: TrainSettings, metrics: Mapping[str, Any]) -> MemberProvenance:
        """metrics: as metrics.json holds them."""
        telling = as_dict(settings, only_result=True)
        chosen = {name: value for name, value in differences(settings).items() if name in telling}
        if settings.weights:
            chosen["weights"] = Path(settings.weights).name  # its folder means nothing elsewhere
        data, scores = metrics["data"], metrics["validation"] or {}
        return cls(
            name=name,
            backbone=settings.model,
            settings=chosen,
            source=data["source"],
            grouped_by=data["grouped_by"],
            train=_side(data["train"]),
            validation=_side(data["validation"]) if data["validation"] else None,
            scores={name: scores[name] for name in SCORES if name in scores},
            best_criterion=settings.best_criterion,
            **{name: metrics[name] for name in ("finished", "epoch", "epochs", "seconds", "hardware", "versions")},
        )

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> MemberProvenance:
        """KeyError, TypeError, ValueError or AttributeError where the content is none of a member."""
        return cls(
            name=str(saved["name"]),
            backbone=str(saved["backbone"]),
            settings=dict(saved["settings"]),
            source=str(saved["source"]),
            grouped_by=str(saved["grouped_by"]) if saved["grouped_by"] else None,
            train=_side(saved["train"]),
            validation=_side(saved["validation"]) if saved["validation"] else None,
            scores={name: float(saved["scores"][name]) for name in SCORES if name in saved["scores"]},
            best_criterion=str(saved["best_criterion"]),
            finished=bool(saved["finished"]),
            epoch=int(saved["epoch"]),
            epochs=int(saved["epochs"]),
            seconds=float(saved["seconds"]),
            hardware=str(saved["hardware"]),
            versions={str(name): str(version) for name, version in saved["versions"].items()},
        )


@dataclass(frozen=True)
class Provenance:
    """model: its name; views: of each picture that was answered; joined: how the members' answers were joined, in
    words, "" where there is one model."""

    model: str
    views: int
    joined: str
    members: tuple[MemberProvenance, ...]

    def to_dict(self) -> dict[str, Any]:
        """What labels.json holds under PROVENANCE_KEY."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Provenance:
        """The inverse of to_dict. InputError where the content does not tell how a model was made."""
        try:
            members = tuple(MemberProvenance.from_dict(member) for member in saved["members"])
            return cls(str(saved["model"]), int(saved["views"]), str(saved["joined"]), members)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not how a model was made: {type(error).__name__}: {error}") from None


def _side(counts: Mapping[str, Any]) -> SplitSize:
    return SplitSize(int(counts["pictures"]), int(counts["groups"]))
