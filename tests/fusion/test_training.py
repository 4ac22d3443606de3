"""Training of networks that read metadata, and what is done with them beside predictions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

import train
from exploration.heat_maps import HeatMaps
from model.artifacts.saved_model import load_model
from model.data.checked_tables import read_tables
from model.embeddings.extractor import make_networks
from model.errors import InputError
from model.images.inputs import Inputs
from model.prediction import predict
from model.runtime.signals import StopSignal
from model.settings.embedder import EmbedderSettings
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.fit import fit
from model.training.held_out import answer_validation
from model.training.plan import make_plan
from tests.fusion.conftest import COLUMNS, FUSED, KINDS, SHOPS, SMALL, answers, probabilities


def test_metadata_is_learned_and_saved_with_the_model(models, table, expected):
    vocabulary = load_model(models / "fused").pipeline.vocabulary
    assert vocabulary.names == tuple(COLUMNS)
    assert [column.values for column in vocabulary.columns] == [KINDS, ("", *SHOPS), ()]
    assert len(vocabulary.columns[2].edges) == 9
    saved = json.loads((models / "fused" / "preprocessing.json").read_text())
    assert [column["name"] for column in saved["metadata"]] == COLUMNS
    assert "metadata" not in json.loads((models / "plain" / "preprocessing.json").read_text())
    # the metadata says the class of nine images in ten
    kinds = table["kind"].map({kind: code for code, kind in enumerate(KINDS)})
    assert (expected.argmax(1) == kinds).mean() > 0.8
    for name, sentence in (("fused", "Beside the image it reads metadata"), ("only", "It reads only metadata")):
        assert f"{sentence}, the columns kind, shop, price" in (models / name / "README.md").read_text()


@pytest.mark.parametrize("fusion", ["none", "concat", "metadata"])
def test_epochs_0_saves_the_initial_model(channels, tmp_path, fusion):
    flags = ["--fusion", fusion, *FUSED[2:4]] if fusion != "none" else []
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(tmp_path)]
    assert train.main([*SMALL, *where, *flags, "--num_epoch", "0"]) == 0
    found = answers(tmp_path / "exp", channels / "eval", tmp_path / "out")
    assert found.shape == (24, 3) and np.allclose(found.sum(1), 1, atol=1e-5)


def test_a_stopped_run_is_not_resumed_with_other_metadata(channels, tmp_path):
    """The identity of the data has the values; that of runs without fusion does not."""

    def identity(folder: Path, **settings: object) -> dict:
        chosen = build(TrainSettings, [Layer("{}", {"validation": 0.2, **settings})])
        return make_plan(chosen, *read_tables(chosen, folder, None, tmp_path / "checked")).identity()

    shutil.copytree(channels / "train", tmp_path / "train")
    fusion = {"fusion": "concat", "metadata_columns": ["kind"]}
    before, plain = identity(tmp_path / "train", **fusion), identity(tmp_path / "train")
    assert before == {**plain, "metadata": before["metadata"]} and "metadata" not in plain
    table = pd.read_csv(tmp_path / "train" / "train.csv")
    table.assign(price=1).to_csv(tmp_path / "train" / "train.csv", index=False)
    assert identity(tmp_path / "train", **fusion) == before  # another column
    table.assign(kind="a").to_csv(tmp_path / "train" / "train.csv", index=False)
    assert identity(tmp_path / "train", **fusion)["metadata"] != before["metadata"]
    assert identity(tmp_path / "train") == plain


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fusion", "concat", "--metadata_columns", "kind,label"], "label .attribute label.: a column of labels"),
        (["--fusion", "concat", "--metadata_columns", "kind,stop"], "no column 'stop'.*nearest: shop"),
        ([*FUSED, "--augmentation", '{"mixup": {}}'], "mixup mixes two images"),
    ],
)
def test_bad_columns_are_errors(channels, tmp_path, flags, message):
    with pytest.raises(InputError, match=message):
        train.main([*SMALL, "--train_dir", str(channels / "train"), "--model_dir", str(tmp_path), *flags])


def check_held_out(folder: Path, channel: Path, model_of: Callable[[int], Path]) -> None:
    """Compares predictions for held-out images with those of Python. model_of: the model of an image's fold."""
    truth = pd.read_csv(folder / "gt.csv", dtype=str, keep_default_na=False)
    found = pd.read_csv(folder / "probabilities.csv").iloc[:, 1:].to_numpy()
    for fold, rows in truth.groupby(truth["fold"] if "fold" in truth else np.zeros(len(truth))).indices.items():
        own = truth.iloc[rows]
        images = [channel / path for path in own["ImageID"]]
        again = predict(model_of(int(fold)), images, metadata=own[COLUMNS], device="cpu", precision="fp32")
        np.testing.assert_allclose(found[rows], probabilities(again), atol=1e-6)


