"""Saved models: writes and loads the folder that a training run ends with.

It contains safetensors weights, settings, labels, preprocessing, metrics and a model card. Inference, evaluation and
serving need nothing else, and no pickle is loaded. This module imports no torch: a backend (model.prediction.backends)
reads the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors.numpy import save_file

from model.artifacts.decision_file import read_decision, write_decision
from model.artifacts.files import (
    CARD,
    LABELS,
    METRICS,
    PREPROCESSING,
    SETTINGS,
    WEIGHTS,
    missing_files,
    needed_files,
)
from model.artifacts.learnt_from import LearntFrom, write_learnt_from
from model.artifacts.metadata import read_json_object, read_settings_and_metrics
from model.artifacts.model_card import model_card
from model.artifacts.provenance import portable_settings
from model.atomic_write import remove_parts, write_beside, write_json, write_text
from model.decisions import Decision
from model.errors import InputError, listing
from model.images.pipeline import InputPipeline
from model.labels import Scheme
from model.network.heads import Heads
from model.settings.train import TrainSettings


@dataclass(frozen=True)
class SavedModel:
    """A saved model without its network.

    Attributes:
        folder: The model's folder.
        settings: Settings of its training.
        heads: Heads of the network, with the label scheme.
        pipeline: Creates the network's inputs from images.
        metrics: Content of metrics.json: finished, validation scores, history, data, versions.
        decision: How its probabilities become a class.
    """

    folder: Path
    settings: TrainSettings
    heads: Heads
    pipeline: InputPipeline
    metrics: dict[str, Any]
    decision: Decision = Decision()

    @property
    def scheme(self) -> Scheme:
        """Labels of its predictions."""
        return self.heads.scheme

    def labels(self) -> dict[str, Any]:
        """The classes as labels.json describes them."""
        return self.heads.labels()


def save_model(
    folder: Path,
    weights: Mapping[str, NDArray[Any]],
    settings: TrainSettings,
    heads: Heads,
    pipeline: InputPipeline,
    metrics: Mapping[str, Any],
    decision: Decision = Decision(),
    learnt_from: LearntFrom | None = None,
) -> None:
    """Writes the files of a saved model, each atomically.

    metrics.json, which says whether the run is finished, is written last: a folder with it is complete.

    Args:
        folder: The model's folder.
        weights: State of the network by parameter name.
        settings: Settings of the training.
        heads: Heads of the network, with the label scheme.
        pipeline: Creates the network's inputs from images.
        metrics: Content of metrics.json.
        decision: How the probabilities become a class.
        learnt_from: Images that training used; None if they are not known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    write_weights(folder / WEIGHTS, weights)
    write_text(folder / SETTINGS, yaml.safe_dump(portable_settings(settings), allow_unicode=True, sort_keys=False))
    write_json(folder / LABELS, heads.to_dict())
    write_json(folder / PREPROCESSING, pipeline.to_dict())
    write_text(folder / CARD, model_card(settings, heads, pipeline.preprocessing, metrics, decision))
    write_decision(folder, decision)
    write_learnt_from(folder, learnt_from)
    write_json(folder / METRICS, dict(metrics))


def write_weights(file: Path, weights: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file atomically. metadata: texts by name, in its header."""
    # safetensors requires contiguous arrays; ascontiguousarray adds an axis to scalars, which reshape removes
    contiguous = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in weights.items()}
    with write_beside(file) as path:
        save_file(contiguous, path, None if metadata is None else dict(metadata))


def load_model(folder: Path) -> SavedModel:
    """Loads the saved model in a folder, without its network.

    Raises:
        InputError: A file is missing or damaged; the message names it.
    """
    if missing := missing_files(folder):
        raise InputError(
            f"model {folder}: missing files: {listing(missing)}; a saved model has {listing(needed_files())}"
        )
    try:
        settings, metrics = read_settings_and_metrics(folder)
        labels = read_json_object(folder / LABELS)
        heads = Heads.from_dict(Scheme.from_dict(labels), labels)
        pipeline = InputPipeline.from_dict(read_json_object(folder / PREPROCESSING))
        decision = read_decision(folder, heads.scheme.num_classes)
    except InputError as error:
        raise InputError(f"model {folder}: {error}") from None
    return SavedModel(folder, settings, heads, pipeline, metrics, decision)
