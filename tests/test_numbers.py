"""An age that is learned as a distribution: training, the saved model, and age_number from every way to predict."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

import evaluation
import inference
from container.serve.app import Server
from model.__main__ import SUBCOMMANDS
from model.artifacts.combine import create_ensemble
from model.artifacts.ensemble import load, saved_models
from model.artifacts.saved_model import load_model, save_model
from model.data.channel import read_channel
from model.errors import Problems
from model.images.decode import read_source
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.images.tta import Views
from model.labels import mask_scheme, target_scheme
from model.network.backbone import make_preprocessing
from model.network.heads import make_heads
from model.network.number_bins import NumberBins
from model.prediction import predict
from model.prediction.torch_backend import TorchBackend
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings
from model.subcommands import run_subcommand
from model.weights.initial_weights import make_network
from tests.container.http.server_process import until

LEARNED = (
    "{mask: [worn, incorrect, none], gender: [male, female], age: {cuts: [30, 60], learn: distribution, sigma: 4}}"
)


@pytest.mark.parametrize("flags", [("--age_sigma", "4"), ("--attributes", LEARNED)], ids=["age_sigma", "attributes"])
def test_the_bins_are_saved_and_read_with_the_model(faces, run_train: Callable[..., Path], flags):
    saved = load_model(run_train(faces / "train", "--target", "heads", *flags))
    bins = [head.bins for head in saved.heads.heads]
    assert bins[:2] == [None, None] and isinstance(bins[2], NumberBins)
    assert bins[2].sigma == 4 and bins[2].cuts == (30, 60) and saved.heads.heads[2].outputs == len(bins[2])
    assert saved.scheme.num_classes == 18


def test_a_model_of_each_attribute_learns_the_distribution_in_its_own(faces, run_train: Callable[..., Path]):
    run = run_train(faces / "train", "--target", "separate", "--age_sigma", "4", "--augmentation", "mixup")
    ensemble = load(run)
    assert ensemble.scheme.names == ("mask", "gender", "age")
    assert [model.heads.number_names for model in saved_models(ensemble)] == [(), (), ("age",)]


def test_without_it_the_saved_labels_are_as_before(faces, run_train: Callable[..., Path]):
    heads = load_model(run_train(faces / "train", "--target", "heads")).heads
    assert [set(head) for head in heads.to_dict()["heads"]] == [{"name", "attributes", "classes", "outputs"}] * 3
    assert np.array_equal([head.outputs for head in heads.heads], [3, 2, 3])


BINS = NumberBins((0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 75.0, 90.0), (30.0, 60.0), 0.5, 5.0)
VALUES = np.array([4.5, 14.5, 24.5, 34.5, 44.5, 54.5, 67.0, 82.0])  # of the bins
CPU = {"device": "cpu", "precision": "fp32"}


def make_model(folder: Path, seed: int, target: str = "heads", has_bins: bool = True) -> Path:
    """An untrained model. Large weights of its classifiers make the predictions of any two images differ."""
    torch.manual_seed(seed)
    values = {"model": "test_resnet", "pretrained": False, "input_size": [32, 24], "target": target}
    settings, scheme = build(TrainSettings, [Layer("{}", values)]), target_scheme(mask_scheme(), target)
    heads = make_heads(scheme, target, lambda head, classes: classes, bins={"age": BINS} if has_bins else {})
    pipeline = InputPipeline(make_preprocessing(settings))
    network = make_network(settings, heads, pipeline.preprocessing)
    with torch.no_grad():
        for parameter in network.heads.parameters():
            parameter.mul_(100)
    counts = {"pictures": 0, "groups": 0, "class_counts": [0] * scheme.num_classes}
    data = {"train": counts, "validation": None, "grouped_by": None, "source": "nowhere"}
    metrics = {"finished": True, "data": data, "validation": None, "epoch": 0, "history": [], "versions": {}}
    metrics |= {"epochs": 0, "hardware": "", "seconds": 0}
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    save_model(folder, weights, settings, heads, pipeline, metrics)
    return folder


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saved models: a and b with three heads, plain without bins, mask and age for one attribute each."""
    folder = tmp_path_factory.mktemp("learned")
    for seed, name in enumerate(("a", "b")):
        make_model(folder / name, seed)
    make_model(folder / "plain", 2, has_bins=False)
    for seed, name in enumerate(("mask", "gender", "age"), 3):
        make_model(folder / name, seed, target=name)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, generator = tmp_path_factory.mktemp("eval"), np.random.default_rng(0)
    for row in range(6):
        pixels = generator.integers(256, size=(4, 3, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 64)).save(folder / f"{row}.png")
    return sorted(folder.iterdir())


def expected_ages(model: Path, pictures: list[Path], views: int = 1) -> np.ndarray:
    """The mean over views of sum(softmax(logits of the age) * values), view by view; float (N,)."""
    saved = load_model(model)
    backend, numbers = TorchBackend.load(saved, "cpu", "fp32"), []
    own = slice(-len(VALUES), None)
    for picture in pictures:
        inputs = Views(saved.pipeline, views)(read_source(picture, 3), 0)
        by_view = []
        for view in range(views):
            one = Inputs({name: array[view : view + 1] for name, array in inputs.arrays.items()})
            shares = np.exp(backend.logits(one)[0, own].astype(np.float64))
            by_view.append(float(shares @ VALUES / shares.sum()))
        numbers.append(np.mean(by_view))
    return np.array(numbers)