def test_out_of_fold_predictions(channels, tmp_path):
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(tmp_path)]
    assert train.main([*SMALL, *where, "--output_data_dir", str(tmp_path / "o"), *FUSED, "--folds", "2"]) == 0
    folds = tmp_path / "o" / "exp" / "out_of_fold"
    check_held_out(folds, channels / "train", lambda fold: tmp_path / "exp" / f"fold{fold}")
    assert answers(tmp_path / "exp", channels / "eval", tmp_path / "out").shape == (24, 3)


@pytest.mark.parametrize("is_known", [False, True])
def test_validation_predictions(models, channels, tmp_path, is_known):
    """Those of the last epoch, and those that are computed again, for example for several models."""
    settings = load_model(models / "fused").settings
    plan = make_plan(settings, *read_tables(settings, channels / "train", None, tmp_path / "checked"))
    known = None
    if is_known:
        outcome = fit(settings, plan.runs[0].datasets)
        known = outcome.probabilities
        assert known is not None
    answer_validation(plan, models / "fused", settings, tmp_path, known, StopSignal())
    check_held_out(tmp_path, channels / "train", lambda _: models / "fused")


def test_heat_maps_and_embeddings(models, images, table):
    """A heat map explains the class that is predicted with the metadata."""
    machine = {"device": "cpu", "precision": "fp32"}
    unknown = probabilities(predict(models / "fused", images, **machine)).argmax(1)
    other = table.assign(kind=table["kind"].map({"a": "b", "b": "c", "c": "a"}))
    known = probabilities(predict(models / "fused", images, metadata=other, **machine)).argmax(1)
    row = int(np.flatnonzero(unknown != known)[0])
    maps = HeatMaps(models / "fused", "cpu")
    drawn = [np.asarray(maps.draw(images[row], {"label": code})) for code in range(3)]
    np.testing.assert_array_equal(maps.draw(images[row], metadata=other.iloc[row].to_dict()), drawn[known[row]])
    np.testing.assert_array_equal(maps.draw(images[row]), drawn[unknown[row]])
    assert not np.array_equal(drawn[unknown[row]], drawn[known[row]])
    with pytest.raises(InputError, match="reads only metadata"):
        HeatMaps(models / "only", "cpu")
    settings = {"device": "cpu", "precision": "fp32"}
    (network,) = make_networks(build(EmbedderSettings, [Layer("{}", {**settings, "model": str(models / "fused")})]))
    plain = load_model(models / "fused").pipeline.preprocessing
    inputs = Inputs({"pixels": np.zeros((2, plain.height, plain.width, 3), np.uint8)})
    assert network(inputs).shape == (2, network.features)
    with pytest.raises(InputError, match="has no features of images"):
        list(make_networks(build(EmbedderSettings, [Layer("{}", {**settings, "model": str(models / "only")})])))


def test_weights_of_a_saved_model_with_metadata(models, channels, tmp_path, expected, caplog):
    """The same vocabulary: everything is loaded. Otherwise the backbone alone."""
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(tmp_path), "--epochs", "0"]
    fused = ["--weights", str(models / "fused")]
    assert train.main([*SMALL, *where, *FUSED, *fused, "--name", "same"]) == 0
    first, same = (load_file(folder / "model.safetensors") for folder in (models / "fused", tmp_path / "same"))
    assert first.keys() == same.keys() and all(np.array_equal(first[key], same[key]) for key in first)
    for name, flags in (("image", []), ("other", [*FUSED, "--metadata_min_count", "60"])):
        with caplog.at_level("INFO"):
            assert train.main([*SMALL, *where, *fused, *flags, "--name", name]) == 0
    assert caplog.text.count("trained from scratch, because it reads other metadata") == 2
    for name in ("image", "other"):
        saved = load_file(tmp_path / name / "model.safetensors")
        same = {key for key in saved if key in first and np.array_equal(first[key], saved[key])}
        assert {key for key in saved if key.startswith("backbone.")} <= same
        assert not any(key.endswith("weight") and key.startswith(("heads.", "metadata.")) for key in same)
