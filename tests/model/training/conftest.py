"""Fixtures: a small network, and the files of a saved model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from safetensors.torch import save_file

from model.artifacts.files import LABELS, METRICS, SETTINGS, WEIGHTS
from model.atomic_write import write_json
from model.network.backbone import make_preprocessing
from model.network.heads import Heads
from model.network.network import Network
from model.settings.fields import Layer, as_dict, build
from model.settings.train import TrainSettings
from model.weights.initial_weights import make_network


def tiny_network(heads: Heads, hidden_layers: Sequence[int] = (), **values: object) -> tuple[Network, TrainSettings]:
    """A network with random weights, and its settings. values: further settings."""
    small = {"model": "test_resnet", "pretrained": False, "input_size": [32, 24], "hidden_layers": list(hidden_layers)}
    settings = build(TrainSettings, [Layer("--{}", {**small, **values})])
    return make_network(settings, heads, make_preprocessing(settings)), settings


def save_network(folder: Path, network: Network, heads: Heads, settings: TrainSettings) -> None:
    """Writes the files of a saved model that reading weights needs."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), folder / WEIGHTS)
    (folder / SETTINGS).write_text(yaml.safe_dump(as_dict(settings)))
    write_json(folder / LABELS, heads.to_dict())
    write_json(folder / METRICS, {"finished": True})
