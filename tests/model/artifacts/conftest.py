"""Saved models: the least files that pass as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write_model() -> Callable[..., Path]:
    """Writes the files of a saved model into a folder, without a network; returns the folder."""

    def write(folder: Path, finished: bool = True, classes: tuple[str, ...] = ("worn", "none")) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
        (folder / "settings.yaml").write_text("model: resnet10t\nepochs: 3\n")
        (folder / "labels.json").write_text(json.dumps({"attributes": [{"name": "mask", "values": classes}]}))
        (folder / "preprocessing.json").write_text("{}")
        (folder / "metrics.json").write_text(json.dumps({"finished": finished}))
        return folder

    return write
