"""Stitched images: their pixels, the errors, and a model of four channels through every job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient

from container.serve.app import Server
from exploration import stitch
from model.artifacts.saved_model import load_model
from model.errors import InputError
from model.prediction import predict
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings

SUFFIXES = ("R", "G", "B", "Y")


def write(folder: Path, name: str, suffixes: Sequence[str] = SUFFIXES, size: tuple[int, int] = (30, 20)) -> np.ndarray:
    """Writes grey files of noise, and returns them as uint8 (height, width, channels)."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    bands = np.random.default_rng(len(name)).integers(0, 256, (len(suffixes), *reversed(size)), np.uint8)
    for band, suffix in zip(bands, suffixes):
        Image.fromarray(band).save(folder / f"{name}_{suffix}.png")
    return np.moveaxis(bands, 0, 2)


def run(channel: Path, output: Path, *suffixes: str) -> int:
    return stitch.main([str(channel), "--output", str(output), "--suffixes", *suffixes, "--num_workers", "2"])


def test_the_files_of_an_id_become_the_channels_of_one_image(tmp_path, capsys):
    channel, output = tmp_path / "cells", tmp_path / "out"
    first, second = write(channel, "12"), write(channel, "plate 1/a_G_7", size=(7, 5))
    (channel / "train.csv").write_text("ImageID,label\n12.png,x\n")
    assert run(channel, output, *SUFFIXES) == 0
    assert f"{output}: 2 images of 4 channels, 1 other files" in capsys.readouterr().out
    for path, expected in (("12.png", first), ("plate 1/a_G_7.png", second)):
        image = Image.open(output / path)
        assert image.mode == "RGBA" and np.array_equal(np.asarray(image), expected)
    assert (output / "train.csv").read_bytes() == (channel / "train.csv").read_bytes()
    assert sum(path.is_file() for path in output.rglob("*")) == 3


def test_three_channels_in_the_order_of_the_suffixes_which_may_have_a_sign(tmp_path):
    pixels = write(tmp_path / "cells", "1", ["x-b", "x-a", "x-c"])
    assert run(tmp_path / "cells", tmp_path / "out", "-a", "-b", "-c") == 0
    image = Image.open(tmp_path / "out" / "1_x.png")
    assert image.mode == "RGB" and np.array_equal(np.asarray(image), pixels[..., [1, 0, 2]])


def test_all_problems_are_reported_and_nothing_is_written(tmp_path):
    channel, output = tmp_path / "cells", tmp_path / "out"
    for name in ("good", "missing", "sizes", "deep", "broken"):
        write(channel, name)
    (channel / "missing_G.png").unlink()
    (channel / "missing_Y.png").unlink()
    (channel / "broken_R.png").write_bytes(b"no image")
    Image.new("L", (31, 20)).save(channel / "sizes_B.png")
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(channel / "deep_R.png")
    (channel / "other_yy.png").write_bytes(b"")
    with pytest.raises(InputError) as error:
        run(channel, output, *SUFFIXES)
    assert "missing: no file of G, Y" in str(error.value) and "other_yy.png" in str(error.value)
    (channel / "other_yy.png").unlink()
    for suffix in "RB":
        (channel / f"missing_{suffix}.png").unlink()
    with pytest.raises(InputError) as error:
        run(channel, output, *SUFFIXES)
    for text in ("broken_R.png: cannot be identified", "sizes_B.png 31x20", "more than 8 bits", "deep_R.png"):
        assert text in str(error.value)
    assert "good" not in str(error.value) and not output.exists()


def test_two_files_of_a_channel_and_colour_images_are_errors(tmp_path):
    write(tmp_path / "cells", "1")
    Image.new("RGB", (30, 20), "red").save(tmp_path / "cells" / "1_R.jpg")
    with pytest.raises(InputError, match="two files of one channel"):
        run(tmp_path / "cells", tmp_path / "out", *SUFFIXES)
    (tmp_path / "cells" / "1_R.png").unlink()
    with pytest.raises(InputError, match=r"1_R\.jpg: is a colour image; each file must have one grey channel"):
        run(tmp_path / "cells", tmp_path / "out", *SUFFIXES)


