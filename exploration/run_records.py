"""Reads the runs below a folder: saved models, checkpoints of unfinished runs, ensembles and evaluations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import ENSEMBLE, METRICS, SETTINGS
from model.artifacts.metadata import read_settings_and_metrics
from model.errors import InputError
from model.evaluation.files import EVALUATION_JSON
from model.metrics.epoch_metrics import CRITERIA
from model.runtime.terminal import counted
from model.settings.fields import as_dict
from model.settings.train import TrainSettings

CHECKPOINTS = ".checkpoints"  # the hidden folder in which train.py keeps unfinished runs
SKIPPED = ("tensorboard", "wandb")  # folders in a run that hold no runs
VALIDATED = {"f1": "val F1", "acc": "val accuracy"}  # scores of the validation images, with their headers
EVALUATED = {CRITERIA[name].score: CRITERIA[name].label for name in VALIDATED}  # those of evaluation.json
SCORES = EVALUATED | {CRITERIA[name].name: header for name, header in VALIDATED.items()}

Score = dict[str, float | None]


@dataclass
class Run:
    """A run as its files describe it.

    Attributes:
        folder: Of the saved model, or where it will be saved.
        saved: When its newest file was written.
        finished: Whether the training ended by itself.
        done: Epochs (`3/10`), or the number of models of an ensemble, as text.
        settings: Those that change the result, flat: augmentation.flip.p.
        seconds: Duration of the training.
        scores: By the names of SCORES; each has value, low and high, the bounds None without an interval.
        data: The training channel and its number of classes; "" where that is not recorded, as in a checkpoint.
    """

    folder: Path
    saved: datetime
    finished: bool
    done: str
    settings: dict[str, Any]
    seconds: float
    scores: dict[str, Score] = field(default_factory=dict)
    data: str = ""


def find_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Every run below root with its newest evaluation, and an error message for each file that cannot be read."""
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

    # A checkpoint replaces an unfinished saved model: it has the later state.
    for folder, names in folders:
        if {METRICS, SETTINGS} <= names:
            add(folder / METRICS, partial(_saved_run, folder))
    for folder, names in folders:
        if any(name.startswith("checkpoint-") for name in names):
            add(folder, partial(_unfinished_run, folder))
    # The innermost ensembles first, as members may be ensembles themselves.
    for folder, names in reversed(folders):
        if ENSEMBLE in names:
            add(folder / ENSEMBLE, partial(_ensemble, folder, runs))
    # The newest evaluation last: it replaces the scores of older ones.
    evaluations = [folder / EVALUATION_JSON for folder, names in folders if EVALUATION_JSON in names]
    for path in sorted(evaluations, key=lambda path: path.stat().st_mtime_ns):
        add(path, partial(_add_evaluation, path, runs))
    return list(runs.values()), errors


def _walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Folders below root that may hold runs, with the names of their files."""
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
        data=_data_text(metrics["data"]),
    )


def _data_text(data: Mapping[str, Any]) -> str:
    """data: of metrics.json; versions before 0.2 do not record its name."""
    return f"{data['name']}, {counted(len(data['train']['class_counts']), 'class')}" if "name" in data else ""


def _unfinished_run(folder: Path) -> Run | None:
    """The run of the newest checkpoint in a folder; None if it is finished, or a plan whose models have their own."""
    from model.training.checkpoints import Checkpoints  # torch, seconds of it, only where a run is unfinished

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
    """An ensemble with the settings that its members share, else `various`; None if no member can be read."""
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
        data=members[0].data,
    )


def _add_evaluation(path: Path, runs: Mapping[Path, Run]) -> None:
    """Adds the scores of an evaluation.json to its run: the one in whose folder it is, else the only one below it."""
    above = next((runs[folder] for folder in path.parents if folder in runs), None)
    below = [run for folder, run in runs.items() if path.parent in folder.parents]
    run = above or (below[0] if len(below) == 1 else None)
    if run is not None:
        scores = json.loads(path.read_text(encoding="utf-8"))["rarebird"]
        run.scores |= {name: dict(scores[name]) for name in EVALUATED}


def _flat(settings: Mapping[str, Any], pictures: Mapping[str, int]) -> dict[str, Any]:
    """Settings and the number of images of each side; the values of a mapping under names such as
    augmentation.flip.p."""
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
