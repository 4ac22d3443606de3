"""Saved models: the least files that pass as one, and untrained networks."""

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


@pytest.fixture(scope="session")
def models(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained models: `a` and `b` of the joint class, with other weights and sizes, and one an attribute."""
    import train

    folder = tmp_path_factory.mktemp("models")
    small = ["--model", "resnet10t", "--pretrained", "false", "--epochs", "0", "--device", "cpu", "--precision", "fp32"]
    kinds = {
        "a": ["--seed", "1", "--input_size", "32", "24"],
        "b": ["--seed", "2", "--input_size", "40", "30"],
        **{name: ["--target", name, "--input_size", "32", "24"] for name in ("mask", "gender", "age")},
    }
    for name, flags in kinds.items():
        where = ["--train_dir", str(faces / "train"), "--model_dir", str(folder), "--name", name]
        assert train.main([*small, *where, *flags]) == 0
    return folder


@pytest.fixture(scope="session")
def pictures(faces: Path) -> list[Path]:
    return sorted((faces / "eval" / "images").iterdir())[:7]
