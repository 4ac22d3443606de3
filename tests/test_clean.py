"""Jobs with --clean: planted wrong labels, predictions of an earlier run, folds, and runs that are killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.cleaning.suspects import SUSPECT_COLUMNS
from model.data.corrections import read_corrections
from model.errors import InputError, Problems
from model.training import cleaning
from model.training.trainer import Trainer
from tests.test_plan import equal, weights

AUTO = ["--clean", "auto"]
COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200))
FLIPS = 9
LEARNS = ["--epochs", "6", "--lr", "0.03", "--batch_size", "8", "--loss", "cross_entropy", "--augmentation", "[]"]
LEARNS += ["--warmup_epochs", "0"]
# so that a network that has hardly learnt anything changes labels
CHANGES = ["--target", "heads", "--clean_args", '{"relabel_at": 0.51, "drop_below": 0.3, "cap": 1}']


@pytest.fixture(scope="module")
def colours(tmp_path_factory) -> Path:
    """90 drawn images of three colours, of which 9 have another colour's label; truth.csv has the right ones."""
    folder = tmp_path_factory.mktemp("colours")
    generator = np.random.default_rng(0)
    right = np.arange(90) % 3
    given = right.copy()
    given[:FLIPS] = (right[:FLIPS] + 1) % 3
    (folder / "train").mkdir()
    for row, code in enumerate(right):
        pixels = np.array(COLOURS[code]) + generator.integers(-40, 41, size=(24, 24, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "train" / f"{row:02d}.png")
    names = np.array(["red", "green", "blue"])
    table = pd.DataFrame({"ImageID": [f"{row:02d}.png" for row in range(90)], "label": names[given]})
    table.to_csv(folder / "train" / "train.csv", index=False)
    table.assign(label=names[right]).to_csv(folder / "truth.csv", index=False)
    return folder


def rows_of(file: Path) -> list:
    problems = Problems("")
    rows = read_corrections(file, problems)
    assert not problems
    return rows


def test_clean_auto_restores_most_planted_labels_and_leaves_validation_alone(colours, run_train):
    run = run_train(colours / "train", *AUTO, *LEARNS)
    truth = pd.read_csv(colours / "truth.csv").set_index("ImageID")["label"]
    split = pd.read_csv(run / "split.csv").set_index("path")
    given = pd.read_csv(colours / "train" / "train.csv").set_index("ImageID")["label"]
    changes = {row.path: row for row in rows_of(run / "cleaned.csv")}
    assert set(split.loc[list(changes), "side"]) == {"train"}
    assert (split["label"] == given[split.index]).all()  # split.csv has the labels of the channel
    planted = {path for path in split.index[split["side"] == "train"] if given[path] != truth[path]}
    relabelled = {path for path, row in changes.items() if row.action == "relabel"}
    assert all(changes[path].value == truth[path] and changes[path].given == given[path] for path in relabelled)
    assert len(relabelled & planted) > len(planted) / 2 and relabelled <= planted
    metrics = json.loads((run / "metrics.json").read_text())
    record = metrics["data"]["cleaning"]
    assert record["attributes"]["label"]["relabelled"] == len(relabelled) and record["seen_validation"] == 0
    assert record["left_out"] == len(changes) - len(relabelled) and len(record["hash"]) == 32
    assert metrics["data"]["train"]["pictures"] == (split["side"] == "train").sum() - record["left_out"]
    assert "Labels of training images were changed" in (run / "README.md").read_text()


@pytest.mark.long
def test_labels_that_are_right_stay(colours, run_train, tmp_path):
    channel = tmp_path / "channel"
    channel.mkdir()
    for path in (colours / "train").glob("*.png"):
        (channel / path.name).write_bytes(path.read_bytes())
    (channel / "train.csv").write_bytes((colours / "truth.csv").read_bytes())
    run = run_train(channel, *AUTO, *LEARNS)
    record = json.loads((run / "metrics.json").read_text())["data"]["cleaning"]
    assert record["attributes"]["label"]["relabelled"] == 0 and record["left_out"] <= 2


@pytest.mark.parametrize("update", [2, 17], ids=["first fold", "final training"])
def test_a_killed_run_resumes_to_the_same_weights(faces, run_train, tmp_path, monkeypatch, update):
    """An epoch of a fold has 3 updates, so the folds have 15."""
    flags = [*AUTO, *CHANGES]
    whole = run_train(faces / "train", *flags, models=tmp_path / "whole")
    count, as_before = 0, Trainer._update

    def crash(self) -> None:
        nonlocal count
        as_before(self)
        count += 1
        if count == update:
            raise MemoryError

    monkeypatch.setattr(Trainer, "_update", crash)
    with pytest.raises(MemoryError):
        run_train(faces / "train", *flags, "--checkpoint_seconds", "0")
    monkeypatch.undo()
    run = run_train(faces / "train", *flags)
    assert run.name == "exp" and equal(weights(run), weights(whole))
    changes = [[row.key for row in rows_of(folder / "cleaned.csv")] for folder in (run, whole)]
    assert changes[0] == changes[1] and changes[0]
    assert not list((run.parent / ".checkpoints" / "exp" / "clean").rglob("*.safetensors"))  # the folds are not kept


def test_sigterm_during_the_folds_ends_without_a_model_and_resumes(faces, run_train, monkeypatch):
    as_before = Trainer._update

    def stop(self) -> None:
        as_before(self)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_update", stop)
    run = run_train(faces / "train", *AUTO, expect=143)
    assert not (run / "model.safetensors").exists()
    monkeypatch.undo()
    assert run_train(faces / "train", *AUTO) == run and (run / "model.safetensors").exists()


def test_predictions_of_an_earlier_run_are_read_and_validation_images_they_know_are_warned_of(
    faces, run_train, tmp_path, caplog
):
    folds = run_train(faces / "train", "--folds", "3", name="folds")
    own = ["--clean", str(folds / "out_of_fold"), *CHANGES]
    run = run_train(faces / "train", *own)
    data = json.loads((run / "metrics.json").read_text())["data"]
    assert data["cleaning"]["seen_validation"] == data["validation"]["pictures"] > 0
    assert (
        "whose labels thereby affect training labels" in caplog.text
        and "so the scores may be too high" in (run / "README.md").read_text()
    )
    assert data["cleaning"]["attributes"]["gender"]["judged"] == data["train"]["pictures"]
    assert (run / "cleaned.csv").is_file() and "clean: out_of_fold" in (run / "settings.yaml").read_text()
    caplog.clear()
    run_train(faces / "train", *own, "--validation", "0", "--name", "whole")
    assert "affect training labels" not in caplog.text


@pytest.mark.parametrize("target", ["heads", "separate", "gender"])
def test_other_targets_and_folds_are_cleaned_too(faces, run_train, target):
    flags = ["--epochs", "0", "--target", target, "--clean_args", '{"relabel_at": 0.501, "drop_below": 0.4, "cap": 1}']
    run = run_train(faces / "train", *AUTO, *flags, "--folds", "2")
    for fold in ("fold1", "fold2"):
        changed = {row.path or row.group for row in rows_of(run / fold / "cleaned.csv")}
        split = pd.read_csv(run / "split.csv", dtype=str)
        held_out = split[split["side"] == fold]
        assert not changed & {*held_out["path"], *held_out["group"]}
    folder = run / "gender" / "fold1" if target == "separate" else run / "fold1"
    assert json.loads((folder / "metrics.json").read_text())["data"]["cleaning"]["attributes"]["gender"]["judged"] > 0


def test_invalid_predictions_are_an_error(faces, colours, run_train, tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder, expected auto or the folder out_of_fold"):
        run_train(faces / "train", "--clean", "autoo")
    run = run_train(colours / "train", "--folds", "2", "--epochs", "0", name="folds")
    with pytest.raises(InputError, match="attributes that the channel does not have"):
        run_train(faces / "train", "--clean", str(run / "out_of_fold"))
    labels = run / "out_of_fold" / "labels.json"
    labels.write_text(labels.read_text().replace('"held_out": "out_of_fold"', '"held_out": "validation"'))
    with pytest.raises(InputError, match="these are not out-of-fold predictions"):
        run_train(colours / "train", "--clean", str(run / "out_of_fold"))
    with pytest.raises(InputError, match="clean_args is used only with --clean"):
        run_train(faces / "train", "--clean_args", '{"cap": 0.1}')
    with pytest.raises(InputError, match="'caps', expected relabel_at, drop_below, cap; nearest: cap"):
        run_train(faces / "train", *AUTO, "--clean_args", '{"caps": 0.1}')


def test_the_predictions_that_decide_are_part_of_the_identity(faces, run_train, monkeypatch):
    folds = run_train(faces / "train", "--folds", "2", "--epochs", "0", name="folds")
    own = ["--clean", str(folds / "out_of_fold")]
    monkeypatch.setattr(Trainer, "train", lambda *_: pytest.fail("stop here"))
    with pytest.raises(pytest.fail.Exception):
        run_train(faces / "train", *own)
    probabilities = pd.read_csv(folds / "out_of_fold" / "probabilities.csv")
    probabilities.iloc[::-1].to_csv(folds / "out_of_fold" / "probabilities.csv", index=False)
    with pytest.raises(InputError, match=r"clean: [0-9a-f]{32} then, [0-9a-f]{32} now"):
        run_train(faces / "train", *own)
    assert cleaning.FOLDS == 5


def suspects_of(colours: Path, file: Path, score: float = 0.9) -> Path:
    """Suspects: the planted wrong labels, the first without a suggestion."""
    given, truth = (pd.read_csv(colours / name)["label"] for name in ("train/train.csv", "truth.csv"))
    rows = [
        (f"{row:02d}.png", "", "label", "image", given[row], truth[row] if row else "", score, "", "[]")
        for row in range(FLIPS)
    ]
    pd.DataFrame(rows, columns=list(SUSPECT_COLUMNS)).to_csv(file, index=False)
    return file


def test_suspects_are_accepted_and_are_part_of_the_identity(colours, run_train, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "rarebird")
    file = suspects_of(colours, tmp_path / "suspects.csv")
    flags = ["--clean", str(file), "--epochs", "0"]
    run = run_train(colours / "train", *flags)
    truth = pd.read_csv(colours / "truth.csv").set_index("ImageID")["label"]
    split = pd.read_csv(run / "split.csv").set_index("path")
    changes = {row.path: row for row in rows_of(run / "cleaned.csv")}
    planted = [f"{row:02d}.png" for row in range(FLIPS)]
    assert set(changes) == {path for path in planted if split.loc[path, "side"] == "train"}
    assert all(row.reviewer == "suspects" for row in changes.values())
    assert {path: row.value for path, row in changes.items() if row.action == "relabel"} == {
        path: truth[path] for path in changes if path != "00.png"
    }
    metrics, card = json.loads((run / "metrics.json").read_text()), (run / "README.md").read_text()
    record, deleted = metrics["data"]["cleaning"], "00.png" in changes
    assert record["predictions"] == "suspects" and record["rule"] == {"relabel_at": 0.6, "cap": 0.3}
    assert record["attributes"]["label"]["relabelled"] == len(changes) - deleted and record["left_out"] == deleted
    assert record["seen_validation"] == metrics["data"]["validation"]["pictures"]
    assert "was found with 18 validation images" in caplog.text and "a list of suspects doubts them" in card
    assert "doubted, but kept" not in caplog.text
    capped = run_train(colours / "train", *flags, "--clean_args", '{"cap": 0.02}', name="capped")
    kept = json.loads((capped / "metrics.json").read_text())["data"]["cleaning"]["attributes"]["label"]["capped"]
    assert kept > 0 and f"doubted, but kept: label {kept} images; at most 0.02 of a class" in caplog.text
    # another file of the same name is another training
    monkeypatch.setattr(Trainer, "train", lambda *_: pytest.fail("stop here"))
    with pytest.raises(pytest.fail.Exception):
        run_train(colours / "train", *flags, name="other")
    suspects_of(colours, file, 0.8)
    with pytest.raises(InputError, match=r"clean: [0-9a-f]{32} then, [0-9a-f]{32} now"):
        run_train(colours / "train", *flags, name="other")


def test_suspects_of_one_attribute_apply_to_its_models(faces, run_train, tmp_path):
    split = pd.read_csv(run_train(faces / "train", "--epochs", "0", name="before") / "split.csv", dtype=str)
    row = split[split["side"] == "train"].iloc[0]
    other = next(value for value in split["gender"].unique() if value != row["gender"])
    values = (row["path"], row["group"], "gender", "group", row["gender"], other, 0.9, "", "[]")
    pd.DataFrame([values], columns=list(SUSPECT_COLUMNS)).to_csv(tmp_path / "suspects.csv", index=False)
    for target in ("heads", "mask", "separate"):
        flags = ["--clean", str(tmp_path / "suspects.csv"), "--clean_args", '{"cap": 0.9}', "--target", target]
        run = run_train(faces / "train", "--epochs", "0", *flags, name=target)
        changes = [(row.group, row.path, row.value) for row in rows_of(run / "cleaned.csv")]
        assert changes == ([] if target == "mask" else [(row["group"], "", other)])


def test_invalid_arguments_and_suspects_are_an_error_before_training(colours, run_train, tmp_path):
    file = suspects_of(colours, tmp_path / "suspects.csv")
    with pytest.raises(InputError, match="'drop_below', expected relabel_at, cap"):
        run_train(colours / "train", "--clean", str(file), "--clean_args", '{"drop_below": 0.1}')
    file.write_text(file.read_text().replace("05.png", "0x5.png").replace("06.png,,label", "06.png,,labl"))
    with pytest.raises(
        InputError, match=r"2 problems(.|\n)*'0x5.png'; nearest: 05.png(.|\n)*'labl', expected one of label"
    ):
        run_train(colours / "train", "--clean", str(file))
