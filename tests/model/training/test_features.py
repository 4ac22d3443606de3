"""Features computed once: the training is that on images with a frozen backbone."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.data.channel import read_channel
from model.data.datasets import Datasets, make_datasets
from model.data.image_dataset import ImageDataset
from model.errors import InputError, Problems
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.images.tta import Views
from model.network.network import Network
from model.network.tensors import network_tensors
from model.runtime.signals import StopSignal
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.early_checks import check_early
from model.training.features import Features, FrozenFeatures
from model.training.fit import fit, make_trainer
from model.training.tracking.base import EpochResult, Tracker
from model.training.trainer import Trainer
from model.training.validation import Validator

FROZEN: dict[str, Any] = {
    "model": "test_resnet",
    "pretrained": False,
    "input_size": [32, 24],
    "batch_size": 32,
    "epochs": 2,
    "num_workers": 0,
    "device": "cpu",
    "precision": "fp32",
    "target": "heads",
    "freeze": ["backbone"],
    "augmentation": {},
}
AUGMENTED = {"augmentation": {"flip": {}, "random_resized_crop": {"scale": [0.3, 1.0]}, "erasing": {"p": 1}}}


def settings(**values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", {**FROZEN, **values})])


def datasets(faces: Path, settings: TrainSettings) -> Datasets:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return make_datasets(settings, table, None)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize(
    "further",
    [
        {"ema": 0.9, "dropout": 0.2, "hidden_layers": [16], "sampler": "imbalanced"},
        {"accumulate": 2, "clip_grad": 0.5, "model": "test_vit", "input_size": [160, 160], "epochs": 1},
        {"precision": "bf16", "hidden_layers": [8]},
    ],
)
def test_one_view_without_augmentation_gives_the_weights_and_scores_of_training_on_images(faces, further):
    images = settings(freeze_norm=True, **further)
    features = settings(feature_views=1, **further)
    data = datasets(faces, images)
    # 4 batches of 32: a batch of another size may change the last bit of its features
    data = replace(data, train=data.train.take(range(128)))
    a, b = fit(images, data), fit(features, data)
    assert len(b.progress.history) == images.epochs
    for before, after in zip(a.progress.history, b.progress.history, strict=True):
        assert {**before, "pictures_per_second": 0} == {**after, "pictures_per_second": 0}
    np.testing.assert_array_equal(a.probabilities, b.probabilities)
    assert equal(a.weights, b.weights)


def trainer_of(faces: Path, tmp_path: Path | None = None, **values: Any) -> Trainer:
    run = settings(**values)
    checkpoints = None if tmp_path is None else Checkpoints(tmp_path)
    trainer = make_trainer(run, datasets(faces, run), checkpoints=checkpoints)
    assert trainer.features is not None
    trainer.network.train()  # as after an epoch
    trainer.features.prepare(trainer.network)
    return trainer


def test_each_view_is_an_augmentation_of_its_own_and_validation_images_are_not_augmented(faces):
    """Against the backbone's output for single images."""
    trainer = trainer_of(faces, feature_views=3, **AUGMENTED)
    train, validation = (trainer.features.features[side].arrays["features"] for side in ("train", "validation"))
    rows = len(trainer.images)
    assert train.shape[:2] == (3, rows) and train.dtype == np.float32
    backbone, preprocessing = trainer.network.backbone.eval(), trainer.pipeline.preprocessing

    def of(inputs: Inputs) -> np.ndarray:
        with torch.no_grad():
            return backbone(network_tensors(inputs, preprocessing, trainer.hardware)["pixels"])[0].numpy()

    for row in (0, 5, rows - 1):
        for view in range(3):
            expected = of(trainer.images[row, view * rows + row][1])
            np.testing.assert_allclose(train[view, row], expected, atol=1e-5)
    assert np.abs(train[0] - train[1]).max(axis=-1).min() > 1e-3
    table = trainer.validator.table
    plain = ImageDataset(table.root, table.locations, Views(trainer.pipeline))
    assert validation.shape[:2] == (1, len(table))
    np.testing.assert_allclose(validation[0, 3], of(plain[3, 3][1]), atol=1e-5)


