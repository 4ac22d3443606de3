"""Methods of training together: numbers, weights of images, metadata, noise, adapters, features and averages. A run
that crashed and was resumed has the weights of one that did not, and the saved model predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from safetensors.numpy import load_file

import inference
from model.artifacts.ensemble import load, saved_models
from model.errors import InputError
from model.training.average import average_models
from model.training.trainer import Trainer

VIT = ("--model", "test_vit", "--input_size", "32", "32")
FUSED = ("--fusion", "concat", "--metadata_columns", "shop,price", "--metadata_min_count", "2")
FEATURES = ("--freeze", "backbone", "--feature_views", "2")
WEIGHTS = ("--weight_column", "weight")
DYNAMICS = ("--training_dynamics", "true")
MIXED = ("--augmentation", "{half_cutmix: {p: 0.5, rare: 1}, mixup: {p: 0.5}}")
NOISE = ("--heads", "{kind: {loss: elr, loss_args: {strength: 1}}, gender: {loss: bce}}")

COMBINATIONS: dict[str, tuple[str, ...]] = {
    "number, weights, elr, dynamics, mixing": (*WEIGHTS, *NOISE, *DYNAMICS, *MIXED, "--ema", "0.9"),
    "number, features, class means, weights, elr": (
        *FEATURES,
        *WEIGHTS,
        *DYNAMICS,
        *("--loss", "elr", "--classifier_init", "class_means", "--classifier", "cosine", "--ema", "0.9"),
    ),
    "fusion, features, class means, elr": (*FUSED, *FEATURES, "--classifier_init", "class_means", *NOISE),
    "metadata only, number, weights": ("--fusion", "metadata", *FUSED[2:], *WEIGHTS, *DYNAMICS, "--ema", "0.9"),
    "lora, attention, layer decay": (
        *VIT,
        *("--adapter", "lora", "--adapter_dim", "2", "--pooling", "attention", "--layer_decay", "0.5"),
        *("--ema", "0.9", "--classifier_init", "class_means"),
    ),
    "adapter, fusion, dataset": (*VIT, *FUSED, "--adapter", "adaptformer", "--normalisation", "dataset"),
    "stages, attention, fusion, layer decay": (
        *FUSED,
        *("--freeze", "stages:1", "--pooling", "attention", "--input_size", "64", "64", "--layer_decay", "0.5"),
        *("--loss", "logit_adjustment", "--decision_args", "{tau: 0.2}", "--freeze_epochs", "1"),
    ),
    "folds, dataset, number, tau": (
        *("--folds", "2", "--normalisation", "dataset", "--decision_args", "{tau: 0.5}"),
        *(*WEIGHTS, *DYNAMICS, *FUSED),
    ),
    "separate, number, elr, class means": (
        *("--target", "separate", "--loss", "elr", "--classifier_init", "class_means", *WEIGHTS, *DYNAMICS),
        *("--separate", "{gender: {freeze: backbone, feature_views: 2}}", *FUSED),
    ),
    "kept epochs, features, fitted decision": (
        *(*FEATURES, "--keep_epochs", "2", "--fit_decision", "true", "--report", "true", "--early_stopping", "1"),
    ),
}


class Crash(Exception):
    pass


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn images with an age, an optional kind, weights and metadata."""
    generator, number = np.random.default_rng(0), 72
    folder = tmp_path_factory.mktemp("combinations") / "data"
    (folder / "images").mkdir(parents=True)
    table = pd.DataFrame({"ImageID": [f"{row:02d}.png" for row in range(number)]})
    table["person"] = np.arange(number) // 2
    table["age"], table["gender"] = generator.integers(15, 75, number), generator.choice(["f", "m"], number)
    table["kind"] = generator.choice(["", "a", "b", "c"], number)
    table["weight"] = generator.choice([0, 0.5, 2], number)
    table["shop"], table["price"] = generator.choice(["north", "south"], number), generator.random(number).round(3)
    for name, age in zip(table["ImageID"], table["age"]):
        pixels = generator.integers(0, 100, (32, 24, 3)) + age
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / name)
    table.to_csv(folder / "train.csv", index=False)
    age = {"cuts": [30, 60], "learn": "distribution", "sigma": 4}
    attributes = {"gender": ["f", "m"], "age": age, "kind": {"values": ["a", "b", "c"], "optional": True}}
    (folder / "scheme.yaml").write_text(yaml.safe_dump({"attributes": attributes}))
    return folder


