"""A saved model, the result of a training run: a folder of safetensors weights, settings, labels, preprocessing,
metrics and a model card. Inference, evaluation and serving need nothing else, and never load a pickle.

Imports no torch: the network is read by the backend that predicts with it (model.prediction.backends).
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
    """A model that was loaded from its folder, without its network.

    Attributes:
        folder: The model's folder.
        settings: Settings of its training.
        heads: Heads of the network, with the label scheme.
        pipeline: Makes its inputs of images.
        decision: How its probabilities become a class.
        metrics: Content of metrics.json: finished, validation scores, history, data, versions.
    """

    folder: Path
    settings: TrainSettings
    heads: Heads
    pipeline: InputPipeline
    metrics: dict[str, Any]
    decision: Decision = Decision()

    @property
    def scheme(self) -> Scheme:
        """Labels of its answers."""
        return self.heads.scheme

    def labels(self) -> dict[str, Any]:
        """What labels.json holds of the classes."""
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
    """Writes a saved model's files into folder, each atomically.

    metrics.json, which says whether the run is finished, is written last: a folder with it is whole.

    Args:
        folder: The model's folder.
        weights: State of the network by parameter name.
        settings: Settings of the training.
        heads: Heads of the network, with the label scheme.
        pipeline: Makes its inputs of images.
        metrics: Content of metrics.json.
        decision: How its probabilities become a class.
        learnt_from: Images that the training saw; None where they are not known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    # safetensors takes contiguous arrays alone; ascontiguousarray makes an axis for a scalar
    contiguous = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in weights.items()}
    with write_beside(folder / WEIGHTS) as path:
        save_file(contiguous, path)
    write_text(folder / SETTINGS, yaml.safe_dump(portable_settings(settings), allow_unicode=True, sort_keys=False))
    write_json(folder / LABELS, heads.to_dict())
    write_json(folder / PREPROCESSING, pipeline.to_dict())
    write_text(folder / CARD, model_card(settings, heads, pipeline.preprocessing, metrics, decision))
    write_decision(folder, decision)
    write_learnt_from(folder, learnt_from)
    write_json(folder / METRICS, dict(metrics))


def load_model(folder: Path) -> SavedModel:
    """Loads the saved model in folder, all but the network.

    Raises:
        InputError: A file is missing or damaged; the message names it.
    """
    if missing := missing_files(folder):
        raise InputError(f"model {folder}: {listing(missing)} missing; a saved model holds {listing(needed_files())}")
    try:
        settings, metrics = read_settings_and_metrics(folder)
        labels = read_json_object(folder / LABELS)
        heads = Heads.from_dict(Scheme.from_dict(labels), labels)
        pipeline = InputPipeline.from_dict(read_json_object(folder / PREPROCESSING))
        decision = read_decision(folder, heads.scheme.num_classes)
    except InputError as error:
        raise InputError(f"model {folder}: {error}") from None
    return SavedModel(folder, settings, heads, pipeline, metrics, decision)
