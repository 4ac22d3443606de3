"""A channel with metadata, and models that read it. The drawn images are noise; only the metadata has something of the
class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import inference
import train
from model.prediction import predict

SHOPS, KINDS = ("north", "south"), ("a", "b", "c")
COLUMNS = ["kind", "shop", "price"]
SMALL = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "16"]
SMALL += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--report", "false", "--tracking", "none"]
FUSED = ["--fusion", "concat", "--metadata_columns", ",".join(COLUMNS), "--metadata_dropout", "0.1"]
MACHINE = ["--device", "cpu", "--precision", "fp32", "--num_workers", "0"]


def draw_channel(folder: Path, number: int, seed: int, labels: bool) -> Path:
    """A channel of noise: label = kind, but for one image in ten; every tenth shop is empty."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    kinds = generator.integers(3, size=number)
    classes = np.where(generator.random(number) < 0.1, generator.integers(3, size=number), kinds)
    for row in range(number):
        pixels = generator.integers(256, size=(32, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{row:03d}.png")
    table = pd.DataFrame({"image_name": [f"{row:03d}.png" for row in range(number)]})
    table["kind"] = np.array(KINDS)[kinds]
    table["shop"] = np.where(np.arange(number) % 10 == 0, "", np.array(SHOPS)[generator.integers(2, size=number)])
    table["price"] = generator.lognormal(size=number).round(2)
    if labels:
        table["label"] = np.array(["x", "y", "z"])[classes]
    table.to_csv(folder / ("train.csv" if labels else "info.csv"), index=False)
    return folder


@pytest.fixture(scope="session")
def channels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fusion")
    draw_channel(folder / "train", 120, 0, labels=True)
    draw_channel(folder / "eval", 24, 1, labels=False)
    return folder


@pytest.fixture(scope="session")
def models(channels, tmp_path_factory) -> Path:
    """`fused`, `only` (metadata) and `plain`, trained for a moment."""
    folder = tmp_path_factory.mktemp("models")
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(folder)]
    flags = {
        "fused": [*FUSED, "--epochs", "4", "--lr", "0.02"],
        "only": ["--fusion", "metadata", *FUSED[2:], "--epochs", "4", "--lr", "0.05"],
        "plain": ["--epochs", "1"],
    }
    for name, own in flags.items():
        assert train.main([*SMALL, *where, "--name", name, *own]) == 0
    return folder


def answers(model: Path, channel: Path, output: Path, *flags: str, job=inference) -> np.ndarray:
    """The probabilities of inference, float64 (images, classes)."""
    where = ["--eval_dir", str(channel), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert job.main([*where, *MACHINE, *flags]) == 0
    return pd.read_csv(output / "probabilities.csv").iloc[:, 1:].to_numpy()


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy(np.float64)


@pytest.fixture(scope="session")
def images(channels) -> list[Path]:
    return sorted((channels / "eval" / "images").iterdir())


@pytest.fixture(scope="session")
def table(channels) -> pd.DataFrame:
    return pd.read_csv(channels / "eval" / "info.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="session")
def expected(models, images, table) -> np.ndarray:
    """Probabilities of the fused model from Python."""
    return probabilities(predict(models / "fused", images, metadata=table, device="cpu", precision="fp32"))
