"""inference.py with single image files instead of a channel."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import inference
from model.errors import Failure, InputError
from model.prediction.api import predict


@pytest.fixture
def answer_single(models, monkeypatch, tmp_path, capsys):
    """Answers files in a working folder that holds a.png and bad.png; returns what is printed, line by line."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (36, 48), "teal").save("a.png")
    (tmp_path / "bad.png").write_text("no image")

    def run(*arguments: str, expect: int = 0) -> list[str]:
        assert inference.main([*arguments, "--model_dir", str(models / "joint"), "--device", "cpu"]) == expect
        return capsys.readouterr().out.splitlines()

    return run


def test_predictions_of_single_files_are_printed_and_nothing_is_written(answer_single, models, tmp_path):
    before = sorted(path.name for path in models.glob("joint/*"))
    out = answer_single("a.png", str(tmp_path / "a.png"))
    assert out[0].split() == ["picture", "predicted", "probability", "second", "third"]
    expected = predict(models / "joint", ["a.png"], device="cpu")
    name = expected["name"][0]
    assert out[2].split("  ")[0] == "a.png" and f" {name} " in out[2] and f"{expected[name][0]:.1%}" in out[2]
    mask = expected.filter(regex=f"^{name.partition('/')[0]}/").iloc[0].sum()  # of its joint classes
    assert [line.split()[0] for line in out[3:6]] == ["mask:", "gender:", "age:"] and f" {mask:.1%} " in out[3]
    assert len(out) == 10 and out[6].startswith(str(tmp_path / "a.png"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "bad.png"]
    assert sorted(path.name for path in models.glob("joint/*")) == before


def test_predictions_of_single_files_are_written_if_an_output_is_named(answer_single, tmp_path, monkeypatch):
    assert answer_single("a.png", "bad.png", "--output", "mine.csv") == []
    assert [line.split(",")[0] for line in Path("mine.csv").read_text().splitlines()] == ["ImageID", "a.png", "bad.png"]
    assert Path("mine.predictions.csv").is_file() and "bad.png" in Path("mine.errors.csv").read_text()
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "out")
    assert answer_single("a.png") == [] and (tmp_path / "out" / "output.csv").is_file()


def test_an_unreadable_single_file_has_a_reason_and_only_unreadable_ones_are_a_failure(answer_single, caplog):
    out = answer_single("bad.png", "a.png")
    assert out[2].split() == ["bad.png", "(unreadable)"] and out[3].startswith("a.png")
    assert out[-3:] == ["", "unreadable:", "bad.png: cannot be identified as an image"]
    assert "1 of 2 images are unreadable" in caplog.text
    for flags in (["bad.png"], ["bad.png", "a.png", "--strict"]):
        with pytest.raises(Failure, match=r"1 of \d images are unreadable"):
            answer_single(*flags)


def test_invalid_files_are_reported_before_the_model_is_read(answer_single, tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError) as caught:
        answer_single("photos", "a.jpg", "a.png")
    assert "photos: pass a folder with --eval_dir photos" in str(caught.value)
    assert "a.jpg: no such file; nearest: a.png" in str(caught.value)
    with pytest.raises(InputError, match="single images and eval_dir both set the images to predict"):
        answer_single("a.png", "--eval_dir", "photos")
