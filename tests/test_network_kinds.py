"""Networks of each kind: the saved model answers in inference, TTA, ensembles, evaluation and the server what training
computed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

import evaluation
import inference
import inference_TTA
from container.serve.app import Server
from model.artifacts.combine import create_ensemble
from model.artifacts.saved_model import load_model
from model.images.tta import Views
from model.network.network import Network
from model.network.tensors import network_tensors
from model.prediction.api import predict
from model.prediction.torch_backend import load_network
from model.runtime.hardware import find_hardware
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from model.weights.initial_weights import make_network

EXACT = {"device": "cpu", "precision": "fp32"}
VIT = ("--model", "test_vit", "--input_size", "32", "32")
KINDS = {
    "cosine": ("--classifier", "cosine", "--classifier_init", "class_means", "--target", "heads"),
    "fixed-scale": ("--classifier", "cosine", "--classifier_scale_learned", "false", "--hidden_layers", "8"),
    "class-means": ("--classifier_init", "class_means", "--ema", "0.9"),
    "bce": ("--classifier", "cosine", "--classifier_init", "class_means", "--target", "gender", "--loss", "bce"),
    "attention": ("--pooling", "attention", "--input_size", "96", "96", "--target", "heads"),
    "attention-vit": ("--pooling", "attention", *VIT),
    "adaptformer": ("--adapter", "adaptformer", "--adapter_dim", "4", "--classifier", "cosine", *VIT),
    "lora": ("--adapter", "lora", "--adapter_dim", "4", "--target", "heads", *VIT),
    "stages": ("--freeze", "stages:2", "--layer_decay", "0.7"),
}
LR = ("--lr", "0.01", "--report", "true")


def probabilities_of(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy(np.float64)


def own_probabilities(run: Path, pictures: list[Path], views: int = 1) -> np.ndarray:
    """Mean probabilities over views from the network's outputs, one image and one head at a time."""
    saved = load_model(run)
    network, preprocessing = load_network(saved), saved.pipeline.preprocessing
    rows = []
    for picture in pictures:
        inputs = Views(saved.pipeline, views)(Image.open(picture).convert("RGB"), 0)
        with torch.inference_mode():
            logits = network(**network_tensors(inputs, preprocessing, find_hardware("cpu", "fp32"))).double()
        joint = torch.ones(views, 1, dtype=torch.float64)
        for head, own in zip(saved.heads.heads, saved.heads.split(logits)):
            ones = own.sigmoid()
            parts = torch.cat([1 - ones, ones], dim=1) if head.outputs == 1 else own.softmax(dim=1)
            joint = (joint[:, :, None] * parts[:, None, :]).flatten(1)
        rows.append(joint.mean(dim=0).numpy())
    return np.stack(rows)


def answers_of(job, flags: list[str], folder: Path) -> np.ndarray:
    machine = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
    assert job.main([*flags, *machine, "--output_data_dir", str(folder)]) == 0
    return pd.read_csv(folder / "probabilities.csv").iloc[:, 1:].to_numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_equal_everywhere(kind, faces, run_train, tmp_path, capsys):
    run = run_train(faces / "train", *LR, *KINDS[kind])
    plain = run_train(faces / "train", "--lr", "0.01", *target_of(kind), name="plain")

    # training: probabilities of the validation images in memory, and those of the saved file
    held_out = run.with_name("exp.validation")
    truth = pd.read_csv(held_out / "gt.csv")
    validation = [faces / "train" / path for path in truth["ImageID"]]
    in_training = pd.read_csv(held_out / "probabilities.csv").iloc[:, 1:].to_numpy()
    np.testing.assert_allclose(probabilities_of(predict(run, validation, **EXACT)), in_training, atol=1e-5)

    # inference and TTA, against the network's outputs
    pictures = sorted((faces / "eval" / "images").iterdir())
    data = ["--eval_dir", str(faces / "eval"), "--model_dir", str(run)]
    one = own_probabilities(run, pictures)
    assert np.abs(one[0] - one[1:]).max() > 1e-4  # answers depend on the image
    order = [Path(name).name for name in pd.read_csv(faces / "eval" / "info.csv").iloc[:, 0]]
    rows = [[picture.name for picture in pictures].index(name) for name in order]
    np.testing.assert_allclose(answers_of(inference, data, tmp_path / "one"), one[rows], atol=1e-5)
    four = answers_of(inference_TTA, data, tmp_path / "four")
    np.testing.assert_allclose(four, own_probabilities(run, pictures, 4)[rows], atol=1e-5)

    # an ensemble with a model of the default kind
    create_ensemble([f"{run}:3", str(plain)], tmp_path / "both")
    both = answers_of(inference, [*data[:3], str(tmp_path / "both")], tmp_path / "ensemble")
    np.testing.assert_allclose(both, (3 * one + own_probabilities(plain, pictures))[rows] / 4, atol=1e-5)

    # the server
    settings = build(ServeSettings, [Layer("{}", EXACT)])
    with TestClient(Server(settings, run, lambda error: pytest.fail(str(error))).app()) as client:
        while client.get("/ping").status_code != 200:
            pass
        images = [{"image": base64.b64encode(picture.read_bytes()).decode()} for picture in pictures[:3]]
        answer = client.post("/invocations", json={"instances": images}).json()
    served = [item["probabilities"] for item in answer["predictions"]]
    np.testing.assert_allclose(served, one[:3], atol=1e-5)

    # evaluation of the predictions for the validation images
    capsys.readouterr()
    flags = ["--ground_truth_dir", str(held_out), "--output_data_dir", str(held_out)]
    assert evaluation.main([*flags, "--output", str(tmp_path / "scores")]) == 0
    accuracy = json.loads(capsys.readouterr().out.splitlines()[-1])["accuracy"]
    assert accuracy == pytest.approx((in_training.argmax(axis=1) == truth["ans"]).mean(), abs=1e-4)
    assert accuracy == pytest.approx(json.loads((run / "metrics.json").read_text())["validation"]["acc"], abs=1e-4)


def target_of(kind: str) -> list[str]:
    """The flags of a kind that set its target."""
    flags = KINDS[kind]
    return ["--target", flags[flags.index("--target") + 1]] if "--target" in flags else []


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_training_starts_from_the_saved_weights(kind, faces, run_train):
    run = run_train(faces / "train", *KINDS[kind], "--lr", "0.01")
    saved = load_model(run)
    settings = replace(saved.settings, weights=str(run))
    network = make_network(settings, saved.heads, saved.pipeline.preprocessing)
    assert isinstance(network, Network)
    before = load_network(saved).state_dict()
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_training_changes_only_what_adapters_and_frozen_stages_leave(faces, run_train):
    for kind in ("lora", "stages"):
        first, last = (
            load_network(load_model(run_train(faces / "train", *KINDS[kind], "--epochs", epochs, name=kind + epochs)))
            for epochs in ("0", "1")
        )
        before, changed = first.state_dict(), set()
        for name, value in last.named_parameters():
            if not torch.equal(value, before[name]):
                changed.add(name)
        if kind == "lora":
            allowed = ("adapter", "norm", "heads.")
            assert changed and all(any(part in name for part in allowed) for name in changed)
            assert any("adapter.up" in name for name in changed) and any("norm1" in name for name in changed)
        else:
            parts = {name.split(".")[1] for name in changed if name.startswith("backbone.")}
            assert parts == {"layer3", "layer4"}
