"""Folders as users have them, through the jobs: folders of splits, nested class folders, links, odd extensions."""

from __future__ import annotations

import csv
import json
import logging
import os
from pathlib import Path

import pytest
from PIL import Image

import inference
import train
from container import settings_layers
from container.environment import IN_IMAGE
from container.job_types import SERVE
from model.data.checked_tables import read_tables
from model.errors import InputError
from model.settings.train import TrainSettings

SMALL = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "32", "--batch_size", "8"]
MACHINE = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]


def draw(folder: Path, count: int, suffix: str = ".png", seed: int = 0) -> None:
    """Images of one colour each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        colour = (37 * (seed + number) % 256, 91 * (seed + 3 * number) % 256, 53 * (number + 1) % 256)
        Image.new("RGB", (32, 32), colour).save(folder / f"{number}{suffix}")


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """train/, val/ and test/ with the class folders cat and dog in each."""
    for seed, (split, count) in enumerate({"train": 6, "val": 3, "test": 2}.items()):
        for name in ("cat", "dog"):
            draw(tmp_path / "pets" / split / name, count, seed=10 * seed + len(name))
    return tmp_path / "pets"


def run(tmp_path: Path, *flags: str, name: str = "exp") -> Path:
    models = tmp_path / "runs"
    assert train.main([*SMALL, *MACHINE, "--epochs", "1", "--model_dir", str(models), "--name", name, *flags]) == 0
    return models / name


def pictures(run_dir: Path) -> tuple[int, int, list[str]]:
    data = json.loads((run_dir / "metrics.json").read_text())["data"]
    classes = json.loads((run_dir / "labels.json").read_text())["classes"]
    return data["train"]["pictures"], data["validation"]["pictures"], classes


def test_a_channel_that_is_a_folder_of_splits_trains_on_one_and_validates_on_another(
    splits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(splits))
    with caplog.at_level(logging.INFO, "rarebird"):
        found = run(tmp_path)
    assert pictures(found) == (12, 6, ["cat", "dog"])
    assert f"read as --train_dir {splits}/train --validation_dir {splits}/val; not used: test" in caplog.text
    named = run(tmp_path, "--train_dir", f"{splits}/train", "--validation_dir", f"{splits}/val", name="named")
    assert (found / "model.safetensors").read_bytes() == (named / "model.safetensors").read_bytes()
    assert (found / "split.csv").read_text() == (named / "split.csv").read_text()


def test_a_run_resumes_whether_the_splits_are_named_or_their_folder(splits: Path, tmp_path: Path) -> None:
    settings = TrainSettings()
    by_root = read_tables(settings, splits, None, tmp_path / "checked")
    by_flags = read_tables(settings, splits / "train", splits / "val", tmp_path / "checked")
    assert [table and table.fingerprint() for table in by_root] == [table and table.fingerprint() for table in by_flags]
    train_table, validation = read_tables(TrainSettings(folds=2), splits, None, tmp_path / "checked")
    assert len(train_table) == 12 and validation is None


def test_levels_of_folders_are_attributes_of_the_model(tmp_path: Path) -> None:
    for seed, folder in enumerate(("fruit/apple/golden", "fruit/apple/red", "fruit/pear", "greens/leek")):
        draw(tmp_path / "shop/train" / folder, 4, seed=seed)
        draw(tmp_path / "shop/val" / folder, 2, seed=50 + seed)
    flags = ["--train_dir", str(tmp_path / "shop"), "--folder_levels", "aisle", "product", "--target", "heads"]
    train_count, validation_count, classes = pictures(run(tmp_path, *flags))
    assert (train_count, validation_count) == (16, 8)
    assert classes[:2] == ["fruit/apple", "fruit/leek"] and len(classes) == 6
    assert pictures(run(tmp_path, *flags[:2], name="leaves"))[2] == [
        "fruit/apple/golden",
        "fruit/apple/red",
        "fruit/pear",
        "greens/leek",
    ]
    assert pictures(run(tmp_path, *flags[:2], "--folder_levels", "_", "label", name="inner"))[2] == [
        "apple",
        "leek",
        "pear",
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folder_levels", "a", "a"], "folder_levels must be different names"),
        (["--folder_levels", "all", "label"], "or only all"),
        (["--folder_levels", "label", "--table", "t.csv"], "folder_levels is for class folders, not for t.csv"),
        (["--folder_levels", "label", "--layout", "csv"], "folder_levels is for class folders, not for layout csv"),
    ],
)
def test_levels_that_contradict_are_refused(splits: Path, flags: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train.main(["--train_dir", str(splits), *flags])


def test_links_out_of_the_channel_need_a_word_and_a_machine_of_ones_own(
    splits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subset = tmp_path / "subset"
    for name in ("cat", "dog"):
        (subset / name).mkdir(parents=True)
        for number in range(4):
            os.symlink(splits / "train" / name / f"{number}.png", subset / name / f"{number}.png")
    flags = ["--train_dir", str(subset), "--validation", "0.5"]
    with pytest.raises(InputError, match=r"links out of the channel \(1\):\n +8, such as cat/0\.png.*--follow_links"):
        run(tmp_path, *flags)
    model = run(tmp_path, *flags, "--follow_links")
    assert pictures(model) == (4, 4, ["cat", "dog"])

    where = ["--eval_dir", str(subset), "--model_dir", str(model), "--output_data_dir", str(tmp_path / "out"), *MACHINE]
    with pytest.raises(InputError, match=r"8, such as cat/0\.png, which leads to .*--follow_links"):
        inference.main(where)
    assert not (tmp_path / "out").exists()
    assert inference.main([*where, "--follow_links", "--strict"]) == 0
    with open(tmp_path / "out/output.csv", newline="") as file:
        assert [row["ans"] in "01" for row in csv.DictReader(file)] == [True] * 8
    monkeypatch.setenv(IN_IMAGE, "1")
    for job, job_flags in ((train.main, flags), (inference.main, where)):
        with pytest.raises(InputError, match="follow_links is not allowed in a container"):
            job([*job_flags, "--follow_links"])


def test_the_server_follows_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_FOLLOW_LINKS", "true")
    with pytest.raises(InputError, match="SERVE_FOLLOW_LINKS: there is no such setting"):
        settings_layers.read(SERVE, [], "")


def test_every_image_of_odd_extension_is_answered_and_other_files_are_counted(
    splits: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, photos = run(tmp_path, "--train_dir", str(splits)), tmp_path / "photos"
    for suffix in (".jfif", ".ppm", ".tga"):
        draw(photos / "more", 1, suffix)
    for name in ("a.txt", "b.txt", "c.xyz", "Thumbs.db"):
        (photos / name).write_text("no image")
    where = ["--eval_dir", str(photos), "--model_dir", str(model), "--output_data_dir", str(tmp_path / "out"), *MACHINE]
    with caplog.at_level(logging.INFO, "rarebird"):
        assert inference.main([*where, "--strict"]) == 0
    assert "skipped 3 files without an image extension: .txt 2, .xyz 1 (a.txt, b.txt, c.xyz)" in caplog.text
    rows = (tmp_path / "out/output.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["ImageID", "more/0.jfif", "more/0.ppm", "more/0.tga"]
