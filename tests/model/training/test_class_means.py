"""The start of classifiers from class means, against a loop over the images."""

from __future__ import annotations

import multiprocessing
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model.data.datasets import Datasets
from model.images.tta import Views
from model.network.tensors import network_tensors
from model.runtime import distributed
from model.runtime.signals import StopSignal
from model.training.checkpoints import Checkpoints
from model.training.fit import fit, make_trainer
from tests.model.training.test_fit import datasets, equal, settings

MEANS: dict[str, Any] = {"classifier_init": "class_means", "epochs": 0}


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def features(faces: Path, **values: Any) -> tuple[np.ndarray, Datasets]:
    """Features of the initial backbone, (training images, features), one image at a time."""
    run_settings = settings(**values)
    data = datasets(faces, run_settings)
    trainer = make_trainer(run_settings, data)
    network, images = trainer.network.eval(), trainer.images
    views, rows = Views(trainer.pipeline), []
    for path in images.locations.paths:
        inputs = views(Image.open(images.root / path).convert("RGB"), 0)
        tensors = network_tensors(inputs, trainer.pipeline.preprocessing, trainer.hardware)
        with torch.inference_mode():
            rows.append(network.backbone(tensors["pixels"])[0].double().numpy())
    return np.stack(rows), data


@pytest.mark.parametrize("classifier", ["cosine", "linear"])
@pytest.mark.parametrize("target", ["joint", "heads"])
def test_vectors_are_the_means_of_normalised_features(faces, classifier, target):
    outcome = fit(settings(classifier=classifier, target=target, **MEANS), datasets(faces, settings()))
    rows, data = features(faces)
    length = 1.0 if classifier == "cosine" else 16.0 / np.linalg.norm(rows, axis=1).mean()
    for number, head in enumerate(outcome.heads.heads):
        codes = outcome.heads.targets({name: data.train.labels[name].to_numpy() for name in data.train.scheme.names})
        weight = outcome.weights[f"heads.{number}.1.weight"].numpy()
        present = np.unique(codes[number])
        expected = [length * unit(unit(rows)[codes[number] == code].mean(axis=0)) for code in present]
        np.testing.assert_allclose(weight[present], expected, atol=1e-5)
        if classifier == "linear":
            assert not outcome.weights[f"heads.{number}.1.bias"].any()
        assert len(weight) == head.outputs


def test_missing_labels_are_left_out_and_absent_classes_keep_their_vector(faces):
    run_settings = settings(target="heads", classifier="cosine", **MEANS)
    data = datasets(faces, run_settings)
    labels = data.train.labels.copy()
    labels.loc[labels.index[::2], "age"] = -1
    labels.loc[labels["mask"] == 1, "mask"] = 0
    changed = Datasets(replace(data.train, labels=labels), None)
    weights = fit(run_settings, changed).weights
    random = fit(replace(run_settings, classifier_init="random"), changed).weights
    rows, _ = features(faces)
    ages = labels["age"].to_numpy()
    expected = [unit(unit(rows)[ages == code].mean(axis=0)) for code in range(3)]
    np.testing.assert_allclose(weights["heads.2.1.weight"].numpy(), expected, atol=1e-5)
    same = (weights["heads.0.1.weight"] == random["heads.0.1.weight"]).all(dim=1)
    assert same.tolist() == [False, True, False]


def test_the_backbone_and_later_random_numbers_do_not_change_and_the_average_starts_there_too(faces):
    run_settings = settings(**{**MEANS, "ema": 0.9})
    data = datasets(faces, run_settings)
    means, again = (
        fit(run_settings, data).weights,
        fit(replace(run_settings, batch_size=7, num_workers=1), data).weights,
    )
    random = fit(replace(run_settings, classifier_init="random", ema=0.0), data).weights
    differing = {name for name, value in means.items() if not torch.equal(value, random[name])}
    assert differing == {"heads.0.1.weight"}
    torch.testing.assert_close(means["heads.0.1.weight"], again["heads.0.1.weight"])


def test_a_resumed_run_is_the_uninterrupted_one_and_reads_no_features_again(faces, tmp_path, monkeypatch):
    run_settings = settings(**{**MEANS, "epochs": 2, "classifier": "cosine"})
    data = datasets(faces, run_settings)
    whole = fit(run_settings, data, checkpoints=Checkpoints(tmp_path))
    state = torch.load(Checkpoints(tmp_path).files()[0], weights_only=True)
    assert state["epoch"] == 1
    monkeypatch.setattr("model.training.trainer.set_class_means", lambda *_: pytest.fail("it should not start again"))
    assert equal(fit(run_settings, data, state=state).weights, whole.weights)


def test_a_signal_while_features_are_computed_leaves_no_checkpoint(faces, tmp_path):
    run_settings, stop = settings(**{**MEANS, "epochs": 1}), StopSignal()
    stop.received = 15
    outcome = fit(run_settings, datasets(faces, run_settings), checkpoints=Checkpoints(tmp_path), stop=stop)
    assert outcome.stopped_by == 15 and not Checkpoints(tmp_path).files()


def vectors_of(rank: int, world: int, port: int, faces: Path, results: Any) -> None:
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world))
    torch.set_num_threads(1)
    distributed.start(rank, world, torch.device("cpu"))
    run_settings = settings(classifier="cosine", target="heads", **MEANS)
    weights = fit(run_settings, datasets(faces, run_settings)).weights
    results.put((rank, {name: value.numpy() for name, value in weights.items()}))
    distributed.stop()


def test_two_processes_start_from_equal_vectors(faces):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    started = [context.Process(target=vectors_of, args=(rank, 2, port, faces, results)) for rank in range(2)]
    for process in started:
        process.start()
    by_rank = dict(results.get(timeout=120) for _ in started)
    for process in started:
        process.join(60)
    run_settings = settings(classifier="cosine", target="heads", **MEANS)
    alone = fit(run_settings, datasets(faces, run_settings)).weights
    for name, value in alone.items():
        np.testing.assert_array_equal(by_rank[0][name], by_rank[1][name])
        np.testing.assert_allclose(by_rank[0][name], value.numpy(), atol=1e-6)
