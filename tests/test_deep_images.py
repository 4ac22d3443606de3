"""Jobs on images of more than 8 bits per channel: the same pixel range in training and inference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import inference
from model.errors import InputError
from model.images.decode import read_source
from model.prediction.api import predict

LOW, HIGH = 910, 1090  # of 4095: checks and stripes that plainly differ
FLAGS = ["--model", "test_resnet", "--input_size", "32", "32", "--batch_size", "4", "--augmentation", "none"]


def drawn(folder: Path, factor: int = 1, stray: bool = False) -> Path:
    """A channel of checks and stripes in 16-bit PNGs."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32] // 4
    for number in range(24):
        for kind, pattern in (("checks", (rows + columns) % 2), ("stripes", rows % 2)):
            values = np.where(pattern, HIGH, LOW) + draw.integers(-9, 10, (32, 32))
            if stray and number == 3:
                values[0, 0] = 4095 if kind == "checks" else 65535
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray((values * factor).clip(0, 65535).astype(np.uint16)).save(folder / kind / f"{number}.png")
    return folder


def saved(run: Path, name: str) -> dict:
    return json.loads((run / name).read_text())


@pytest.fixture(scope="module")
def channels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("deep")
    drawn(folder / "twelve")
    drawn(folder / "times16", 16)
    return folder


def test_images_multiplied_by_16_train_alike(channels, run_train):
    flags = [*FLAGS, "--epochs", "4", "--lr", "0.003"]
    runs = [run_train(channels / name, *flags, name=name) for name in ("twelve", "times16")]
    assert [saved(run, "preprocessing.json")["pixel_range"] for run in runs] == [[0, 2047], [0, 32767]]
    best = [saved(run, "metrics.json")["validation"] for run in runs]
    assert best[0]["f1"] == pytest.approx(best[1]["f1"], abs=0.15)
    assert best[0]["loss"] == pytest.approx(best[1]["loss"], abs=0.1)
    assert yaml.safe_load((runs[0] / "settings.yaml").read_text())["pixel_range"] == [0.0, 2047.0]


def test_single_outlying_pixels_only_change_themselves(channels, run_train, tmp_path):
    run = run_train(drawn(tmp_path / "stray", stray=True), *FLAGS)
    assert saved(run, "preprocessing.json")["pixel_range"] == [0, 2047]


def test_inference_and_the_python_api_use_the_saved_range(channels, run_train, tmp_path):
    run = run_train(channels / "twelve", *FLAGS, "--epochs", "2", "--lr", "0.003")
    eval_dir = tmp_path / "eval"
    eval_dir.mkdir()
    for name, source in (("a.png", "checks/1.png"), ("b.png", "stripes/2.png")):
        values = np.asarray(Image.open(channels / "twelve" / source))
        Image.fromarray(values).save(eval_dir / name)
        # the same image in 8 bits, as the range scales it
        scaled = np.asarray(read_source(channels / "twelve" / source, 1, pixel_range=(0, 2047)))
        assert np.array_equal(scaled, np.rint(values / 2047 * 255))
        Image.fromarray(scaled).save(eval_dir / f"eight-{name}")
    machine = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
    for views in ("1", "4"):
        where = ["--eval_dir", str(eval_dir), "--model_dir", str(run), "--output_data_dir", str(tmp_path / views)]
        assert inference.main([*where, *machine, "--num_tta", views]) == 0
        frame = pd.read_csv(tmp_path / views / "probabilities.csv", index_col=0)
        for name in ("a.png", "b.png"):
            assert frame.loc[name].tolist() == pytest.approx(frame.loc[f"eight-{name}"].tolist(), abs=1e-6)
    answered = predict(run, [eval_dir / "a.png"], device="cpu", precision="fp32")
    frame = pd.read_csv(tmp_path / "1" / "probabilities.csv", index_col=0)
    assert answered[list(frame.columns)].iloc[0].tolist() == pytest.approx(frame.loc["a.png"].tolist(), abs=1e-5)
    # a model of an earlier version has no range: 16 bits are used whole
    content = saved(run, "preprocessing.json")
    del content["pixel_range"]
    (run / "preprocessing.json").write_text(json.dumps(content))
    in_8_bits = Image.fromarray(np.rint(np.asarray(Image.open(eval_dir / "a.png")) / 257).astype(np.uint8))
    old = predict(run, [eval_dir / "a.png", in_8_bits], device="cpu", precision="fp32")
    classes = list(frame.columns)
    assert old[classes].iloc[0].tolist() == pytest.approx(old[classes].iloc[1].tolist(), abs=1e-6)


def test_a_set_range_is_used_and_another_range_prevents_resuming(channels, run_train, tmp_path, caplog):
    run = run_train(channels / "twelve", *FLAGS, "--pixel_range", "900", "1100")
    assert saved(run, "preprocessing.json")["pixel_range"] == [900, 1100]
    with pytest.raises(InputError, match="pixel_range must be two increasing numbers"):
        run_train(channels / "twelve", *FLAGS, "--pixel_range", "1100", "900")


def test_8_bit_data_have_no_range(tmp_path, run_train):
    for number in range(8):
        folder = tmp_path / "train" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (32, 32), 20 * number).save(folder / f"{number}.png")
    run = run_train(tmp_path / "train", *FLAGS)
    assert "pixel_range" not in saved(run, "preprocessing.json")
    assert yaml.safe_load((run / "settings.yaml").read_text())["pixel_range"] == []


def test_each_fold_has_the_range_of_its_own_training_images(tmp_path, run_train):
    """The validation images of one fold are all bright images."""
    for number in range(12):
        top = 15000 if number < 6 else 1000
        values = np.linspace(0, top, 1024).reshape(32, 32).astype(np.uint16) + number
        folder = tmp_path / "train"
        folder.mkdir(exist_ok=True)
        Image.fromarray(values).save(folder / f"{number}.png")
    rows = [f"{number}.png,{'ab'[number % 2]},{'bright' if number < 6 else 'dark'}" for number in range(12)]
    (tmp_path / "train" / "train.csv").write_text("\n".join(["path,label,group", *rows]) + "\n")
    run = run_train(tmp_path / "train", *FLAGS, "--folds", "2")
    ranges = [saved(run / fold, "preprocessing.json")["pixel_range"] for fold in ("fold1", "fold2")]
    assert sorted(ranges) == [[0, 1023], [0, 16383]]


def test_larger_images_are_read_if_max_pixels_allows_it(tmp_path, run_train, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for number in range(4):
        (tmp_path / "train" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 30), 50 * number).save(tmp_path / "train" / "ab"[number % 2] / f"{number}.png")
    with pytest.raises(
        InputError, match=r"too large \(4\):\s+a/0.png: more than 1,000 pixels; --max_pixels raises the limit"
    ):
        run_train(tmp_path / "train", *FLAGS)
    run = run_train(tmp_path / "train", *FLAGS, "--max_pixels", "1200")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    where = ["--eval_dir", str(tmp_path / "train"), "--model_dir", str(run), "--output_data_dir", str(tmp_path / "out")]
    assert inference.main([*where, "--num_workers", "0", "--device", "cpu"]) == 0
    assert not (tmp_path / "out" / "errors.csv").exists()  # as in training
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert inference.main([*where, "--num_workers", "0", "--device", "cpu", "--max_pixels", "1199"]) == 0
    assert (tmp_path / "out" / "errors.csv").read_text().count("too large: more than 1,199 pixels") == 4
