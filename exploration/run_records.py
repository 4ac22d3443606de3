"""Reads the runs in a folder: saved models, checkpoints of unfinished runs, ensembles and evaluations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import ENSEMBLE, LABELS, METRICS, SETTINGS
from model.artifacts.metadata import load_json_object, read_settings_and_metrics
from model.artifacts.provenance import SplitSize
from model.errors import InputError
from model.evaluation.files import EVALUATION_JSON
from model.labels import Scheme
from model.metrics.epoch_metrics import CRITERIA
from model.runtime.terminal import counted
from model.settings.fields import as_dict
from model.settings.train import TrainSettings

CHECKPOINTS = ".checkpoints"  # the hidden folder with the checkpoints of train.py
SKIPPED = ("tensorboard", "wandb")  # folders that contain no runs
VALIDATED = {"f1": "val F1", "acc": "val accuracy"}  # scores on the validation images, with their headers
EVALUATED = {CRITERIA[name].score: CRITERIA[name].label for name in VALIDATED}  # scores in evaluation.json
SCORES = EVALUATED | {CRITERIA[name].name: header for name, header in VALIDATED.items()}

Score = dict[str, float | None]


@dataclass
class Run:
    """A run, as its files describe it.

    Attributes:
        folder: Folder of the saved model, also if it is not saved yet.
        saved: Modification time of its newest file.
        finished: Whether training was not stopped early.
        done: Epochs (`3/10`), or the number of models of an ensemble, as text.
        settings: Settings that change the result, with nested names such as augmentation.flip.p.
        seconds: Duration of the training.
        scores: By the names of SCORES: value, low and high; the bounds are None without an interval.
        data: Name of the training channel and the number of classes; "" if that is not recorded, as in a checkpoint.
        ids: By attribute, a hash of the images and labels (Datasets.content_ids); empty if they are not recorded.
        sides: Images and groups of train and validation; empty if they are not recorded.
    """

    folder: Path
    saved: datetime
    finished: bool
    done: str
    settings: dict[str, Any]
    seconds: float
    scores: dict[str, Score] = field(default_factory=dict)
    data: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    sides: dict[str, SplitSize] = field(default_factory=dict)


def find_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Finds all runs in a folder.

    Args:
        root: The folder.

    Returns:
        The runs, with the scores of their newest evaluations, and an error message for each unreadable file.
    """
    folders = [(Path(folder), set(names)) for folder, names in _walk(root)]
    runs: dict[Path, Run] = {}
    errors: list[str] = []

    def add(path: Path, read: Callable[[], Run | None]) -> None:
        try:
            run = read()
        except (InputError, OSError, KeyError, TypeError, ValueError) as error:
            message = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            errors.append(message if message.startswith(f"{path}: ") else f"{path}: {message}")
        else:
            if run and not (run.folder in runs and runs[run.folder].finished):
                runs[run.folder] = run

    # saved models first; a checkpoint replaces an unfinished one, since its state is newer
    for folder, names in folders:
        if {METRICS, SETTINGS} <= names:
            add(folder / METRICS, partial(_saved_run, folder))
    for folder, names in folders:
        if any(name.startswith("checkpoint-") for name in names):
            add(folder, partial(_unfinished_run, folder))
    # inner ensembles before outer ones, of which they are members
    for folder, names in reversed(folders):
        if ENSEMBLE in names:
            add(folder / ENSEMBLE, partial(_ensemble, folder, runs))
    # the newest evaluation last: it replaces the scores of older ones
    evaluations = [folder / EVALUATION_JSON for folder, names in folders if EVALUATION_JSON in names]
    for path in sorted(evaluations, key=lambda path: path.stat().st_mtime_ns):
        add(path, partial(_add_evaluation, path, runs))
    return list(runs.values()), errors


def _walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Folders in root that may contain runs, with the names of their files."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(
            name for name in subfolders if name not in SKIPPED and (name == CHECKPOINTS or not name.startswith("."))
        )
        yield folder, names


