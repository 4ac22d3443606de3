"""The decision of a model is used everywhere: in training, both inference jobs, the Python API, the server and
evaluation. No other code takes an argmax over classes."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import evaluation
import inference
import inference_TTA
import train
from model.artifacts.ensemble import load
from model.decisions import Decision
from model.images.tta import Views
from model.prediction.api import predict

ROOT = Path(__file__).resolve().parents[1]
MACHINE = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
SMALL = ["--model", "resnet10t", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
SMALL += ["--report", "false", "--tracking", "none", *MACHINE]


def probabilities_of(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy()


@pytest.fixture(scope="module")
def plain(faces, tmp_path_factory) -> Path:
    """A model with the default decision."""
    models = tmp_path_factory.mktemp("plain")
    assert train.main([*SMALL, "--train_dir", str(faces / "train"), "--model_dir", str(models), "--epochs", "1"]) == 0
    return models / "exp"


@pytest.fixture(scope="module")
def pictures(faces) -> list[Path]:
    return sorted((faces / "eval" / "images").iterdir())


@pytest.fixture(scope="module")
def decision(plain, pictures) -> Decision:
    """Makes the mean probabilities of the classes nearly equal, those of frequent classes slightly higher."""
    means = np.log(probabilities_of(predict(plain, pictures, device="cpu", precision="fp32")).astype(float)).mean(0)
    counts = json.loads((plain / "metrics.json").read_text())["data"]["train"]["class_counts"]
    return Decision(0.5, tuple(np.round(0.1 * np.log1p(counts) - 2 * means, 3).tolist()))


@pytest.fixture(scope="module")
def flags(decision) -> list[str]:
    return ["--decision_args", json.dumps({"temperature": decision.temperature, "biases": decision.biases})]


@pytest.fixture(scope="module")
def biased(faces, tmp_path_factory, flags) -> Path:
    """The same model with another decision."""
    models = tmp_path_factory.mktemp("biased")
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(models), "--epochs", "1"]
    assert train.main([*SMALL, *where, *flags]) == 0
    return models / "exp"


@pytest.fixture(scope="module")
def answers(biased, pictures, decision) -> pd.DataFrame:
    """The predictions of the Python API, which follow the decision, not argmax."""
    frame = predict(biased, pictures, device="cpu", precision="fp32")
    probabilities = probabilities_of(frame)
    assert frame["class"].tolist() == decision.classes(probabilities).tolist()
    assert (frame["class"].to_numpy(int) != probabilities.argmax(1)).mean() > 0.3
    return frame


def infer(faces: Path, model: Path, output: Path, *flags: str, main=inference.main) -> tuple[np.ndarray, np.ndarray]:
    """Classes, int64 (n,), and probabilities, (n, classes), in the order of the images' names."""
    where = ["--eval_dir", str(faces / "eval"), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert main([*where, *MACHINE, *flags]) == 0
    classes = pd.read_csv(output / "output.csv").sort_values("ImageID")["ans"].to_numpy()
    return classes, pd.read_csv(output / "probabilities.csv").sort_values("ImageID").iloc[:, 1:].to_numpy()


def test_it_is_saved_and_changes_neither_weights_nor_probabilities(plain, biased, decision, answers, pictures):
    assert load(biased).decision == decision and load(plain).decision == Decision()
    assert str(decision) in (biased / "README.md").read_text()
    assert "decided by" not in (plain / "README.md").read_text()
    before, after = (load_file(run / "model.safetensors") for run in (plain, biased))
    assert all(torch.equal(before[name], after[name]) for name in before)
    frame = predict(plain, pictures, device="cpu", precision="fp32")
    np.testing.assert_array_equal(probabilities_of(frame), probabilities_of(answers))
    assert frame["class"].tolist() == probabilities_of(frame).argmax(1).tolist()


def test_validation_scores_its_answers(biased, plain, faces):
    split = pd.read_csv(biased / "split.csv").query("side == 'validation'")
    paths = [faces / "train" / path for path in split["path"]]
    names = split[["mask", "gender", "age"]].agg("/".join, axis=1)
    for run in (biased, plain):
        frame = predict(run, paths, device="cpu", precision="fp32")
        accuracy = (frame["name"].to_numpy() == names.to_numpy()).mean()
        validation = json.loads((run / "metrics.json").read_text())["validation"]
        assert validation["acc"] == pytest.approx(accuracy)
    before, after = (json.loads((run / "metrics.json").read_text())["validation"] for run in (plain, biased))
    assert before["loss"] == after["loss"] and before["acc"] < after["acc"]


def test_inference_predicts_and_evaluation_scores_by_it(biased, answers, faces, tmp_path):
    classes, probabilities = infer(faces, biased, tmp_path)
    assert classes.tolist() == answers["class"].tolist()
    np.testing.assert_allclose(probabilities, probabilities_of(answers), atol=1e-5)
    asked = ["--ground_truth_dir", str(faces / "gt"), "--output_data_dir", str(tmp_path), "--resamples", "9"]
    assert evaluation.main(asked) == 0
    truth = pd.read_csv(next((faces / "gt").glob("*.csv"))).sort_values("ImageID")["ans"].to_numpy()
    result = json.loads((tmp_path / "evaluation.json").read_text())["rarebird"]
    assert result["accuracy"]["value"] == pytest.approx((classes == truth).mean())


def test_the_mean_of_views_is_decided_by_it(biased, decision, faces, tmp_path):
    classes, probabilities = infer(faces, biased, tmp_path, main=inference_TTA.main)
    assert classes.tolist() == decision.classes(probabilities).tolist() != probabilities.argmax(1).tolist()


def test_views_vote_by_it_and_the_most_votes_win(biased, decision, faces, pictures, tmp_path, monkeypatch):
    """The decision is not applied again to the shares of votes."""
    seen, combine = [], Views.combine

    def recording(self, probabilities, decision):
        seen.append(np.asarray(probabilities))
        return combine(self, probabilities, decision)

    monkeypatch.setattr(Views, "combine", recording)
    voting = {"num_tta": 5, "tta_mode": "vote", "device": "cpu", "precision": "fp32"}
    frame = predict(biased, pictures[:40], **voting)
    shares = probabilities_of(frame)
    each = np.concatenate(seen)
    np.testing.assert_allclose(shares, decision.votes(each).mean(1), atol=1e-6)
    assert not np.allclose(shares, Decision().votes(each).mean(1))
    assert frame["class"].tolist() == shares.argmax(1).tolist() != decision.classes(shares).tolist()
    flags = ["--num_tta", "5", "--tta_mode", "vote"]
    classes, shares = infer(faces, biased, tmp_path, *flags, main=inference_TTA.main)
    assert classes.tolist() == shares.argmax(1).tolist() != decision.classes(shares).tolist()


def test_the_server_returns_it(biased, answers, pictures):
    from starlette.testclient import TestClient

    from container.serve.app import Server
    from model.settings.fields import Layer, build
    from model.settings.serve import ServeSettings

    settings = build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32", "num_workers": 0})])
    with TestClient(Server(settings, biased, lambda error: pytest.fail(str(error))).app()) as client:
        while client.get("/ping").status_code != 200:
            pass
        headers = {"Content-Type": "image/png", "Accept": "application/json;verbose"}
        for row in range(8):
            answer = client.post("/invocations", content=pictures[row].read_bytes(), headers=headers).json()
            assert answer["predicted_label"] == answers["name"][row]
            assert answer["attributes"] == {name: answers[name][row] for name in ("mask", "gender", "age")}


@pytest.mark.parametrize("target", [[], ["--target", "separate"]])
def test_out_of_fold_predictions_are_scored_by_it(faces, tmp_path, flags, decision, target, caplog):
    caplog.set_level(logging.INFO, "rarebird")
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(tmp_path), "--epochs", "0"]
    assert train.main([*SMALL, *where, "--model", "test_resnet", *target, "--folds", "2", *flags]) == 0
    output = tmp_path / "exp" / "out_of_fold"
    classes = pd.read_csv(output / "output.csv")["ans"].to_numpy()
    probabilities = pd.read_csv(output / "probabilities.csv").iloc[:, 1:].to_numpy()
    assert classes.tolist() == decision.classes(probabilities).tolist() != probabilities.argmax(1).tolist()
    accuracy = (classes == pd.read_csv(output / "gt.csv")["ans"].to_numpy()).mean()
    assert f"out of fold accuracy={accuracy:.4f};" in caplog.text
    # the outer ensemble has the decision; its members have it too, unless each predicts one attribute
    ensemble = load(tmp_path / "exp")
    assert ensemble.decision == decision
    assert {member.decision for member in ensemble.members} == {Decision() if target else decision}
    assert {model.decision for model in ensemble.models()} == {Decision() if target else decision}


