"""Checks that a saved model or ensemble is complete: files, header of the weights, settings and labels. No torch."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.artifacts.decision_file import read_decision
from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import (
    DECISION,
    LABELS,
    LEARNT_FROM,
    METRICS,
    PREPROCESSING,
    WEIGHTS,
    is_ensemble,
    is_saved_model,
    missing_files,
    network_file,
)
from model.artifacts.metadata import load_json_object, read_json_object, read_settings_and_metrics
from model.errors import Failure, InputError, listing
from model.labels import Scheme

LENGTH_BYTES = 8  # at the start of a safetensors file: the length of its header, little-endian
MAX_HEADER_BYTES = 100_000_000  # that the format allows


@dataclass(frozen=True)
class Verified:
    """A model that passed verify().

    Attributes:
        folder: Its folder.
        models: Number of saved models; more than 1 for an ensemble.
        classes: Number of joint classes of the channel that the model was trained on.
        backbone: Name in timm; comma-separated if the members of an ensemble have different ones.
        finished: Whether training was not stopped early.
    """

    folder: Path
    models: int
    classes: int
    backbone: str
    finished: bool

    def __str__(self) -> str:
        models = f"{self.models} models, " if self.models > 1 else ""
        stopped = "" if self.finished else ", training was stopped early"
        return f"{models}{self.backbone}, {self.classes} classes{stopped}"


def verify(folder: Path) -> Verified:
    """Checks the model in a folder and describes it. Failure, with the reason, if no job could use it."""
    problem = model_problem(folder)
    if problem:
        raise Failure(f"the job returned no usable model: {problem}")
    finished = read_ensemble_file(folder).finished if is_ensemble(folder) else True
    backbones, classes = set(), 0
    models = list(_saved_models(folder))
    for model in models:
        try:
            settings, metrics = read_settings_and_metrics(model)
            labels = read_json_object(model / LABELS)
            scheme = Scheme.from_dict(labels.get("channel", labels))
            Scheme.from_dict(labels)
        except InputError as error:
            raise Failure(f"the job returned no usable model: {model}: {error}") from None
        backbones.add(settings.model)
        classes = scheme.num_classes
        finished = finished and bool(metrics.get("finished"))
    return Verified(folder, len(models), classes, ", ".join(sorted(backbones)), finished)


def model_problem(folder: Path) -> str | None:
    """Why no job could use the model or ensemble in a folder; None if it is complete.

    Reads the small files and the header of the weights, so that it is fast for models of any size.
    """
    if is_ensemble(folder):
        try:
            ensemble = read_ensemble_file(folder)
        except InputError as error:
            return str(error)
        problems = (model_problem(folder / path) for path in ensemble.paths)
        return next((problem for problem in problems if problem), None) or _decision_problem(folder)
    if not is_saved_model(folder):
        entries = listing(sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else ""
        return f"{folder} contains no saved model; it contains {entries or 'nothing'}"
    if missing := missing_files(folder):
        return f"model {folder}: missing files: {listing(missing)}"
    for name in (LABELS, PREPROCESSING, METRICS):
        try:
            load_json_object(folder / name)
        except (OSError, ValueError, TypeError) as error:
            return f"{folder / name} cannot be read: {error}"
    if (folder / LEARNT_FROM).exists() and not zipfile.is_zipfile(folder / LEARNT_FROM):
        return f"{folder / LEARNT_FROM} is not a NumPy archive"
    weights = _weights_problem(folder / WEIGHTS) if network_file(folder) == WEIGHTS else None
    return weights or _decision_problem(folder)


def _decision_problem(folder: Path) -> str | None:
    """Why decision.json does not fit the classes of labels.json; None if it does, or if there is no decision.json."""
    if not (folder / DECISION).exists():
        return None
    try:
        read_decision(folder, Scheme.from_dict(read_json_object(folder / LABELS)).num_classes)
    except InputError as error:
        return f"{folder}: {error}"
    return None


def _weights_problem(path: Path) -> str | None:
    """Why a safetensors file is damaged: its header must be JSON, and its last tensor must end at the end of the file.

    Documentation of safetensors, "Format": the header's length, the header as JSON, then the tensors.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            header: Any = json.loads(file.read(length)) if length <= MAX_HEADER_BYTES else None
            size = os.fstat(file.fileno()).st_size
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{path} cannot be read: {type(error).__name__}: {error}"
    expected = LENGTH_BYTES + length + max(ends, default=0)
    return (
        None if size == expected and ends else f"{path} has {size:,} bytes, but its header describes {expected:,} bytes"
    )


def _saved_models(folder: Path) -> Iterator[Path]:
    """Folders of the saved models: the folder itself, or the members of the ensemble in order."""
    if not is_ensemble(folder):
        yield folder
        return
    for path in read_ensemble_file(folder).paths:
        yield from _saved_models(folder / path)
