"""Labels of all kinds from a channel through training, inference and evaluation: what is learnt is what is scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import evaluation
import inference
from model.errors import InputError

SMALL = ["--device", "cpu", "--num_workers", "0"]


def channel(root: Path, labels: list[str], copies: int = 6) -> pd.DataFrame:
    """Images with a colour a label and train.csv with the columns path and label."""
    rows = []
    for code, label in enumerate(labels):
        colour = np.random.default_rng(code).integers(0, 255, 3)
        for copy in range(copies):
            name = f"{code}-{copy}.png"
            root.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(100 * code + copy).integers(-20, 20, (24, 24, 3))
            Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(root / name)
            rows.append({"path": name, "label": label})
    table = pd.DataFrame(rows)
    table.to_csv(root / "train.csv", index=False)
    return table


def evaluated(truth: Path, answers: Path, output: Path, *flags: str) -> dict:
    where = ["--ground_truth_dir", str(truth), "--output_data_dir", str(answers), "--output", str(output)]
    assert evaluation.main([*where, "--resamples", "0", *flags]) == 0
    return json.loads((output / "evaluation.json").read_text(encoding="utf-8"))["rarebird"]


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "2", "10"],  # counted from 1
        ["1_12", "11_2", "112", "1e2", "100"],
        ["None", "nan", "NA", "True", "٢", "2", "-1", "cat", "Cat"],
        ["01", "02", "03"],
    ],
)
def test_answers_are_scored_alike_by_names_and_by_indices(run_train, tmp_path, labels):
    table = channel(tmp_path / "train", labels)
    model = run_train(tmp_path / "train", "--epochs", "0", "--validation", "0")
    classes = json.loads((model / "labels.json").read_text(encoding="utf-8"))["classes"]
    assert sorted(classes) == sorted(labels)
    answers = tmp_path / "out"
    (tmp_path / "eval").mkdir()
    for picture in (tmp_path / "train").glob("*.png"):
        (tmp_path / "eval" / picture.name).write_bytes(picture.read_bytes())
    table[["path"]].to_csv(tmp_path / "eval" / "info.csv", index=False)
    where = ["--model_dir", str(model), "--eval_dir", str(tmp_path / "eval"), "--output_data_dir", str(answers)]
    assert inference.main([*where, *SMALL]) == 0
    answered = pd.read_csv(answers / "output.csv")["ans"].to_numpy()
    codes = np.array([classes.index(label) for label in table["label"]])
    accuracy = (answered == codes).mean()
    written = {"names": table["label"], "indices": pd.Series(codes).astype(str)}
    for reading, values in written.items():
        truth = tmp_path / reading
        truth.mkdir()
        table[["path"]].assign(ans=values).to_csv(truth / "gt.csv", index=False)
        found = evaluated(truth, answers, tmp_path / f"scores-{reading}", "--label_values", reading)
        assert found["accuracy"]["value"] == pytest.approx(accuracy)
        assert list(found["per_class"]) == classes
        assert [score["support"] for score in found["per_class"].values()] == [6] * len(labels)


@pytest.mark.parametrize(("values", "labels"), [(["2", "0", "1"], ["0", "1", "2"]), ([], ["1", "2", "3"])])
def test_what_is_answered_out_of_fold_is_scored_as_training_logged(run_train, tmp_path, caplog, values, labels):
    """Also where the names of classes are indices of other classes."""
    channel(tmp_path / "train", labels)
    scheme = ["--attributes", json.dumps({"label": values})] if values else []
    output = tmp_path / "output"
    with caplog.at_level("INFO", "rarebird"):
        run_train(tmp_path / "train", "--folds", "3", "--lr", "0.01", "--output_data_dir", str(output), *scheme)
    folder = output / "exp" / "out_of_fold"
    truth = pd.read_csv(folder / "gt.csv", dtype=str)
    assert list(truth) == ["ImageID", "ans", "ans_name", "fold"]
    assert all((values or labels)[int(code)] == name for code, name in zip(truth["ans"], truth["ans_name"]))
    found = evaluated(folder, folder, tmp_path / "scores")
    scores = f"out of fold accuracy={found['accuracy']['value']:.4f}; f1={found['macro_f1']['value']:.4f};"
    assert scores in caplog.text


def test_rules_reach_from_training_to_evaluation(run_train, tmp_path):
    table = channel(tmp_path / "train", ["Polo", "T-Shirt", "pants", "Pants", "Not sure"], copies=4)
    form = {"drop": ["Not sure"], "merge": {"T-Shirt": ["Polo"]}, "fold_case": True}
    model = run_train(tmp_path / "train", "--epochs", "0", "--attributes", json.dumps({"label": form}))
    assert json.loads((model / "labels.json").read_text())["classes"] == ["T-Shirt", "pants"]
    assert json.loads((model / "metrics.json").read_text())["data"]["train"]["pictures"] < 17
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels.json").write_bytes((model / "labels.json").read_bytes())
    right = table["label"].map({"Polo": 0, "T-Shirt": 0, "pants": 1, "Pants": 1, "Not sure": 0})
    table[["path"]].assign(ans=right).to_csv(tmp_path / "out" / "output.csv", index=False)
    table.to_csv(tmp_path / "train" / "gt.csv", index=False)
    found = evaluated(tmp_path / "train", tmp_path / "out", tmp_path / "scores")
    assert found["accuracy"]["value"] == 1 and found["pictures"] == 16
    assert any("dropped in training" in note and "Not sure (4)" in note for note in found["notes"])


def test_an_attribute_may_be_missing_in_some_rows(run_train, tmp_path, capsys):
    table = channel(tmp_path / "train", ["a", "b", "c", "d"], copies=6)
    table["size"] = ["small", "large", ""] * 8
    table.to_csv(tmp_path / "train" / "train.csv", index=False)
    attributes = {"label": {}, "size": {"optional": True}}
    flags = ["--attributes", json.dumps(attributes), "--lr", "0.01"]
    model = run_train(tmp_path / "train", "--target", "heads", "--folds", "2", *flags, name="heads")
    saved = json.loads((model / "labels.json").read_text())
    assert [attribute.get("optional") for attribute in saved["attributes"]] == [None, True]
    split = pd.read_csv(next(tmp_path.rglob("split.csv")), keep_default_na=False)
    assert sorted(split["size"].unique()) == ["", "large", "small"]
    truth = pd.read_csv(next(tmp_path.rglob("out_of_fold/gt.csv")), keep_default_na=False, dtype=str)
    assert len(truth) == 24 and (truth["ans"] != "").sum() == (truth["ans_name"] != "").sum() == 16
    assert truth["ans_name_size"].tolist() == table["size"].tolist()
    assert truth["ans_name_label"].tolist() == table["label"].tolist()
    # One attribute learns from the rows that have it; the joint class needs all
    one = run_train(tmp_path / "train", "--target", "size", *flags, name="one")
    counts = json.loads((one / "metrics.json").read_text())["data"]
    assert counts["train"]["pictures"] + counts["validation"]["pictures"] == 16
    run_train(tmp_path / "train", "--target", "separate", *flags, name="three")
    with pytest.raises(InputError, match=r"8 images have missing labels \(size 8\); --target heads"):
        run_train(tmp_path / "train", *flags, name="joint")
    with pytest.raises(
        InputError, match=r"(?s)empty label.*rows 4, 7, 10, 13, 16 and 3 more .8 in total.* `optional: true`"
    ):
        run_train(tmp_path / "train", "--attributes", json.dumps({"label": {}, "size": {}}), name="strict")


@pytest.mark.parametrize("target", ["heads", "separate"])
def test_attributes_with_missing_labels_are_scored_as_training_logged(run_train, tmp_path, target):
    """Each over all images with a label of it, in metrics.json, in validation/ and from the files there."""
    table = channel(tmp_path / "train", ["a", "b", "c", "d"], copies=8)
    table["size"] = ["", "small", "large"] * 10 + ["small", "large"]
    table["label"] = table["label"].where(np.arange(32) % 5 > 0, "")
    table.to_csv(tmp_path / "train" / "train.csv", index=False)
    attributes = {"label": {"optional": True}, "size": {"optional": True}}
    flags = ["--attributes", json.dumps(attributes), "--lr", "0.01", "--validation", "0.5", "--report", "true"]
    run = run_train(tmp_path / "train", "--target", target, *flags)
    folder = run.with_name("exp.validation")
    found = json.loads((folder / "evaluation.json").read_text())["rarebird"]
    truth = pd.read_csv(folder / "gt.csv", keep_default_na=False, dtype=str)
    scored = truth.merge(table.rename(columns={"path": "ImageID"}), on="ImageID")
    assert (scored["ans_name_size"] == scored["size"]).all() and (scored["ans_name_label"] == scored["label"]).all()
    for name in ("label", "size"):
        if target == "heads":
            logged = json.loads((run / "metrics.json").read_text())["validation"]["attributes"][name]
        else:
            logged = json.loads((run / name / "metrics.json").read_text())["validation"]
            logged["accuracy"] = logged["acc"]
        scores = found["attributes"][name]
        assert scores["macro_f1"]["value"] == pytest.approx(logged["f1"])
        assert scores["accuracy"]["value"] == pytest.approx(logged["accuracy"])
        assert scores["pictures"] == (truth[f"ans_name_{name}"] != "").sum() > found["pictures"]
        assert sum(one["support"] for one in scores["per_class"].values()) == scores["pictures"]
    assert any("images with labels for only some attributes" in note for note in found["notes"])
    assert not any("predictions without a true label" in note for note in found["notes"])
