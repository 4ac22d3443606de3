"""A saved model, the result of a training run: a folder of safetensors weights, settings, labels, preprocessing,
metrics and a model card. Inference, evaluation and serving need nothing else, and never load a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.artifacts.decision_file import read_decision, write_decision
from model.artifacts.files import CARD, LABELS, METRICS, NEEDED, PREPROCESSING, SETTINGS, WEIGHTS, missing_files
from model.artifacts.metadata import read_json_object, read_settings_and_metrics
from model.artifacts.model_card import model_card
from model.atomic_write import remove_parts, write_beside, write_json, write_text
from model.decisions import Decision
from model.errors import InputError, listing
from model.images.preprocessing import Preprocessing
from model.labels import Scheme
from model.network.backbone import make_backbone
from model.network.heads import Heads
from model.network.network import Network
from model.settings.fields import as_dict
from model.settings.train import TrainSettings


@dataclass(frozen=True)
class SavedModel:
    """A model that was loaded from its folder.

    metrics: content of metrics.json: finished, validation scores, history, data, versions.
    """

    folder: Path
    network: Network
    heads: Heads
    preprocessing: Preprocessing
    settings: TrainSettings
    metrics: dict[str, Any]
    decision: Decision = Decision()

    @property
    def scheme(self) -> Scheme:
        return self.heads.scheme

    def labels(self) -> dict[str, Any]:
        """What labels.json holds of the classes."""
        return self.heads.labels()


def save_model(
    folder: Path,
    weights: Mapping[str, torch.Tensor],
    settings: TrainSettings,
    heads: Heads,
    preprocessing: Preprocessing,
    metrics: Mapping[str, Any],
    decision: Decision = Decision(),
) -> None:
    """Writes a saved model's files into folder, each atomically.

    metrics.json, which says whether the run is finished, is written last: a folder with it is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    with write_beside(folder / WEIGHTS) as path:
        save_file({name: value.contiguous() for name, value in weights.items()}, path)
    write_text(folder / SETTINGS, yaml.safe_dump(as_dict(settings), allow_unicode=True, sort_keys=False))
    write_json(folder / LABELS, heads.to_dict())
    write_json(folder / PREPROCESSING, preprocessing.to_dict())
    write_text(folder / CARD, model_card(settings, heads, preprocessing, metrics, decision))
    write_decision(folder, decision)
    write_json(folder / METRICS, dict(metrics))


def load_model(folder: Path) -> SavedModel:
    """Loads the saved model in folder, on the CPU and in evaluation mode.

    Raises:
        InputError: a file is missing or damaged, or the weights do not fit the settings; the message names it.
    """
    if missing := missing_files(folder):
        raise InputError(f"model {folder}: {listing(missing)} missing; a saved model holds {listing(NEEDED)}")
    try:
        settings, metrics = read_settings_and_metrics(folder)
        labels = read_json_object(folder / LABELS)
        scheme = Scheme.from_dict(labels)
        heads = Heads.from_dict(scheme, labels)
        preprocessing = Preprocessing.from_dict(read_json_object(folder / PREPROCESSING))
        decision = read_decision(folder, scheme.num_classes)
    except InputError as error:
        raise InputError(f"model {folder}: {error}") from None
    backbone = make_backbone(settings.model, preprocessing, settings.drop_path, model_args=settings.model_args)
    network = Network(backbone, heads, settings.hidden_layers, settings.dropout)
    network.load_state_dict(_read_weights(folder / WEIGHTS, network))
    network.eval()
    return SavedModel(folder, network, heads, preprocessing, settings, metrics, decision)


def _read_weights(path: Path, network: Network) -> dict[str, torch.Tensor]:
    """Tensors by name, which are exactly those of network. InputError lists what is missing, unknown or misshapen."""
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
            problems = [f"{name} is missing" for name in expected if name not in shapes]
            problems += [f"{name} is unknown" for name in shapes if name not in expected]
            problems += [
                f"{name} has shape {list(shapes[name])}, not {list(expected[name])}"
                for name in expected
                if name in shapes and shapes[name] != expected[name]
            ]
            if problems:
                raise InputError(f"{path}: the weights do not fit {SETTINGS} and {LABELS}: {listing(problems, 6)}")
            return {name: file.get_tensor(name) for name in expected}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