def test_a_wrong_number_of_biases_ends_before_training(faces, run_train, monkeypatch):
    from model.errors import InputError
    from model.training.trainer import Trainer

    monkeypatch.setattr(Trainer, "__init__", lambda *_: pytest.fail("it should not train"))
    with pytest.raises(InputError, match=r"biases: expected 2, one per class, not 1; the classes are male, female"):
        run_train(faces / "train", "--target", "gender", "--decision_args", "{biases: [1]}")


# Functions whose only argmax does not choose the prediction of a model, with what it chooses
ALLOWED = {
    ("exploration/crop/boxes.py", "chosen_box"): "the box to crop to",
    ("exploration/data_report/embedding_map.py", "principal_components"): "the sign of a component",
    ("exploration/data_report/embedding_map.py", "nearest_neighbours"): "the nearest images",
    ("exploration/data_report/map_content.py", "neighbour_table"): "the most frequent other label of neighbours",
    ("exploration/near_duplicates.py", "_neighbours"): "the nearest images",
    (
        "model/cleaning/agreement.py",
        "agree",
    ): "the label that out-of-fold predictions suggest",
    ("model/cleaning/detection.py", "_judge_classes"): "the label to suggest to a reviewer",
    ("model/cleaning/neighbours.py", "nearest"): "the nearest images",
    ("model/cleaning/numeric.py", "out_of_fold_ridge"): "the strength of the ridge with the lowest error",
    ("model/cleaning/temperature.py", "fit_temperature"): "the temperature with the highest likelihood",
    ("model/data/split_report.py", "_large_groups"): "the smallest side of a split",
    ("model/evaluation/evaluate.py", "_score"): "the most frequent class of the ground truth",
    ("model/evaluation/report/sentences.py", "_class_sentence"): "the most frequent wrong prediction, from counts",
    (
        "model/metrics/calibration.py",
        "calibration_statistics",
    ): "calibration of the most probable class",
    ("model/metrics/confident.py", "confident_joint"): "counts of confident learning",
    ("model/training/losses.py", "F1Loss.forward"): "which classes occur in a batch, for the loss",
}
DECIDING = re.compile("(nan)?arg(max|min)|idx(max|min)|topk|argpartition")
SORTING = {"argsort", "sort", "max", "min"}
# What the text of a file has if one of its nodes decides; other files need not be parsed
SIGNS = re.compile(rf"{DECIDING.pattern}|\.\s*({'|'.join(SORTING)})\s*\(")