def test_a_draw_selects_a_view_whatever_batch_it_is_in():
    arrays = {"features": np.arange(4 * 50, dtype=np.float32).reshape(4, 50, 1), "code": np.zeros((4, 50, 1), int)}
    features = Features(arrays, seed=7)
    items = [(draw * 13 % 50, draw) for draw in range(1000)]
    (whole,) = features.batches([items])
    views, rows = np.divmod(whole.inputs.arrays["features"][:, 0, 0].astype(int), 50)
    assert rows.tolist() == whole.rows.tolist() == [row for row, _ in items]
    assert np.bincount(views, minlength=4).min() > 200  # 250 expected, deviation 14
    parts = list(features.batches([items[:10], items[10:11]]))
    joined = np.concatenate([part.inputs.arrays["features"] for part in parts])
    np.testing.assert_array_equal(joined, whole.inputs.arrays["features"][:11])
    (other,) = Features(arrays, seed=8).batches([items])
    assert (other.inputs.arrays["features"] != whole.inputs.arrays["features"]).mean() > 0.5
    assert whole.inputs.arrays["code"].shape == (1000, 1, 1) and whole.unreadable == {}


def test_images_are_read_once_and_the_saved_model_gives_the_validated_probabilities(faces, monkeypatch):
    run = settings(feature_views=2, epochs=3, ema=0.5, **AUGMENTED)
    data = datasets(faces, run)
    read, get = [], ImageDataset.__getitem__
    monkeypatch.setattr(ImageDataset, "__getitem__", lambda self, item: read.append(item) or get(self, item))
    trainer = make_trainer(run, data)
    outcome = trainer.train()
    assert len(read) == 2 * len(data.train) + len(data.validation)
    monkeypatch.undo()
    # the same weights on images
    trainer.network.load_state_dict(outcome.weights)
    parts = (trainer.decision, trainer.pipeline, trainer.hardware, trainer.criterion, 32, 0, StopSignal())
    np.testing.assert_allclose(
        Validator(data.validation, *parts)(trainer.network).probabilities, outcome.probabilities, atol=1e-6
    )


def test_more_views_change_the_weights_and_the_backbone_keeps_its_own(faces):
    data = datasets(faces, settings())
    one, two = (fit(settings(feature_views=views, **AUGMENTED), data).weights for views in (1, 2))
    heads = [name for name in one if name.startswith("heads")]
    assert not any(torch.equal(one[name], two[name]) for name in heads)
    untrained = fit(settings(epochs=0), data).weights
    assert all(torch.equal(untrained[name], two[name]) for name in two if name.startswith("backbone"))


class Crash(Exception):
    pass


class Crashing(Tracker):
    """Ends the training after an epoch."""

    def epoch(self, result: EpochResult) -> None:
        if len(self.epochs) == 1:
            raise Crash
        self.epochs.append(result)

    def __init__(self) -> None:
        self.epochs: list[EpochResult] = []


def test_a_resumed_run_reads_the_features_and_gives_the_same_weights(faces, tmp_path, monkeypatch, caplog):
    run, checkpoints = settings(feature_views=2, epochs=3, **AUGMENTED), Checkpoints(tmp_path)
    data = datasets(faces, run)
    whole = fit(run, data)
    with pytest.raises(Crash):
        fit(run, data, checkpoints=checkpoints, tracker=Crashing())
    assert checkpoints.features.is_file()
    state = checkpoints.newest()
    assert state["epoch"] == 1
    with monkeypatch.context() as patched, caplog.at_level("INFO"):
        patched.setattr(FrozenFeatures, "_compute", lambda *_: pytest.fail("the features are saved"))
        resumed = fit(run, data, checkpoints=checkpoints, state=state)
    assert equal(resumed.weights, whole.weights)
    assert "features of 140 train images in 2 views, 28 validation images in 1 view: read in" in caplog.text
    # a damaged file is computed again
    checkpoints.features.write_bytes(checkpoints.features.read_bytes()[:3000])
    assert equal(fit(run, data, checkpoints=checkpoints, state=state).weights, whole.weights)
    assert "features.npz cannot be read (BadZipFile); the features are computed again" in caplog.text
    checkpoints.finish(resumed.to_state())
    assert not checkpoints.features.exists() and checkpoints.is_finished()


