"""`python -m model ensemble`: copies saved models into one folder."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest

from model.artifacts.combine import create_ensemble
from model.artifacts.discovery import find_model, newest_model
from model.artifacts.ensemble import Ensemble, load
from model.errors import InputError


def test_copies_are_complete_and_have_no_other_files(models, tmp_path):
    (models / "a" / "notes.txt").write_text("mine")
    create_ensemble([str(models / "a"), str(models / "a")], tmp_path / "runs" / "twice")
    there = sorted(str(path.relative_to(tmp_path / "runs")) for path in (tmp_path / "runs").rglob("*.txt"))
    assert there == [] and isinstance(load(tmp_path / "runs" / "twice"), Ensemble)
    assert sorted(path.name for path in (tmp_path / "runs" / "twice").iterdir() if path.is_dir()) == ["a", "a-2"]
    assert find_model(tmp_path) == tmp_path / "runs" / "twice" == newest_model(tmp_path / "runs")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (("a", "mask"), "the classes and their order must be the same"),
        (("a:0", "b:0"), "weights must not be negative"),
        (("a:-1", "b"), "weights must not be negative"),
        (("a:heavy", "b"), "'heavy' after the colon is not a number"),
        (("a", "c"), "there is no such folder"),
    ],
)
def test_models_that_do_not_fit_are_reported_and_nothing_is_created(models, tmp_path, named, message):
    with pytest.raises(InputError, match=message):
        create_ensemble([str(models / name) for name in named], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_model_with_truncated_weights_is_refused(models, tmp_path):
    shutil.copytree(models / "b", tmp_path / "cut")
    os.truncate(tmp_path / "cut" / "model.safetensors", 5000)
    with pytest.raises(InputError, match=r"cut/model\.safetensors"):
        create_ensemble([str(models / "a"), str(tmp_path / "cut")], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]


def test_an_ensemble_is_copied_with_its_members(models, tmp_path):
    create_ensemble([str(models / "a"), str(models / "b")], tmp_path / "both")
    create_ensemble([str(tmp_path / "both"), str(models / "a")], tmp_path / "three")
    source, copy = tmp_path / "both", tmp_path / "three" / "both"
    copied = {path.relative_to(copy).as_posix() for path in copy.rglob("*")}
    assert copied == {path.relative_to(source).as_posix() for path in source.rglob("*")}
    assert {"ensemble.json", "README.md", "labels.json", "a/model.safetensors", "b/README.md"} <= copied
    assert {"decision.json", "a/decision.json", "b/decision.json"} <= copied


def test_nothing_is_overwritten(models, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists"):
        create_ensemble([str(models / "a")], tmp_path / "out")


def test_the_subcommands_print_what_they_created(models, pictures, tmp_path, capsys):
    from model.__main__ import SUBCOMMANDS
    from model.subcommands import run_subcommand

    words = ["ensemble", str(models / "a"), str(models / "b"), "--output", str(tmp_path / "both")]
    assert run_subcommand("model", SUBCOMMANDS, words) == 0
    assert "2 models, soft, 18 classes" in capsys.readouterr().out
    assert run_subcommand("model", SUBCOMMANDS, ["ensemble", str(models / "a")]) == 2
    assert "--output DIR is missing" in capsys.readouterr().err


def test_two_different_backbones_answer_with_their_mean(models, faces, pictures, tmp_path):
    """A convolutional network and a vision transformer with another input size, in Python, inference and TTA."""
    import inference
    import inference_TTA
    import train
    from model.prediction import predict

    flags = ["--model", "test_vit", "--pretrained", "false", "--epochs", "0", "--device", "cpu", "--report", "false"]
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(tmp_path), "--name", "vit", "--tracking", "none"]
    assert train.main([*flags, *where]) == 0
    members = [models / "a", tmp_path / "vit"]
    ensemble = create_ensemble([str(member) for member in members], tmp_path / "both")
    backbones = [saved.settings.model for saved in ensemble.models()]
    sizes = {(saved.pipeline.preprocessing.height, saved.pipeline.preprocessing.width) for saved in ensemble.models()}
    assert backbones == ["test_resnet", "test_vit"] and len(sizes) == 2

    names = ensemble.scheme.class_names
    folders = (tmp_path / "both", *members)
    answers = [predict(folder, pictures, device="cpu", precision="fp32")[names] for folder in folders]
    np.testing.assert_allclose(answers[0], (answers[1] + answers[2]) / 2, atol=1e-6)
    assert np.abs(answers[1].to_numpy() - answers[2].to_numpy()).max() > 1e-3
    for job in (inference, inference_TTA):
        tables = []
        for model in folders:
            where = ["--model_dir", str(model), "--output_data_dir", str(tmp_path / "answers" / model.name)]
            flags = ["--eval_dir", str(faces / "eval"), "--device", "cpu", "--precision", "fp32", "--num_workers", "0"]
            assert job.main([*flags, *where]) == 0
            tables.append(pd.read_csv(tmp_path / "answers" / model.name / "probabilities.csv")[names])
        np.testing.assert_allclose(tables[0], (tables[1] + tables[2]) / 2, atol=1e-6)
