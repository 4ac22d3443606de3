"""Provenance of predictions: how their model was trained. labels.json next to the predictions records it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from model.errors import InputError
from model.metrics.epoch_metrics import CRITERIA
from model.settings.fields import as_dict, differences
from model.settings.train import TrainSettings

PROVENANCE_KEY = "made"  # in labels.json
# Settings with a path of the machine that trains: folders and an experiment file, and files that change the result
FOLDERS = ("config", "train_dir", "validation_dir", "model_dir", "output_data_dir", "checkpoint_dir")
FILES = ("weights", "train_groups", "validation_groups", "corrections", "clean")
HISTORY = ("epoch", "train_loss", "val_loss", "val_f1", "val_acc")  # metrics of an epoch that labels.json records


@dataclass(frozen=True)
class SplitSize:
    """Size of the training or validation split.

    Attributes:
        pictures: Number of images.
        groups: Number of groups, such as persons; without groups each image counts as one.
    """

    pictures: int
    groups: int

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SplitSize:
        return cls(int(saved["pictures"]), int(saved["groups"]))


@dataclass(frozen=True)
class MemberProvenance:
    """How one saved model was trained. Fields that are not listed: as in metrics.json.

    Attributes:
        backbone: Name in timm.
        settings: Settings that differ from their defaults and can change the result.
        scores: Scores on the validation images, by their names in metrics.json.
        history: Metrics of each epoch, by the names in HISTORY.
    """

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
    history: tuple[dict[str, float], ...] = ()

    @classmethod
    def of_run(cls, name: str, settings: TrainSettings, metrics: Mapping[str, Any]) -> MemberProvenance:
        """The provenance of a training run.

        Args:
            name: Name of the run, or its folder in an ensemble.
            settings: Settings of the run.
            metrics: Content of its metrics.json.
        """
        data, scores = metrics["data"], metrics["validation"] or {}
        return cls(
            name=name,
            backbone=settings.model,
            settings=chosen_settings(settings),
            source=data["source"],
            grouped_by=data["grouped_by"],
            train=SplitSize.from_dict(data["train"]),
            validation=SplitSize.from_dict(data["validation"]) if data["validation"] else None,
            scores={name: scores[name] for name in sorted(CRITERIA) if name in scores},
            best_criterion=settings.best_criterion,
            history=_history(metrics.get("history", ())),
            **{name: metrics[name] for name in ("finished", "epoch", "epochs", "seconds", "hardware", "versions")},
        )

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> MemberProvenance:
        """The inverse of dataclasses.asdict. KeyError, TypeError, ValueError or AttributeError for other content."""
        return cls(
            name=str(saved["name"]),
            backbone=str(saved["backbone"]),
            settings=dict(saved["settings"]),
            source=str(saved["source"]),
            grouped_by=str(saved["grouped_by"]) if saved["grouped_by"] else None,
            train=SplitSize.from_dict(saved["train"]),
            validation=SplitSize.from_dict(saved["validation"]) if saved["validation"] else None,
            scores={name: float(saved["scores"][name]) for name in sorted(CRITERIA) if name in saved["scores"]},
            best_criterion=str(saved["best_criterion"]),
            finished=bool(saved["finished"]),
            epoch=int(saved["epoch"]),
            epochs=int(saved["epochs"]),
            seconds=float(saved["seconds"]),
            hardware=str(saved["hardware"]),
            versions={str(name): str(version) for name, version in saved["versions"].items()},
            history=_history(saved.get("history", ())),
        )


def chosen_settings(settings: TrainSettings) -> dict[str, Any]:
    """The settings that differ from their defaults and can change the result, files without their folders."""
    changing_result = as_dict(settings, only_result=True)
    chosen = {name: value for name, value in differences(settings).items() if name in changing_result}
    return _without_folders(chosen)


def portable_settings(settings: TrainSettings) -> dict[str, Any]:
    """All settings without absolute paths, for settings.yaml, which is shipped with the model.

    A folder of the machine that trained means nothing elsewhere and may name a person. Relative paths are kept, so that
    the run can be repeated in the same working folder; so is `eval_dir`, which is set to be read with the model.
    """
    values = as_dict(settings)
    for name in FOLDERS:
        if values[name] and PurePath(values[name]).is_absolute():
            values[name] = None
    return _without_folders(values, lambda path: PurePath(path).is_absolute())


def _without_folders(values: Mapping[str, Any], shortened: Callable[[str], bool] = bool) -> dict[str, Any]:
    """Settings with the names of files in place of their paths, in the settings of each attribute too.

    Args:
        values: Settings by name.
        shortened: Whether a path is shortened.
    """
    return {
        name: _without_folders(value, shortened)
        if isinstance(value, Mapping)
        else PurePath(value).name
        if name in FILES and isinstance(value, str) and shortened(value)
        else value
        for name, value in values.items()
    }


def _history(records: Iterable[Mapping[str, Any]]) -> tuple[dict[str, float], ...]:
    """The metrics in HISTORY of each epoch."""
    return tuple({name: round(float(record[name]), 6) for name in HISTORY if name in record} for record in records)


@dataclass(frozen=True)
class Provenance:
    """How the model of some predictions was trained.

    Attributes:
        model: Its name.
        views: Number of views of each image that were predicted (test-time augmentation).
        joined: How the members' predictions were combined, as text; "" for a single model.
        members: The saved models.
    """

    model: str
    views: int
    joined: str
    members: tuple[MemberProvenance, ...]

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json under PROVENANCE_KEY."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Provenance:
        """The inverse of to_dict. InputError for other content."""
        try:
            members = tuple(MemberProvenance.from_dict(member) for member in saved["members"])
            return cls(str(saved["model"]), int(saved["views"]), str(saved["joined"]), members)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not a valid training record: {type(error).__name__}: {error}") from None