@pytest.mark.parametrize(("views", "mode"), [(1, "soft"), (4, "soft")])
def test_the_number_is_the_mean_of_the_distribution_over_all_views(learned, pictures, views, mode):
    frame = predict(learned / "a", pictures, num_tta=views, tta_mode=mode, **CPU)
    expected = expected_ages(learned / "a", pictures, views)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(frame["age_number"], expected, rtol=1e-5)
    assert list(frame)[3:8] == ["mask", "gender", "age", "age_number", "error"]
    assert "age_number" not in predict(learned / "plain", pictures, **CPU)


def test_random_views_vote_for_classes_but_their_numbers_are_averaged(learned, pictures):
    frame = predict(learned / "a", pictures, num_tta=3, tta_mode="vote", seed=1, **CPU)
    votes = frame[load(learned / "a").scheme.class_names].to_numpy() * 3
    np.testing.assert_allclose(votes, votes.round(), atol=1e-5)
    assert frame["age_number"].between(0, 90).all() and frame["age_number"].nunique() == len(pictures)


def test_an_unreadable_image_has_no_number(learned, pictures):
    frame = predict(learned / "a", [pictures[0], b"not an image"], **CPU)
    assert frame["age_number"].notna().tolist() == [True, False]


@pytest.mark.parametrize("combine", ["soft", "vote"])
def test_members_are_averaged_with_their_weights(learned, pictures, tmp_path, combine):
    """A member without a distribution has no part in the number; an inner ensemble counts as one member."""
    a, b = (expected_ages(learned / name, pictures) for name in "ab")
    create_ensemble([f"{learned / 'a'}:3", f"{learned / 'b'}", f"{learned / 'plain'}:5"], tmp_path / "three", combine)
    numbers = predict(tmp_path / "three", pictures, **CPU)["age_number"]
    np.testing.assert_allclose(numbers, (3 * a + b) / 4, rtol=1e-5)
    create_ensemble([str(tmp_path / "three"), f"{learned / 'b'}:2"], tmp_path / "two", combine)
    numbers = predict(tmp_path / "two", pictures, **CPU)["age_number"]
    np.testing.assert_allclose(numbers, ((3 * a + b) / 4 + 2 * b) / 3, rtol=1e-5)
    create_ensemble([f"{learned / 'a'}:0", str(learned / "plain")], tmp_path / "none", combine)
    assert "age_number" not in predict(tmp_path / "none", pictures, **CPU)


def test_a_model_for_the_age_alone_gives_its_number_to_a_product(learned, pictures, tmp_path):
    create_ensemble([str(learned / name) for name in ("mask", "gender", "age")], tmp_path / "three")
    frame = predict(tmp_path / "three", pictures, num_tta=2, **CPU)
    np.testing.assert_allclose(frame["age_number"], expected_ages(learned / "age", pictures, 2), rtol=1e-5)


def infer(model: Path, pictures: list[Path], output: Path, *flags: str) -> pd.DataFrame:
    """predictions.csv of inference.py."""
    where = ["--eval_dir", str(pictures[0].parent), "--model_dir", str(model), "--output_data_dir", str(output)]
    machine = ["--device", "cpu", "--precision", "fp32", "--num_workers", "0"]
    assert inference.main([*where, *machine, *flags]) == 0
    return pd.read_csv(output / "predictions.csv", encoding="utf-8-sig")


def test_inference_server_and_batch_transform_have_the_same_numbers(learned, pictures, tmp_path):
    expected = expected_ages(learned / "a", pictures)
    frame = infer(learned / "a", pictures, tmp_path / "whole")
    np.testing.assert_allclose(frame["age_number"], expected, rtol=1e-5)
    columns = ["predicted", "mask", "gender", "age", "age_number", "probability"]
    assert list(frame)[1:7] == columns
    pd.testing.assert_frame_equal(frame, infer(learned / "a", pictures, tmp_path / "parts", "--part_size", "2"))
    assert "age_number" not in infer(learned / "plain", pictures, tmp_path / "plain")
    transformed = tmp_path / "transform"
    transformed.mkdir()
    settings = build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32"})])
    with TestClient(Server(settings, learned / "a", lambda error: pytest.fail(str(error))).app()) as client:
        until(lambda: client.get("/ping").status_code == 200)
        for row, picture in enumerate(pictures):
            verbose = {"Content-Type": "image/png", "Accept": "application/json;verbose"}
            answer = client.post("/invocations", content=picture.read_bytes(), headers=verbose)
            assert answer.status_code == 200, answer.text
            assert answer.json()["age_number"] == pytest.approx(expected[row], rel=1e-5)
            (transformed / f"{picture.name}.out").write_bytes(answer.content)
            plain = client.post("/invocations", content=picture.read_bytes(), headers={"Content-Type": "image/png"})
            assert set(plain.json()) == {"probabilities"}
    flags = [str(transformed), "--model_dir", str(learned / "a"), "--output", str(tmp_path / "served" / "output.csv")]
    assert run_subcommand("model", SUBCOMMANDS, ["transform", *flags]) == 0
    served = pd.read_csv(tmp_path / "served" / "predictions.csv", encoding="utf-8-sig")
    np.testing.assert_allclose(served["age_number"], expected, rtol=1e-5)


