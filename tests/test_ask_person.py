"""A model that asks a person: all ways to predict give the same advice, and output.csv is answered as before."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evaluation
import inference
import inference_TTA
import train
from model.artifacts.combine import create_ensemble
from model.artifacts.decision_file import write_decision
from model.artifacts.ensemble import load
from model.artifacts.saved_decision import save_decision
from model.decisions import Ask
from model.prediction.api import predict

MACHINE = ["--device", "cpu", "--precision", "fp32", "--num_workers", "0"]


@pytest.fixture(scope="module")
def plain(faces, tmp_path_factory) -> Path:
    """An untrained model of the mask."""
    models = tmp_path_factory.mktemp("plain")
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--epochs", "0"]
    small += ["--target", "mask", "--report", "false", "--tracking", "none", "--train_dir", str(faces / "train")]
    assert train.main([*small, *MACHINE, "--model_dir", str(models)]) == 0
    return models / "exp"


@pytest.fixture(scope="module")
def pictures(faces) -> list[Path]:
    return sorted((faces / "eval" / "images").iterdir())


def asks_half(model: Path, pictures: list[Path]) -> Ask:
    """A decision for a model that asks about some images: biases that predict several classes, median thresholds."""
    probabilities = probabilities_of(predict(model, pictures, device="cpu", precision="fp32")).astype(float)
    biases = tuple(np.round(-np.log(probabilities).mean(0), 4).tolist())
    classes = Ask(biases=biases, thresholds=(0.0,) * 3).classes(probabilities)
    own = probabilities[np.arange(len(classes)), classes]
    medians = [float(np.median(own[classes == code])) + 1e-6 if (classes == code).any() else 1.0 for code in range(3)]
    return Ask(1.0, biases, tuple(medians), 0.1)


def probabilities_of(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy()


def infer(faces: Path, model: Path, output: Path, *flags: str, main=inference.main) -> pd.DataFrame:
    """predictions.csv, with the answers of output.csv."""
    where = ["--eval_dir", str(faces / "eval"), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert main([*where, *MACHINE, *flags]) == 0
    answers = pd.read_csv(output / "output.csv")
    return pd.read_csv(output / "predictions.csv").assign(ans=answers["ans"].tolist())


@pytest.fixture(scope="module", params=["model", "ensemble"])
def asking(request, plain, pictures, tmp_path_factory) -> tuple[Path, Ask]:
    """A model or an ensemble that asks, and its decision."""
    folder = tmp_path_factory.mktemp("asking") / request.param
    if request.param == "model":
        shutil.copytree(plain, folder)
    else:
        create_ensemble([str(plain), f"{plain}:2"], folder)
    decision = asks_half(folder, pictures)
    save_decision(load(folder), decision)
    return folder, decision


def test_all_ways_to_predict_give_the_same_advice(asking, faces, pictures, tmp_path):
    from starlette.testclient import TestClient

    from container.serve.app import Server
    from model.settings.fields import Layer, build
    from model.settings.serve import ServeSettings

    folder, decision = asking
    frame = predict(folder, pictures, device="cpu", precision="fp32")
    probabilities = probabilities_of(frame)
    expected = decision.asks(probabilities).tolist()
    assert frame["ask_person"].tolist() == expected and 0 < sum(expected) < len(expected)
    assert frame["class"].tolist() == decision.classes(probabilities).tolist()
    # inference, in one go and in parts
    names = [path.name for path in pictures]
    for number, flags in enumerate(([], ["--part_size", "10"])):
        table = infer(faces, folder, tmp_path / f"out{number}", *flags).set_index("ImageID").loc[names]
        assert (table["ask_person"] == "yes").tolist() == expected
        assert table["ans"].tolist() == frame["class"].tolist()
    # the server
    settings = build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32", "num_workers": 0})])
    with TestClient(Server(settings, folder, lambda error: pytest.fail(str(error))).app()) as client:
        while client.get("/ping").status_code != 200:
            pass
        headers = {"Content-Type": "image/png", "Accept": "application/json;verbose"}
        for row in range(6):
            answer = client.post("/invocations", content=pictures[row].read_bytes(), headers=headers).json()
            assert answer["ask_person"] is expected[row] and answer["predicted_label"] == frame["name"][row]


def test_views_keep_the_thresholds_and_votes_ask_about_every_image(asking, faces, tmp_path):
    folder, decision = asking
    table = infer(faces, folder, tmp_path / "soft", "--num_tta", "2", main=inference_TTA.main)
    probabilities = pd.read_csv(tmp_path / "soft" / "probabilities.csv").iloc[:, 1:].to_numpy()
    assert (table["ask_person"] == "yes").tolist() == decision.asks(probabilities).tolist()
    voting = infer(faces, folder, tmp_path / "vote", "--num_tta", "3", "--tta_mode", "vote", main=inference_TTA.main)
    assert (voting["ask_person"] == "yes").all() and voting["ans"].notna().all()


def test_another_number_of_views_than_that_of_the_thresholds_asks_about_every_image(
    asking, faces, pictures, tmp_path, caplog
):
    fitted, decision = asking
    folder = tmp_path / "fitted"
    shutil.copytree(fitted, folder)
    save_decision(load(folder), replace(decision, views=2))
    assert predict(folder, pictures, num_tta=1, device="cpu")["ask_person"].all()
    assert "fitted on predictions with another num_tta than 1" in caplog.text
    caplog.clear()
    with_views = infer(faces, folder, tmp_path / "two", "--num_tta", "2", main=inference_TTA.main)
    without = infer(faces, fitted, tmp_path / "any", "--num_tta", "2", main=inference_TTA.main)
    assert with_views["ask_person"].tolist() == without["ask_person"].tolist()
    assert "another num_tta" not in caplog.text and (with_views["ask_person"] == "no").any()
    # the classes are the same
    alone = infer(faces, folder, tmp_path / "one")
    assert alone["ans"].tolist() == infer(faces, fitted, tmp_path / "asked")["ans"].tolist()


def test_the_evaluation_has_error_and_coverage_with_and_without(plain, asking, faces, tmp_path):
    folder, _ = asking
    table = infer(faces, folder, tmp_path)
    truth = pd.read_csv(faces / "gt" / "gt.csv").assign(ans=lambda frame: frame["ans"] // 6)
    truth.to_csv(tmp_path / "gt.csv", index=False)
    where = ["--ground_truth_dir", str(tmp_path), "--output_data_dir", str(tmp_path), "--resamples", "9"]
    assert evaluation.main(where) == 0
    content = json.loads((tmp_path / "evaluation.json").read_text())["rarebird"]
    found, wrong = content["ask_person"], table["ans"] != table["ImageID"].map(truth.set_index("ImageID")["ans"])
    answered = table["ask_person"] == "no"
    assert found["pictures"] == len(table) and found["answered"] == answered.sum()
    assert found["error_without"]["value"] == pytest.approx(wrong.mean())
    assert found["error"]["value"] == pytest.approx(wrong[answered].mean())
    assert found["coverage"]["value"] == pytest.approx(answered.mean())
    for name, scores in found["per_class"].items():
        own = table["predicted"] == name
        assert scores["answered"] == (own & answered).sum() and scores["pictures"] == own.sum()
    assert '<h2 id="asking">' in (tmp_path / "report.html").read_text()
    # the scores of all images are those of the answers
    assert content["accuracy"]["value"] == pytest.approx(1 - wrong.mean())


def test_files_of_a_model_that_does_not_ask_are_as_before(plain, faces, pictures, tmp_path):
    table = infer(faces, plain, tmp_path)
    assert "ask_person" not in table.columns
    assert "ask_person" not in predict(plain, pictures[:2], device="cpu").columns


def test_thresholds_for_other_classes_are_an_error(plain, tmp_path, pictures):
    from model.errors import InputError

    folder = tmp_path / "copy"
    shutil.copytree(plain, folder)
    write_decision(folder, Ask(thresholds=(0.5, 0.5)))
    with pytest.raises(InputError, match=r"decision\.json: thresholds: expected 3, one per class, not 2"):
        load(folder)