def decides(node: ast.AST) -> bool:
    """Whether a node is argmax or similar, or takes an index from an order: argsort(...)[-1], max(1).indices."""
    if isinstance(node, (ast.Attribute, ast.Name)):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        by_order = isinstance(node, ast.Attribute) and name == "indices" and is_sorting(node.value)
        return bool(DECIDING.fullmatch(name)) or by_order
    if isinstance(node, ast.alias):
        return bool(DECIDING.fullmatch(node.name))
    if isinstance(node, ast.Subscript) and is_sorting(node.value):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return any(isinstance(ast.literal_eval(part), int) for part in parts if is_number(part))
    if isinstance(node, ast.Assign) and is_sorting(node.value, {"max", "min", "sort"}):
        return any(isinstance(target, ast.Tuple) for target in node.targets)
    return False


def is_number(node: ast.AST) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def is_sorting(node: ast.AST, names: set[str] = SORTING) -> bool:
    """Whether a node is a call of a method that sorts, perhaps reversed by a slice."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        node = node.value
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names


def deciding_functions(node: ast.AST, function: str = "") -> Iterator[str]:
    """The qualified name of the function around each node that decides; "" outside of functions."""
    for child in ast.iter_child_nodes(node):
        if decides(child):
            yield function
        is_scope = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        yield from deciding_functions(child, f"{function}.{child.name}".lstrip(".") if is_scope else function)


@pytest.mark.parametrize(
    "code",
    [
        "p.argmax(1)", "np.argmax(p)", "argmax(p)", "np.nanargmax(p, axis=1)", "frame.idxmax(axis=1)",
        "map(np.argmax, p)", "from numpy import argmax as best", "(-p).argmin()", "np.argsort(p)[-1]",
        "p.argsort(-1)[..., -1]", "np.argsort(-p)[:, 0]", "np.argsort(p)[::-1][0]", "p.topk(1).indices",
        "torch.topk(p, 1)[1]", "p.max(1).indices", "p.max(1)[1]", "torch.max(p, 1)[1]", "value, best = p.max(dim=1)",
        "p.sort(descending=True).indices[0]",
    ],
)  # fmt: skip
def test_code_that_takes_the_highest_is_found(code):
    assert SIGNS.search(code)
    assert set(deciding_functions(ast.parse(f"class A:\n  def f(self):\n    {code}"))) == {"A.f"}


@pytest.mark.parametrize(
    "code",
    [
        "confidence = p.max(axis=1)", "order = np.argsort(-p, kind='stable')", "rows[np.argsort(p)[:most]]",
        "sorted(names)[-1]", "groups = frame.groupby('a').indices", "low, high = values.min(), values.max()",
        "p.max()", "decision.classes(p)",
    ],
)  # fmt: skip
def test_code_that_only_sorts_or_takes_values_is_not(code):
    assert not list(deciding_functions(ast.parse(code)))


def test_only_a_decision_turns_probabilities_into_a_class():
    """If this fails, use Decision.classes. Add an argmax that does not choose a prediction to ALLOWED."""
    folders = ("model", "container", "jobs", "exploration", "benchmarks")
    files = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    found = Counter(
        (path.relative_to(ROOT).as_posix(), function)
        for path in files
        if path != ROOT / "model" / "decisions.py"
        if SIGNS.search(text := path.read_text(encoding="utf-8"))
        for function in deciding_functions(ast.parse(text))
    )
    assert found == Counter(ALLOWED.keys())
