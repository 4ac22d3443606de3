"""Missing inputs that are reported before torch, pandas and numpy are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from container import input_checks
from container.environment import Environment
from container.locations import Locations
from model.artifacts.files import SETTINGS
from model.errors import InputError
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings


def train(**values: str) -> None:
    input_checks.check_training(Locations(Environment()), TrainSettings(**values))


def infer(**values: object) -> None:
    input_checks.check_inference(Locations(Environment()), InferenceSettings(**values))


def evaluate(**values: str) -> None:
    input_checks.check_evaluation(Locations(Environment()), EvaluationSettings(**values))


def save_model(folder: Path, settings: str) -> None:
    """Writes what makes a folder a saved model, without a network."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (folder / "metrics.json").write_text('{"finished": true}')
    (folder / SETTINGS).write_text(settings)


def test_a_missing_channel_names_its_variable_and_flag():
    with pytest.raises(InputError, match=r"the channel `train` is missing: set --train_dir .* or set SM_CHANNEL_TRAIN"):
        train()
    with pytest.raises(InputError, match=r"set --ground_truth_dir .* or set SM_GROUND_TRUTH_DIR"):
        evaluate()


def test_a_missing_folder_is_reported_with_the_nearest():
    Path("photos").mkdir()
    Path("gt.csv").touch()
    with pytest.raises(InputError, match="train_dir photo: there is no such folder; nearest: photos"):
        train(train_dir="photo")
    with pytest.raises(InputError, match="validation_dir photo: there is no such folder; nearest: photos"):
        train(train_dir="photos", validation_dir="photo")
    with pytest.raises(InputError, match=r"g\.csv: there is no such file or folder; nearest: gt\.csv"):
        evaluate(ground_truth_dir="g.csv")
    train(train_dir="photos", validation_dir="photos")
    evaluate(ground_truth_dir="gt.csv")


def test_inference_needs_a_model_and_images():
    save_model(Path("runs/exp"), "{}")
    Path("photos").mkdir()
    infer(eval_dir="photos")
    infer(pictures=["a.jpg"])
    with pytest.raises(InputError, match="eval_dir photo: there is no such folder; nearest: photos"):
        infer(eval_dir="photo")
    with pytest.raises(InputError, match="model runs/exq: there is no such folder; nearest: exp"):
        infer(eval_dir="photos", model_dir="runs/exq")
    with pytest.raises(InputError, match=r"the channel `eval` is missing: set --eval_dir .* or set SM_CHANNEL_EVAL"):
        infer()
    Path("runs/exp/metrics.json").write_text('{"finished": false}')
    with pytest.raises(InputError, match=r"no finished run: set SM_CHANNEL_MODEL or --model_dir"):
        infer(eval_dir="photos")


def test_a_model_may_remember_its_images():
    """The job itself checks a damaged model, a folder above a model and several models."""
    save_model(Path("a"), "eval_dir: photos")
    save_model(Path("b"), "{")
    infer(model_dir="a")
    infer(model_dir="b")
    infer(model_dir=".")
    infer(models=["a", "b"])


def test_links_out_of_a_channel_are_refused_in_a_container(monkeypatch):
    Path("photos").mkdir()
    monkeypatch.setenv("RAREBIRD_IMAGE", "1")
    for call in (train, infer):
        with pytest.raises(InputError, match="follow_links is not allowed in a container"):
            call(follow_links=True)
