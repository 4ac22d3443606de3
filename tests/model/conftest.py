"""Untrained models, and images to predict with them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained models: `a` and `b` of the joint class, with different weights and sizes, and one per attribute."""
    import train

    folder = tmp_path_factory.mktemp("models")
    small = ["--model", "test_resnet", "--pretrained", "false", "--epochs", "0"]
    small += ["--device", "cpu", "--precision", "fp32", "--report", "false", "--tracking", "none"]
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