@pytest.fixture
def run(channel: Path, run_train: Callable[..., Path]) -> Callable[..., Path]:
    """Trains for two epochs."""
    common = ["--config", str(channel / "scheme.yaml"), "--target", "heads", "--epochs", "2", "--lr", "0.01"]
    common += ["--batch_size", "16", "--checkpoint_seconds", "0", "--validation", "0.25"]

    def trained(*flags: str, name: str = "exp", **arguments: object) -> Path:
        return run_train(channel, *common, *flags, name=name, **arguments)

    return trained


def weights(run: Path) -> dict[str, np.ndarray]:
    """All weights of the models of a run by path and name."""
    files = [saved.folder / "model.safetensors" for saved in saved_models(load(run))]
    return {f"{file.relative_to(run)} {name}": value for file in files for name, value in load_file(file).items()}


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_a_resumed_run_is_the_uninterrupted_one_and_its_model_predicts(
    combination: str, channel: Path, run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = COMBINATIONS[combination]
    whole = run(*flags, name="whole")
    with monkeypatch.context() as patched:
        update, steps = Trainer._update, []

        def crashing(self: Trainer) -> None:
            update(self)
            steps.append(self.progress.updates)
            if len(steps) == 6:
                raise Crash

        patched.setattr(Trainer, "_update", crashing)
        with pytest.raises(Crash):
            run(*flags)
    resumed = run(*flags)
    expected, found = weights(whole), weights(resumed)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    for file in whole.rglob("training_dynamics.csv"):
        assert file.read_bytes() == (resumed / file.relative_to(whole)).read_bytes()
    assert bool(list(whole.rglob("training_dynamics.csv"))) == ("--training_dynamics" in flags)
    # the saved model predicts
    data = ["--eval_dir", str(channel), "--model_dir", str(resumed), "--output_data_dir", str(tmp_path / "answers")]
    assert inference.main([*data, "--device", "cpu", "--precision", "fp32", "--num_workers", "0"]) == 0
    answers = pd.read_csv(tmp_path / "answers" / "predictions.csv")
    assert len(answers) == 72 and answers["error"].isna().all()
    assert answers["age_number"].between(0, 90).all()


def test_only_models_that_read_the_same_metadata_are_averaged(
    channel: Path, run: Callable[..., Path], tmp_path: Path
) -> None:
    """Kept epochs of one training, with ages as distributions, a dataset's normalisation and adapters."""
    flags = (*VIT, *FUSED, "--adapter", "lora", "--normalisation", "dataset", "--keep_epochs", "2")
    fused = run(*flags, name="fused")
    epochs = [str(file) for file in sorted((fused / "epochs").glob("*.safetensors"))]
    average_models(epochs, tmp_path / "mean", device="cpu")
    both, mean = (load_file(path) for path in (epochs[0], tmp_path / "mean" / "model.safetensors"))
    assert both.keys() == mean.keys() and np.abs(both["heads.1.1.weight"] - mean["heads.1.1.weight"]).max() > 0
    rare = run(*flags, "--metadata_min_count", "40", name="rare")
    with pytest.raises(InputError, match=r"(?s)different preprocessing.*metadata: .*different weights"):
        average_models([*epochs, str(rare)], tmp_path / "other", device="cpu")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((*FUSED, *MIXED), "half_cutmix, mixup mixes two images and their labels, but not their metadata"),
        ((*FEATURES, *MIXED), "feature_views 2 computes the features of single images, which cannot be mixed"),
        ((*FEATURES, "--pooling", "attention"), "feature_views .* remove pooling attention"),
        ((*FEATURES, "--adapter", "lora", *VIT), "adapter lora freezes the backbone except for adapters"),
        ((*DYNAMICS, "--augmentation", "mixup"), "training_dynamics records images that are not mixed"),
        (("--fusion", "metadata", *FUSED[2:], "--freeze", "stages:1"), "freeze is for the backbone"),
        (("--fusion", "metadata", *FUSED[2:], "--layer_decay", "0.5"), "layer_decay is for the backbone"),
        (("--target", "joint"), "requires a classifier of its own for age"),
        (("--heads", "{age: {loss: elr}}"), "age: loss is not used, because the loss of a distribution is fixed"),
        (("--decision_args", "{tau: -1}"), "decision_args: tau: must be at least 0, not -1"),
        (("--fit_decision", "true", "--report", "true", "--decision_args", "{tau: 1}"), "fit_decision chooses the"),
        (("--loss", "elr", "--loss_args", "{beta: 1}"), "beta = 1: expected at least 0 and below 1"),
    ],
)
def test_what_cannot_be_combined_is_refused_before_images_are_read(
    flags: Sequence[str],
    message: str,
    run: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("train.read_tables", lambda *_: pytest.fail("images were read"))
    with pytest.raises(InputError, match=message):
        run(*flags)