def test_features_of_other_weights_or_augmentation_are_not_read(faces, tmp_path):
    """The file of a run that was started from other weights under the same name."""
    first = trainer_of(faces, tmp_path, feature_views=1).features.features["train"].arrays["features"]
    again = trainer_of(faces, tmp_path, feature_views=1).features.features["train"].arrays["features"]
    np.testing.assert_array_equal(first, again)
    for other in ({"seed": 1}, AUGMENTED, {"interpolation": "nearest"}):
        features = trainer_of(faces, tmp_path, feature_views=1, **other).features.features["train"]
        assert not np.array_equal(features.arrays["features"][0, :40], first[0, :40])
    trainer = trainer_of(faces, tmp_path, feature_views=1)
    torch.nn.init.normal_(next(trainer.network.backbone.parameters()))
    trainer.features.prepare(trainer.network)
    assert not np.array_equal(trainer.features.features["train"].arrays["features"][0, :40], first[0, :40])
    Checkpoints(tmp_path).clear()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_logged_and_training_goes_on(faces, tmp_path, caplog):
    (tmp_path / "features.npz").mkdir()
    run = settings(feature_views=1, epochs=1)
    fit(run, datasets(faces, run), checkpoints=Checkpoints(tmp_path))
    assert "features.npz cannot be written" in caplog.text


def test_a_signal_while_features_are_computed_leaves_no_checkpoint(faces, tmp_path, monkeypatch):
    run, checkpoints = settings(feature_views=2, **AUGMENTED), Checkpoints(tmp_path)
    get, read = ImageDataset.__getitem__, []

    def interrupted(self: ImageDataset, item: tuple[int, int]) -> Any:
        read.append(item)
        if len(read) == 40:
            os.kill(os.getpid(), signal.SIGTERM)
        return get(self, item)

    monkeypatch.setattr(ImageDataset, "__getitem__", interrupted)
    with StopSignal() as stop:
        outcome = fit(run, datasets(faces, run), checkpoints=checkpoints, stop=stop)
    assert outcome.stopped_by == signal.SIGTERM and outcome.progress.updates == 0
    assert len(read) == 64 and not checkpoints.files() and not checkpoints.features.exists()


def test_a_run_stopped_between_class_means_and_features_is_resumed_from_the_means(faces, tmp_path, monkeypatch):
    run, checkpoints = settings(feature_views=1, classifier_init="class_means"), Checkpoints(tmp_path)
    data = datasets(faces, run)
    whole = fit(run, data)
    compute = FrozenFeatures._compute

    def stopping(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return compute(*arguments)

    with StopSignal() as stop, monkeypatch.context() as patched:
        patched.setattr(FrozenFeatures, "_compute", stopping)
        assert fit(run, data, checkpoints=checkpoints, stop=stop).stopped_by == signal.SIGTERM
    state = checkpoints.newest()
    assert state["updates"] == 0 and state["seconds"] > 0
    monkeypatch.setattr("model.training.trainer.set_class_means", lambda *_: pytest.fail("they are in the checkpoint"))
    assert equal(fit(run, data, checkpoints=checkpoints, state=state).weights, whole.weights)


def test_without_an_epoch_to_train_no_features_are_computed(faces, monkeypatch):
    run = settings(feature_views=2, epochs=1)
    data = datasets(faces, run)
    trained = make_trainer(run, data)
    trained.train()
    monkeypatch.setattr(ImageDataset, "__getitem__", lambda *_: pytest.fail("an image was read"))
    assert fit(replace(run, epochs=0), data).progress.epoch == 0
    again = fit(run, data, state=trained.state())  # its last epoch is finished
    assert again.progress.epoch == 1 and equal(again.weights, trained.network.state_dict())


def test_the_time_of_the_features_is_part_of_the_training_time(faces, monkeypatch):
    run, clock = settings(feature_views=1, epochs=1), [0.0]
    compute = FrozenFeatures._compute

    def slow(*arguments: Any) -> Any:
        clock[0] += 1000
        return compute(*arguments)

    monkeypatch.setattr(FrozenFeatures, "_compute", slow)
    monkeypatch.setattr("model.training.trainer.time.monotonic", lambda: clock[0])
    assert fit(run, datasets(faces, run)).progress.seconds == 2000  # of training and of validation images


def test_a_backbone_with_a_trained_part_is_an_error(faces):
    run = settings(feature_views=1)
    trainer = make_trainer(run, datasets(faces, run))
    next(trainer.network.backbone.layer1.parameters()).requires_grad = True
    with pytest.raises(
        InputError, match=r"feature_views 1 requires that no .* but these are: layer1\.0\.conv1\.weight"
    ):
        trainer.train()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"freeze": []}, "feature_views requires freeze backbone, which is not set: features of a trained"),
        ({"freeze": ["layer1", "conv1"]}, "feature_views requires freeze backbone, not layer1 conv1"),
        ({"freeze_epochs": 3}, "a backbone that stays frozen: remove freeze_epochs 3"),
        ({"drop_path": 0.1}, "without stochastic depth: remove drop_path 0.1"),
    ],
)
def test_contradictory_settings_are_errors(values, problem):
    assert not list(settings(feature_views=4).contradictions())
    with pytest.raises(InputError, match=problem):
        settings(**values, feature_views=4)
    settings(**values)


