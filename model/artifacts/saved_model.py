"""A run ends as one folder of readable files: weights, settings, labels, preprocessing, metrics and a card.
Inference, evaluation and serving take nothing else, and never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.artifacts.files import CARD, LABELS, METRICS, NEEDED, PREPROCESSING, SETTINGS, WEIGHTS
from model.artifacts.metadata import read_json, read_records
from model.artifacts.model_card import model_card
from model.atomic_write import remove_parts, write_beside, write_json, write_text
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
    """metrics: finished, validation scores, history, data and versions, as metrics.json holds them."""

    folder: Path
    network: Network
    heads: Heads
    preprocessing: Preprocessing
    settings: TrainSettings
    metrics: dict[str, Any]

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
) -> None:
    """Writes the saved model's files into folder, each beside its place first; metrics.json, which says whether the
    run is finished, last."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    with write_beside(folder / WEIGHTS) as path:
        save_file({name: value.contiguous() for name, value in weights.items()}, path)
    write_text(folder / SETTINGS, yaml.safe_dump(as_dict(settings), allow_unicode=True, sort_keys=False))
    write_json(folder / LABELS, heads.to_dict())
    write_json(folder / PREPROCESSING, preprocessing.to_dict())
    write_text(folder / CARD, model_card(settings, heads, preprocessing, metrics))
    write_json(folder / METRICS, dict(metrics))


def load_model(folder: Path) -> SavedModel:
    """A saved model from its folder. InputError names what is missing or does not fit together."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise InputError(f"model {folder}: {listing(missing)} missing; a saved model holds {listing(NEEDED)}")
    try:
        settings, metrics = read_records(folder)
        labels = read_json(folder / LABELS)
        scheme = Scheme.from_dict(labels)
        heads = Heads.from_dict(scheme, labels)
        preprocessing = Preprocessing.from_dict(read_json(folder / PREPROCESSING))
    except InputError as error:
        raise InputError(f"model {folder}: {error}") from None
    backbone = make_backbone(settings.model, preprocessing, settings.drop_path, model_args=settings.model_args)
    network = Network(backbone, heads, settings.hidden_layers, settings.dropout)
    network.load_state_dict(_weights(folder / WEIGHTS, network))
    network.eval()
    return SavedModel(folder, network, heads, preprocessing, settings, metrics)


def _weights(path: Path, network: Network) -> dict[str, torch.Tensor]:
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
            faults = [f"{name} is missing" for name in wanted if name not in found]
            faults += [f"{name} is unknown" for name in found if name not in wanted]
            faults += [
                f"{name} has shape {list(found[name])}, not {list(wanted[name])}"
                for name in wanted
                if name in found and found[name] != wanted[name]
            ]
            if faults:
                raise InputError(f"{path}: the weights do not fit {SETTINGS} and {LABELS}: {listing(faults, 6)}")
            return {name: file.get_tensor(name) for name in wanted}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