def _saved_run(folder: Path) -> Run:
    settings, metrics = read_settings_and_metrics(folder)
    pictures = {side: (metrics["data"][side] or {}).get("pictures", 0) for side in ("train", "validation")}
    return Run(
        folder=folder,
        saved=datetime.fromtimestamp((folder / METRICS).stat().st_mtime),
        finished=bool(metrics["finished"]),
        done=f"{metrics['epochs']}/{settings.epochs}",
        settings=_flat(as_dict(settings, only_result=True), pictures),
        seconds=float(metrics["seconds"]),
        scores=_validation_scores(metrics["validation"]),
        **_data(metrics["data"]),
    )


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Run about its data, empty if an earlier version did not record its name.

    Args:
        data: As in metrics.json.
    """
    if "name" not in data:
        return {}
    sides = {side: SplitSize.from_dict(data[side]) for side in ("train", "validation") if data[side]}
    return {
        "data": _data_text(data["name"], len(data["train"]["class_counts"])),
        "ids": dict(data.get("ids", {})),
        "sides": sides,
    }


def _data_text(name: str, classes: int) -> str:
    return f"{name}, {counted(classes, 'class')}"


def _unfinished_run(folder: Path) -> Run | None:
    """The run of the newest checkpoint in a folder; None if it is finished, or if its models have their own folders."""
    from model.training.checkpoints import Checkpoints  # imports torch, which takes seconds

    checkpoints = Checkpoints(folder)
    state = checkpoints.newest()
    if state is None or state["finished"] or "updates" not in state:
        return None
    identity = state["identity"]
    defaults = as_dict(TrainSettings(), only_result=True)
    settings = {name: identity.get(name, default) for name, default in defaults.items()}
    return Run(
        folder=Path(*(part for part in folder.parts if part != CHECKPOINTS)),
        saved=datetime.fromtimestamp(checkpoints.files()[-1].stat().st_mtime),
        finished=False,
        done=f"{state['epoch']}/{settings['epochs']}",
        settings=_flat(
            settings,
            {"train": identity["training pictures"], "validation": identity.get("validation pictures", 0)},
        ),
        seconds=state["seconds"],
        scores=_validation_scores(state["best"]["metrics"] if state["best"] else None),
    )


def _ensemble(folder: Path, runs: Mapping[Path, Run]) -> Run | None:
    """An ensemble; None if no member can be read. A setting that differs between members has the value `various`."""
    ensemble = read_ensemble_file(folder)
    members = [runs[folder / path] for path in ensemble.paths if folder / path in runs]
    if not members:
        return None
    settings = {
        name: value if all(other.settings.get(name) == value for other in members) else "various"
        for name, value in members[0].settings.items()
    }
    return Run(
        folder=folder,
        saved=datetime.fromtimestamp((folder / ENSEMBLE).stat().st_mtime),
        finished=ensemble.finished,
        done=f"{len(ensemble.members)} models",
        settings=settings,
        seconds=sum(member.seconds for member in members),
        **_ensemble_data(folder, members),
    )


def _ensemble_data(folder: Path, members: Sequence[Run]) -> dict[str, Any]:
    """The fields of a Run about the data of an ensemble, empty if its members have different channels.

    The members of a product predict one attribute each: its classes are those of labels.json, its ids those of all.
    """
    names = {member.data.rpartition(", ")[0] for member in members}
    if len(names) > 1 or not members[0].data:
        return {}
    classes = Scheme.from_dict(load_json_object(folder / LABELS)).num_classes
    sides = members[0].sides if all(member.sides == members[0].sides for member in members) else {}
    ids: dict[str, str] = {}
    for member in members:
        ids |= member.ids
    return {"data": _data_text(names.pop(), classes), "ids": ids, "sides": sides}


def _add_evaluation(path: Path, runs: Mapping[Path, Run]) -> None:
    """Adds the scores of an evaluation.json to its run: the one that contains it, otherwise the only one below it."""
    above = next((runs[folder] for folder in path.parents if folder in runs), None)
    below = [run for folder, run in runs.items() if path.parent in folder.parents]
    run = above or (below[0] if len(below) == 1 else None)
    if run is not None:
        scores = json.loads(path.read_text(encoding="utf-8"))["rarebird"]
        run.scores |= {name: dict(scores[name]) for name in EVALUATED}


def _flat(settings: Mapping[str, Any], pictures: Mapping[str, int]) -> dict[str, Any]:
    """Settings and the number of images of each side; values of a mapping are called augmentation.flip.p."""
    flat: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}.{key}", inner if inner != {} else True)
        else:
            flat[name] = value

    for name, value in {**settings, **{f"{side}_pictures": count for side, count in pictures.items()}}.items():
        add(name, value)
    return flat


def _validation_scores(metrics: Mapping[str, Any] | None) -> dict[str, Score]:
    if not metrics:
        return {}
    scores = {}
    for name in VALIDATED:
        low, high = metrics.get("intervals", {}).get(name, (None, None))
        scores[CRITERIA[name].name] = {"value": metrics[name], "low": low, "high": high}
    return scores