def test_mixing_is_refused_before_any_image_is_read():
    check_early(settings(feature_views=2, augmentation={"flip": {}}))
    with pytest.raises(InputError, match="computes the features of single images, which cannot be mixed; flip, mixup"):
        check_early(settings(feature_views=2, augmentation={"flip": {}, "mixup": {}}))


class WithBrightness(InputPipeline):
    """Adds `brightness` float32 (views, 1), the mean of each view's pixels."""

    def inputs(self, pixels: Any) -> Inputs:
        return Inputs({**super().inputs(pixels).arrays, "brightness": np.array([[p.mean()] for p in pixels], "f4")})


class TwoInputs(Network):
    def forward(self, pixels=None, brightness=None, features=None):
        self.seen.append(None if pixels is not None else (features, brightness))
        return super().forward(pixels, features=features)


def test_other_arrays_of_the_inputs_belong_to_the_view(faces, monkeypatch):
    monkeypatch.setattr("model.training.fit.InputPipeline", WithBrightness)
    monkeypatch.setattr("model.weights.initial_weights.Network", TwoInputs)
    monkeypatch.setattr(TwoInputs, "seen", [], raising=False)
    run = settings(feature_views=3, epochs=1, **AUGMENTED)
    trainer = make_trainer(run, datasets(faces, run))
    trainer.train()
    arrays = trainer.features.features["train"].arrays
    flat = (arrays[name].reshape(3 * 140, -1) for name in ("features", "brightness"))
    known = {row.tobytes(): value for row, value in zip(*flat, strict=True)}
    features, brightness = (torch.cat(tensors).numpy() for tensors in zip(*TwoInputs.seen[:3]))
    assert len(features) == 96 and len(set(brightness[:, 0])) > 60
    for row, value in zip(features, brightness):
        np.testing.assert_array_equal(known[row.tobytes()], value)


def test_the_size_is_logged_and_workers_give_the_same_features(faces, caplog):
    caplog.set_level(logging.INFO)
    alone = trainer_of(faces, feature_views=2, **AUGMENTED).features
    size = sum(array.nbytes for side in alone.features.values() for array in side.arrays.values())
    assert f", {size / 1e6:.1f} MB of memory" in caplog.text and size == (2 * 140 + 28) * 96 * 4
    others = trainer_of(faces, feature_views=2, num_workers=2, **AUGMENTED).features
    for side in ("train", "validation"):
        np.testing.assert_array_equal(*(each.features[side].arrays["features"] for each in (alone, others)))
