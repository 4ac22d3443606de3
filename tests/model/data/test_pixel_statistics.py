"""Mean and deviation of the training images, against NumPy on the images themselves."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.artifacts.saved_model import load_model
from model.data import pixel_statistics
from model.data.channel import read_channel
from model.data.pixel_statistics import normalised_by_data
from model.data.table import Table
from model.errors import Failure, Problems
from model.images.preprocessing import Preprocessing
from model.prediction import predict
from tests.model.data.test_integrity import make_table

SIZE = Preprocessing(48, 36)  # that of the drawn images, so that they are not resized


@pytest.fixture
def table(faces: Path) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def pixels(table: Table, rows: list[int] | range, mode: str = "RGB") -> np.ndarray:
    """From 0 to 1, (pixels of all images, channels)."""
    images = [np.asarray(Image.open(table.root / table.locations[row].path).convert(mode)) for row in rows]
    return np.stack(images).reshape(-1, len(mode)) / 255


@pytest.mark.parametrize("workers", [0, 3])
def test_it_is_the_mean_and_deviation_of_all_pixels(table, workers, caplog):
    caplog.set_level(logging.INFO)
    found = normalised_by_data(SIZE, table, seed=0, workers=workers)
    expected = pixels(table, range(len(table)))
    np.testing.assert_allclose(found.mean, expected.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.std, expected.std(axis=0), rtol=1e-9)
    assert "normalisation by mean and standard deviation of 168 training images: " in caplog.text
    grey = normalised_by_data(Preprocessing(48, 36, channels=1), table.take(range(9)), seed=0)
    np.testing.assert_allclose(grey.mean, pixels(table, range(9), "L").mean(axis=0), rtol=1e-9)


def test_a_sample_of_many_images_depends_only_on_the_seed(table, monkeypatch):
    whole = normalised_by_data(SIZE, table, seed=0).mean
    monkeypatch.setattr(pixel_statistics, "SAMPLE", 20)
    first, again, other = (normalised_by_data(SIZE, table, seed, workers) for seed, workers in ((1, 0), (1, 2), (2, 0)))
    assert first == again != other
    rows = np.random.default_rng(1).choice(len(table), 20, replace=False)
    np.testing.assert_allclose(first.mean, pixels(table, sorted(rows)).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(first.mean, whole, atol=0.1)


def test_processes_read_a_share_each_and_add_the_sums(table, monkeypatch):
    alone = normalised_by_data(SIZE, table, seed=0)
    totals = []
    for rank in (0, 1):  # the first pass collects what each process would send
        monkeypatch.setattr(pixel_statistics.distributed, "rank", lambda rank=rank: rank)
        monkeypatch.setattr(pixel_statistics.distributed, "world", lambda: 2)
        monkeypatch.setattr(pixel_statistics.distributed, "gather", lambda own: totals.append(own) or [own])
        normalised_by_data(SIZE, table, seed=0)
    monkeypatch.setattr(pixel_statistics.distributed, "gather", lambda own: totals)
    assert normalised_by_data(SIZE, table, seed=0) == alone


def test_padding_does_not_count_and_a_constant_channel_has_a_deviation(table, tmp_path):
    Image.new("RGB", (40, 20), (255, 0, 51)).save(tmp_path / "a.png")
    one = make_table(tmp_path, ["a.png"])
    found = normalised_by_data(Preprocessing(32, 32, fit="pad"), one, seed=0)
    assert found.mean == pytest.approx((1, 0, 0.2)) and found.std == pytest.approx((1 / 255,) * 3)
    assert found.fit == "pad" and found.fill() == (255, 0, 51)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(Failure, match="empty file"):
        normalised_by_data(SIZE, one, seed=0)


def test_training_saves_them_and_prediction_uses_them(faces, run_train):
    run = run_train(faces / "train", "--normalisation", "dataset", "--epochs", "1", "--fit", "stretch")
    saved, metrics = load_model(run), json.loads((run / "metrics.json").read_text())
    assert saved.settings.normalisation == "dataset" and saved.settings.mean == []
    preprocessing = saved.pipeline.preprocessing
    table = read_channel(faces / "train", Problems(""))
    assert metrics["data"]["train"]["pictures"] < len(table)
    expected = pixels(table, range(len(table)))
    np.testing.assert_allclose(preprocessing.mean, expected.mean(axis=0), atol=0.02)  # of 5/6 of the images, resized
    np.testing.assert_allclose(preprocessing.std, expected.std(axis=0), atol=0.05)
    assert preprocessing.mean != pytest.approx((0.485, 0.456, 0.406), abs=1e-3)
    assert list(json.loads((run / "preprocessing.json").read_text())["std"]) == list(preprocessing.std)
    assert len(predict(run, [table.root / table.locations[0].path], device="cpu", precision="fp32")) == 1
