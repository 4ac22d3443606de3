"""Jobs that train several models: one per attribute, one per fold, or both; stopped and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import evaluation
import inference
from model.artifacts.discovery import is_finished
from model.artifacts.ensemble import load
from model.artifacts.files import is_ensemble
from model.errors import InputError
from model.prediction.api import predict
from model.prediction.predictor import EnsemblePredictor
from model.training.trainer import Trainer

SEPARATE = ["--target", "separate"]
FOLDS = ["--folds", "3"]


def weights(run: Path, *folders: str) -> list[dict[str, torch.Tensor]]:
    """The weights of a run, or those in some of its folders."""
    return [load_file(run / folder / "model.safetensors") for folder in folders or ("",)]


def equal(a: list[dict[str, torch.Tensor]], b: list[dict[str, torch.Tensor]]) -> bool:
    return all(torch.equal(one[name], other[name]) for one, other in zip(a, b, strict=True) for name in one)


@pytest.fixture(scope="module")
def folds(faces, tmp_path_factory):
    """A run of three folds: its model folder and its output folder."""
    import train

    base = tmp_path_factory.mktemp("folds")
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
    small += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
    small += ["--tracking", "none"]
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(base / "runs"), "--output_data_dir", str(base)]
    assert train.main([*small, *where, *FOLDS]) == 0
    return base / "runs" / "exp", base / "exp"


def test_each_attribute_gets_a_model_with_its_own_settings(faces, run_train, tmp_path):
    own = {"age": {"epochs": 2, "loss": "cross_entropy"}, "gender": {"loss": "bce"}}
    run = run_train(faces / "train", *SEPARATE, "--separate", json.dumps(own))
    model = load(run)
    assert model.combine == "product" and model.scheme.names == ("mask", "gender", "age")
    assert [len(member.metrics["history"]) for member in model.members] == [1, 1, 2]
    assert [member.settings.loss for member in model.members] == ["focal", "bce", "cross_entropy"]
    sides = [member.metrics["data"]["split"]["sides"]["validation"]["pictures"] for member in model.members]
    assert len(set(sides)) == 1 and len(pd.read_csv(run / "split.csv")) == 168

    where = ["--model_dir", str(run), "--output_data_dir", str(tmp_path / "out"), "--num_workers", "0"]
    assert inference.main(["--eval_dir", str(faces / "eval"), *where]) == 0
    asked = ["--ground_truth_dir", str(faces / "gt"), "--output_data_dir", str(tmp_path / "out"), "--resamples", "9"]
    assert evaluation.main(asked) == 0
    result = json.loads((tmp_path / "out" / "evaluation.json").read_text())["rarebird"]
    assert len(result["per_class"]) == 18 and set(result["attributes"]) == {"mask", "gender", "age"}


def test_every_row_is_predicted_by_the_model_that_was_not_trained_on_it(folds, faces):
    run, output = folds
    parts = pd.read_csv(output / "split.csv").set_index("path")
    assert sorted(parts["side"].unique()) == ["fold1", "fold2", "fold3"]
    assert (parts.groupby("group")["side"].nunique() == 1).all()
    answers = pd.read_csv(output / "out_of_fold" / "probabilities.csv").set_index("ImageID")
    truth = pd.read_csv(output / "out_of_fold" / "gt.csv").set_index("ImageID")
    assert sorted(answers.index) == sorted(parts.index) == sorted(truth.index) and answers.index.is_unique
    assert (truth["group"] == parts["group"].reindex(truth.index)).all()
    for side, held_out in parts.groupby("side"):
        paths = list(held_out.index[:6])
        pictures = [faces / "train" / path for path in paths]
        alone = predict(run / side, pictures, device="cpu", precision="fp32").iloc[:, -18:].to_numpy()
        np.testing.assert_allclose(answers.loc[paths].to_numpy(), alone, atol=1e-5)


def test_out_of_fold_predictions_can_be_evaluated_directly(folds, capsys):
    _, output = folds
    where = str(output / "out_of_fold")
    assert evaluation.main(["--ground_truth_dir", where, "--output_data_dir", where, "--resamples", "9"]) == 0
    assert "groups of column person" in capsys.readouterr().err


def test_the_ensemble_of_folds_predicts_their_mean(folds, faces):
    run, _ = folds
    pictures = sorted((faces / "eval" / "images").iterdir())[:5]
    whole, *parts = [
        predict(folder, pictures, device="cpu", precision="fp32").iloc[:, -18:].to_numpy()
        for folder in (run, *(run / f"fold{n}" for n in (1, 2, 3)))
    ]
    np.testing.assert_allclose(whole, np.mean(parts, axis=0), atol=1e-6)


def test_a_run_stopped_during_out_of_fold_predictions_resumes_there(faces, run_train, monkeypatch):
    answered = EnsemblePredictor.predict_channel

    def stopped(self, *args, **named):
        os.kill(os.getpid(), signal.SIGTERM)
        return answered(self, *args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(EnsemblePredictor, "predict_channel", stopped)
        run = run_train(faces / "train", *FOLDS)
    assert is_ensemble(run) and not is_finished(run) and not (run / "out_of_fold").exists()
    trained = weights(run, "fold1", "fold2", "fold3")
    assert run_train(faces / "train", *FOLDS) == run and is_finished(run)
    assert equal(weights(run, "fold1", "fold2", "fold3"), trained)
    assert len(pd.read_csv(run / "out_of_fold" / "output.csv")) == 168


def test_out_of_fold_predictions_of_separate_models_are_their_product(faces, run_train):
    run = run_train(faces / "train", *SEPARATE, "--folds", "2", "--epochs", "0")
    model = load(run)
    assert [member.combine for member in model.members] == ["soft"] * 3 and len(model.models()) == 6
    held_out = [set(pd.read_csv(run / "split.csv").query(f"side == 'fold{n}'")["path"]) for n in (1, 2)]
    assert not held_out[0] & held_out[1]
    answers = pd.read_csv(run / "out_of_fold" / "probabilities.csv").set_index("ImageID")
    path = min(held_out[1])
    parts = [
        predict(run / name / "fold2", [faces / "train" / path], device="cpu", precision="fp32")
        for name in ("mask", "gender", "age")
    ]
    mask, gender, age = (part.iloc[0, part.columns.get_loc("error") + 1 :].to_numpy(float) for part in parts)
    expected = (mask[:, None, None] * gender[:, None] * age).ravel()
    np.testing.assert_allclose(answers.loc[path].to_numpy(), expected, atol=1e-5)


def test_finished_members_are_kept_and_the_unfinished_one_is_resumed(faces, run_train, folds, monkeypatch, caplog):
    caplog.set_level("INFO", "rarebird")
    count, update = 0, Trainer._update

    def crash(self) -> None:
        nonlocal count
        update(self)
        count += 1
        if count == 5:  # an epoch of a fold has 3 steps
            raise MemoryError

    monkeypatch.setattr(Trainer, "_update", crash)
    with pytest.raises(MemoryError):
        run_train(faces / "train", *FOLDS, "--checkpoint_seconds", "0")
    monkeypatch.undo()
    caplog.clear()
    run = run_train(faces / "train", *FOLDS)
    assert run.name == "exp" and "already finished" in caplog.text and "resumed epoch=1 step=1" in caplog.text
    folders = ("fold1", "fold2", "fold3")
    assert equal(weights(run, *folders), weights(folds[0], *folders))
    assert json.loads((run / "ensemble.json").read_text())["finished"]
    run_train(faces / "train", *FOLDS, "--epochs", "0")
    assert (run.parent / "exp1" / "ensemble.json").is_file()


@pytest.mark.parametrize("flags", [["--folds", "2", "--target", "mask"], ["--target", "separate"]])
def test_missing_models_are_written_again_without_training(faces, run_train, monkeypatch, flags):
    """This happens if a spot instance is interrupted between the end of training and the upload of the model."""
    run = run_train(faces / "train", *flags)
    before = {path.relative_to(run): path.read_bytes() for path in run.rglob("model.safetensors")}
    shutil.rmtree(run)
    monkeypatch.setattr(Trainer, "train", lambda *_: pytest.fail("it should not train"))
    assert run_train(faces / "train", *flags) == run
    assert {path.relative_to(run): path.read_bytes() for path in run.rglob("model.safetensors")} == before
    assert len(before) > 1 and json.loads((run / "ensemble.json").read_text())["finished"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds", "1"], "0 .one model. or at least 2"),
        (["--folds", "99"], "99 folds require at least 99 groups"),
        ([*SEPARATE, "--separate", '{"agee": {}}'], "'agee' is not an attribute"),
        ([*SEPARATE, "--separate", '{"age": {"layout": "csv"}}'], "layout cannot be set per attribute"),
        ([*SEPARATE, "--separate", '{"age": {"lr": -1}}'], "separate: age: lr = -1: expected at least 0"),
        (["--separate", '{"age": {"lr": 1}}'], "separate is used only with --target separate"),
    ],
)
def test_invalid_folds_and_separate_settings_are_an_error(faces, run_train, flags, message):
    with pytest.raises(InputError, match=message):
        run_train(faces / "train", *flags)


def test_folds_and_a_validation_channel_cannot_be_combined(faces, run_train):
    with pytest.raises(InputError, match="folds and a validation channel cannot be combined"):
        run_train(faces / "train", *FOLDS, "--validation_dir", str(faces / "train"))


def test_lists_of_groups_define_the_split(faces, run_train, tmp_path):
    folders = sorted(path.name for path in (faces / "train" / "images").iterdir())
    (tmp_path / "train.txt").write_text("\n".join(folders[:9]) + "\n\n")
    (tmp_path / "valid.txt").write_text("\n".join(folders[9:12]))
    lists = ["--train_groups", str(tmp_path / "train.txt"), "--validation_groups", str(tmp_path / "valid.txt")]
    run = run_train(faces / "train", *lists, "--epochs", "0")
    result = pd.read_csv(run / "split.csv")
    sides = {side: {path.split("/")[-2] for path in rows["path"]} for side, rows in result.groupby("side")}
    assert sides == {"train": set(folders[:9]), "validation": set(folders[9:12])}

    (tmp_path / "valid.txt").write_text("\n".join([*folders[8:10], "000001_femal_Asian_45"]))
    with pytest.raises(InputError, match=r"line 3: '000001_femal_Asian_45'"):
        run_train(faces / "train", *lists)
    (tmp_path / "valid.txt").write_text("\n".join(folders[8:10]))
    with pytest.raises(InputError, match="share 1 group"):
        run_train(faces / "train", *lists)


def test_a_wrong_number_of_classes_is_an_error(faces, run_train):
    with pytest.raises(InputError, match="num_classes = 17: the target has 18"):
        run_train(faces / "train", "--num_classes", "17")
