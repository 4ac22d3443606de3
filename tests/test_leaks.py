"""Jobs on images that a model has seen: channels that overlap, and answers to what it learnt from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import evaluation
import inference
from model.answers.files import OUT_OF_FOLD
from model.errors import InputError

MACHINE = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]


def infer(channel: Path, model: Path, output: Path, *flags: str) -> Path:
    where = ["--eval_dir", str(channel), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert inference.main([*where, *MACHINE, *flags]) == 0
    return output


def score(truth: Path, output: Path) -> dict:
    assert evaluation.main(["--ground_truth_dir", str(truth), "--output_data_dir", str(output)]) == 0
    return json.loads((output / "evaluation.json").read_text())["rarebird"]


@pytest.fixture
def mixed(faces, tmp_path) -> Path:
    """A channel of some training images under other names and of images that no model has seen, and its truth."""
    folder = tmp_path / "mixed"
    (folder / "images").mkdir(parents=True)
    known = sorted((faces / "train" / "images").rglob("*.jpg"))
    rows = []
    for number, source in enumerate([*known[::4], *sorted((faces / "eval" / "images").iterdir())[:10]]):
        shutil.copyfile(source, folder / "images" / f"{number}.jpg")
        rows.append(f"{number}.jpg,0")
    (folder / "info.csv").write_text("\n".join(["ImageID,ans", *rows]) + "\n")
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.csv").write_text("\n".join(["ImageID,ans", *rows]) + "\n")
    return folder


def test_a_channel_cannot_be_validated_on_itself_unawares(faces, run_train, tmp_path, caplog):
    with pytest.raises(InputError, match=r"the same image in both \(168\):") as error:
        run_train(faces / "train", "--validation_dir", str(faces / "train"))
    assert "the same group in both (24):" in str(error.value) and "--allow_overlap true" in str(error.value)
    assert error.value.details.count("in train\n") == 168
    run_train(faces / "train", "--validation_dir", str(faces / "train"), "--allow_overlap", "true")
    assert "train and validation overlap, which makes validation scores too high" in caplog.text


def test_answers_to_seen_images_are_counted_and_listed_in_every_report(
    faces, run_train, mixed, tmp_path, capsys, caplog
):
    run = run_train(faces / "train")
    sides = pd.read_csv(run / "split.csv")["side"].value_counts()
    whole = infer(faces / "train", run, tmp_path / "whole")
    assert json.loads((whole / "labels.json").read_text())["learnt_from"] == sides.to_dict()

    output = infer(mixed, run, tmp_path / "output")
    seen = pd.read_csv(output / "learnt_from.csv")
    assert seen.columns.tolist() == ["ImageID", "side"] and len(seen) == 38
    assert (
        f"38 of 48 images were used to train the model: {sum(seen['side'] == 'train')} for its weights" in caplog.text
    )
    expected = {side: int(sum(seen["side"] == side)) for side in ("train", "validation")}
    assert all(expected.values())
    scores = score(mixed / "gt", output)
    assert scores["learnt_from"] == expected
    sides = f"{expected['train']} for its weights, {expected['validation']} to choose its best epoch"
    sentence = f"38 of 48 images were used to train the model: {sides}"
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith(f"warning: {sentence}") for line in lines[:3])
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page.index(sentence[1:]) < page.index('<p class="subject">48')


def test_new_images_are_known_to_be_new(faces, run_train, tmp_path, capsys):
    output = infer(faces / "eval", run_train(faces / "train"), tmp_path / "output", "--num_tta", "2")
    assert not (output / "learnt_from.csv").exists()
    assert score(faces / "gt", output)["learnt_from"] == {"train": 0, "validation": 0}
    assert "warning:" not in capsys.readouterr().err
    assert "None of these images was used to train the model." in (output / "report.html").read_text()


def test_models_of_earlier_versions_say_nothing(faces, run_train, mixed, tmp_path):
    run = run_train(faces / "train")
    known = infer(mixed, run, tmp_path / "known")
    (run / "learnt_from.npz").unlink()
    output = infer(mixed, run, tmp_path / "output")
    assert "learnt_from" not in json.loads((output / "labels.json").read_text())
    assert {path.name for path in output.iterdir()} == {"output.csv", "probabilities.csv", "labels.json"} | (
        {path.name for path in known.iterdir()} - {"learnt_from.csv", "output.csv", "probabilities.csv", "labels.json"}
    )
    for name in ("output.csv", "probabilities.csv"):
        assert (output / name).read_bytes() == (known / name).read_bytes()
    assert "learnt_from" not in score(mixed / "gt", output)


def test_out_of_fold_answers_are_not_flagged_but_answers_of_all_folds_are(faces, run_train, tmp_path):
    run = run_train(faces / "train", "--folds", "2")
    scores = score(run / OUT_OF_FOLD, run / OUT_OF_FOLD)
    assert "learnt_from" not in scores and not (run / OUT_OF_FOLD / "learnt_from.csv").exists()
    output = infer(faces / "train", run, tmp_path / "output")
    assert json.loads((output / "labels.json").read_text())["learnt_from"] == {"train": 168, "validation": 0}


def test_a_check_of_headers_leaves_no_record(faces, run_train):
    run = run_train(faces / "train", "--check", "headers")
    assert not (run / "learnt_from.npz").exists()