@pytest.mark.parametrize(
    ("output", "suffixes", "message"),
    [
        ("out", ["R", "G"], "suffixes must be 3 or 4 different names, such as R G B Y, not R G"),
        ("out", ["R", "G", "R"], "3 or 4 different names"),
        ("cells/out", SUFFIXES, "is in the channel"),
        ("", SUFFIXES, "already exists"),
    ],
)
def test_wrong_settings_are_errors(tmp_path, output, suffixes, message):
    write(tmp_path / "cells", "1")
    with pytest.raises(InputError, match=message):
        run(tmp_path / "cells", tmp_path / output, *suffixes)


@pytest.fixture
def stitched(tmp_path: Path) -> Path:
    """A channel with train.csv and one with info.csv. The label is the brightness of the fourth channel."""
    rng = np.random.default_rng(0)
    for name, count in (("train", 60), ("eval", 12)):
        for number in range(count):
            bands = rng.integers(0, 256, (4, 24, 32), np.uint8)
            bands[3] = bands[3] // 4 + 20 * (number % 2)
            (tmp_path / "files" / name).mkdir(parents=True, exist_ok=True)
            for band, suffix in zip(bands, SUFFIXES):
                Image.fromarray(band).save(tmp_path / "files" / name / f"{number}_{suffix}.png")
        names = pd.DataFrame({"ImageID": [f"{number}.png" for number in range(count)]})
        labels = names.assign(label=["dark", "bright"] * (count // 2))
        (labels if name == "train" else names).to_csv(
            tmp_path / "files" / name / f"{'train' if name == 'train' else 'info'}.csv", index=False
        )
        assert run(tmp_path / "files" / name, tmp_path / "stitched" / name, *SUFFIXES) == 0
    return tmp_path / "stitched"


def test_a_model_of_four_channels_gives_equal_answers_in_every_job(stitched, run_train, tmp_path):
    import inference
    import inference_TTA

    flags = ["--channels", "4", "--normalisation", "dataset", "--epochs", "8", "--lr", "0.01", "--batch_size", "16"]
    flags += ["--augmentation", '{"flip": {}, "random_resized_crop": {}, "erasing": {}}', "--loss", "cross_entropy"]
    model = run_train(stitched / "train", *flags)
    preprocessing = load_model(model).pipeline.preprocessing
    assert (
        preprocessing.channels == len(preprocessing.mean) == 4 and preprocessing.mean[3] < 0.3 < preprocessing.mean[0]
    )
    assert json.loads((model / "metrics.json").read_text())["validation"]["acc"] > 0.9
    paths = [stitched / "eval" / f"{number}.png" for number in range(12)]
    expected = predict(model, paths, device="cpu", precision="fp32")
    assert expected["name"].tolist() == ["dark", "bright"] * 6
    common = ["--eval_dir", str(stitched / "eval"), "--model_dir", str(model), "--device", "cpu", "--precision", "fp32"]
    for job in (inference, inference_TTA):
        assert job.main([*common, "--num_workers", "0", "--output_data_dir", str(tmp_path / job.__name__)]) == 0
    probabilities = pd.read_csv(tmp_path / "inference" / "probabilities.csv").iloc[:, 1:].to_numpy()
    views = pd.read_csv(tmp_path / "inference_TTA" / "probabilities.csv").iloc[:, 1:].to_numpy()
    assert (views.argmax(axis=1) == probabilities.argmax(axis=1)).all() and not np.allclose(views, probabilities)
    settings = build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32"})])
    with TestClient(Server(settings, model, lambda error: pytest.fail(str(error))).app()) as client:
        while client.get("/ping").status_code != 200:
            pass
        for row, path in enumerate(paths[:2]):
            answer = client.post("/invocations", content=path.read_bytes(), headers={"Content-Type": "image/png"})
            np.testing.assert_allclose(answer.json()["probabilities"], probabilities[row], atol=1e-5)
        single = (tmp_path / "files" / "eval" / "0_R.png").read_bytes()
        answer = client.post("/invocations", content=single, headers={"Content-Type": "image/png"})
        assert answer.status_code == 400 and "not an image of four channels: mode L" in answer.json()["error"]


def test_other_images_are_an_error_before_training(stitched, run_train):
    Image.open(stitched / "train" / "3.png").convert("RGB").save(stitched / "train" / "3.png")
    with pytest.raises(InputError, match=r"(?s)not an image of four channels.*3\.png: mode RGB.*exploration stitch"):
        run_train(stitched / "train", "--channels", "4")