def test_the_table_of_single_images_has_the_number_behind_the_band(learned, pictures, capsys):
    machine = ["--device", "cpu", "--precision", "fp32"]
    for model, subject in ((learned / "a", "age: "), (learned / "age", "")):
        (expected,) = expected_ages(model, pictures[:1])
        assert inference.main([str(pictures[0]), "--model_dir", str(model), *machine]) == 0
        frame = predict(model, pictures[:1], **CPU)  # type: ignore[arg-type]
        band = frame["age" if subject else "name"][0]
        assert f"{subject}{band} ({expected:.4g})" in capsys.readouterr().out


@pytest.mark.parametrize("folds", [0, 2])
def test_held_out_images_have_their_true_and_their_estimated_number(faces, run_train: Callable[..., Path], folds):
    flags = ["--target", "heads", "--age_sigma", "4", "--folds", str(folds), "--report", "true"]
    run = run_train(faces / "train", *flags)
    folder = next(run.parent.rglob("gt.csv")).parent
    truth = pd.read_csv(folder / "gt.csv").set_index("ImageID")
    with (folder / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        predicted = {row["ImageID"]: row for row in csv.DictReader(file)}
    assert set(predicted) == set(truth.index) and len(truth) > 20
    bands = pd.cut(truth["age_number"], [0, 29, 59, 200], labels=["under 30", "30 to 59", "60 and over"])
    assert (truth["ans_name"].str.rpartition("/")[2] == bands.astype(str)).all()
    assert all(10 < float(row["age_number"]) < 90 for row in predicted.values())
    for fold in range(1, folds + 1):  # each is predicted by the model that was not trained on it
        names = truth.index[truth["fold"] == fold]
        of_fold = predict(run / f"fold{fold}", [faces / "train" / name for name in names], **CPU)["age_number"]
        np.testing.assert_allclose([float(predicted[name]["age_number"]) for name in names], of_fold, rtol=1e-5)
    if not folds:  # the epoch's validation has predicted the same images with the same weights
        logged = json.loads((run / "metrics.json").read_text())["validation"]["mean_absolute_error"]["age"]
    block = json.loads((folder / "evaluation.json").read_text())["rarebird"]
    estimated = pd.Series({name: float(row["age_number"]) for name, row in predicted.items()})
    expected = (estimated - truth["age_number"]).abs().mean()
    assert block["numbers"]["age"]["mean_absolute_error"]["value"] == pytest.approx(expected, rel=1e-4)
    assert "age_number" not in block["metadata"]
    assert folds or logged == pytest.approx(expected, rel=1e-4)


def test_evaluation_scores_the_number_of_a_channel_in_file_table_and_page(learned, faces, tmp_path, capsys):
    """Reference: predictions of the Python API and the ages of the channel, without any file of predictions."""
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    where = ["--eval_dir", str(faces / "train"), "--model_dir", str(learned / "a"), "--num_workers", "0"]
    assert inference.main([*where, "--output_data_dir", str(tmp_path), "--device", "cpu", "--precision", "fp32"]) == 0
    assert evaluation.main(["--ground_truth_dir", str(faces / "train"), "--output_data_dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().err
    scores = json.loads((tmp_path / "evaluation.json").read_text())["rarebird"]["numbers"]["age"]
    pictures = [table.root / path for path in table.locations.paths]
    errors = predict(learned / "a", pictures, **CPU)["age_number"].to_numpy() - table.numbers["age"].to_numpy()
    error = scores["mean_absolute_error"]
    assert error["value"] == pytest.approx(np.abs(errors).mean(), rel=1e-4) and scores["pictures"] == len(pictures)
    assert scores["mean_error"] == pytest.approx(errors.mean(), rel=1e-3) and scores["unestimated"] == 0
    assert error["low"] < error["value"] < error["high"]
    assert f"{error['value']:.4g}" in printed and "mean absolute error" in printed
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"Mean absolute error of age: {error['value']:.3g} (" in page


def test_evaluation_of_another_model_has_no_numbers(learned, faces, tmp_path, capsys):
    where = ["--eval_dir", str(faces / "train"), "--model_dir", str(learned / "plain"), "--num_workers", "0"]
    assert inference.main([*where, "--output_data_dir", str(tmp_path), "--device", "cpu"]) == 0
    assert evaluation.main(["--ground_truth_dir", str(faces / "train"), "--output_data_dir", str(tmp_path)]) == 0
    assert "numbers" not in json.loads((tmp_path / "evaluation.json").read_text())["rarebird"]
    assert "mean absolute error" not in capsys.readouterr().err
    assert "Mean absolute error" not in (tmp_path / "report.html").read_text(encoding="utf-8")
