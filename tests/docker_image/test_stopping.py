"""Ends that nobody wished for, in containers: SIGTERM, SIGKILL, no memory left."""

from __future__ import annotations

import json
import re

import pytest

from model.artifacts.saved_model import load_model
from model.prediction.torch_backend import load_network

pytestmark = pytest.mark.image

IN_MID_EPOCH = "epoch=1 step=4"


def weights(tree) -> bytes:
    return (tree.model / "model.safetensors").read_bytes()


def test_sigterm_in_mid_epoch_saves_the_model_and_the_next_start_resumes(
    engine, make_tree, settings, channels, trained, tmp_path
):
    tree = make_tree(tmp_path / "ml", channels, settings)
    container = engine.start("train", options=tree.mounts)
    container.wait_for(IN_MID_EPOCH)
    container.stop(20)  # then SIGKILL, and 137; the service waits 120 s
    log = container.ends_with(0)
    assert "SIGTERM" in log and "epoch=2" not in log
    load_network(load_model(tree.model))
    assert not json.loads((tree.model / "metrics.json").read_text())["finished"]
    assert tree.output("failure") is None and any((tree.folder / "checkpoints").iterdir())

    log = engine.start("train", options=tree.mounts).ends_with(0)
    assert re.search(r"resumed epoch=1 step=[4-9]", log)
    assert weights(tree) == weights(trained)


def test_killed_and_started_again_it_gives_the_bit_identical_model(
    engine, make_tree, settings, channels, trained, tmp_path
):
    tree = make_tree(tmp_path / "ml", channels, settings)
    container = engine.start("train", options=tree.mounts)
    container.wait_for(IN_MID_EPOCH)
    container.kill("KILL")
    assert container.wait() == 137 and not (tree.model / "model.safetensors").exists()
    log = engine.start("train", options=tree.mounts).ends_with(0)
    assert "resumed epoch=1 step=" in log
    assert weights(tree) == weights(trained)


def test_without_memory_it_ends_with_137_and_says_so(engine, make_tree, settings, channels, tmp_path):
    large = {**settings, "input_size": [512, 512], "batch_size": 64, "epochs": 1}
    tree = make_tree(tmp_path / "ml", channels, large)
    log = engine.start("train", options=(*tree.mounts, "--memory", "1g", "--memory-swap", "1g")).ends_with(137)
    failure = tree.output("failure")
    assert failure is not None and "memory" in failure.splitlines()[0], failure
    assert "batch_size" in failure and tree.output("success") is None and "memory" in log


def test_the_next_start_forgets_the_failure(engine, make_tree, settings, channels, tmp_path):
    tree = make_tree(tmp_path / "ml", channels, {**settings, "epochs": 0})
    (tree.folder / "output" / "failure").write_text("of an earlier run")
    engine.start("train", options=tree.mounts).ends_with(0)
    assert tree.output("failure") is None and tree.output("success") is not None
