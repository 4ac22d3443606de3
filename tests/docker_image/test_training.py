"""Training in containers of the built image, on real images: the ways in, the limits it runs under, several hosts."""

from __future__ import annotations

import json
import os

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from model.artifacts.saved_model import load_model
from model.prediction.api import predict
from model.prediction.torch_backend import load_network

pytestmark = pytest.mark.image


def test_files_below_opt_ml_are_all_that_training_needs(trained, people):
    assert trained.output("failure") is None and trained.output("success") is not None
    assert {path.name for path in trained.model.iterdir()} >= {"model.safetensors", "settings.yaml", "labels.json"}
    assert not (trained.model / ".checkpoints").exists() and any((trained.folder / "checkpoints").iterdir())
    assert (trained.folder / "output" / "data" / "split.csv").exists()
    pictures = sorted((people / "eval" / "images").iterdir())[:3]
    answers = predict(trained.model, [str(path) for path in pictures])
    assert len(answers) == 3


def test_variables_alone_give_the_same_model_its_answers_and_their_score(
    engine, settings, trained, people, channels, tmp_path
):
    data, out = ("-v", f"{people}:/data:ro"), ("-v", f"{tmp_path}:/out")
    weights = ("-v", f"{channels['weights']}:/weights:ro")
    settings = {**settings, "weights": "/weights/mobilenetv2_100.imagenet.safetensors"}
    where = {"SM_CHANNEL_TRAIN": "/data/train", "SM_MODEL_DIR": "/out/models"}
    variables = {f"SM_HP_{name.upper()}": json.dumps(value) for name, value in settings.items()}
    engine.start("train", options=(*data, *out, *weights), **where, **variables).ends_with(0)
    ours, theirs = (path / "model.safetensors" for path in (tmp_path / "models" / "exp", trained.model))
    assert ours.read_bytes() == theirs.read_bytes()

    asked = {"SM_CHANNEL_EVAL": "/data/eval", "SM_CHANNEL_MODEL": "/out/models"}
    for job in ("inference", "inference_TTA"):
        engine.start(job, options=(*data, *out), **asked, SM_OUTPUT_DATA_DIR=f"/out/{job}").ends_with(0)
    table = pd.read_csv(tmp_path / "inference" / "output.csv")
    assert list(table.columns) == ["ImageID", "ans"] and len(table) == len(pd.read_csv(people / "eval" / "info.csv"))
    log = engine.start(
        "evaluation", options=(*data, *out), SM_GROUND_TRUTH_DIR="/data/gt", SM_OUTPUT_DATA_DIR="/out/inference"
    ).ends_with(0)
    score = json.loads(next(line for line in log.splitlines() if line.startswith('{"accuracy"')))
    told = json.loads((tmp_path / "inference" / "evaluation.json").read_text())["rarebird"]
    assert round(told["accuracy"]["value"], 4) == score["accuracy"] and told["pictures"] == len(table)
    assert (tmp_path / "inference" / "report.html").stat().st_size > 10_000


def test_a_locked_down_container_trains_the_same_model(engine, make_tree, settings, trained, channels, tmp_path):
    """Any user, nothing writable but the mounts and /tmp, no capability, no network, 3 GB."""
    tree = make_tree(tmp_path / "ml", channels, settings)
    for path in (tree.folder, *tree.folder.rglob("*")):
        os.chown(path, 12345, 12345)
    locked = ["--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "12345", "--cap-drop", "ALL"]
    log = engine.start("train", options=(*tree.mounts, *locked, "--memory", "3g")).ends_with(0)
    assert (tree.model / "model.safetensors").read_bytes() == (trained.model / "model.safetensors").read_bytes()
    assert "Traceback" not in log and "Permission" not in log


def test_variables_alone_do_for_any_user_on_a_read_only_file_system(engine, settings, people, tmp_path):
    """There is no mount for /opt/ml/output: the split is written next to the model."""
    os.chown(tmp_path, 12345, 12345)
    locked = ("--read-only", "--tmpfs", "/tmp", "--user", "12345", "--cap-drop", "ALL")
    told = {**settings, "weights": "none", "pretrained": False, "epochs": 0}
    variables = {f"SM_HP_{name.upper()}": json.dumps(value) for name, value in told.items()}
    where = {"SM_CHANNEL_TRAIN": "/data/train", "SM_MODEL_DIR": "/models"}
    mounts = ("-v", f"{people}:/data:ro", "-v", f"{tmp_path}:/models")
    engine.start("train", options=(*mounts, *locked), **where, **variables).ends_with(0)
    assert {"model.safetensors", "split.csv"} <= {path.name for path in (tmp_path / "exp").iterdir()}


def test_files_in_mounts_belong_to_the_mounts_owner(engine, make_tree, settings, channels, tmp_path):
    tree = make_tree(tmp_path / "ml", channels, {**settings, "epochs": 0})
    for path in (tree.folder, *tree.folder.rglob("*")):
        os.chown(path, 4321, 4321)
    engine.start("train", options=tree.mounts).ends_with(0)
    written = [tree.model, tree.folder / "output", tree.folder / "checkpoints"]
    assert {path.stat().st_uid for folder in written for path in (folder, *folder.rglob("*"))} == {4321}


def test_two_hosts_train_together_and_agree_with_one(engine, make_tree, channels, network, tmp_path):
    """Reference: the same run on one host. Layer norms do not see the batch, so two halves of one are the whole."""
    alike = {"model": "test_convnext", "pretrained": False, "input_size": [32, 32], "augmentation": "flip"}
    alike |= {"optimizer": "sgd", "lr": 0.01, "epochs": 1, "batch_size": 14, "num_workers": 1}
    alike |= {"device": "cpu", "precision": "fp32", "target": "heads"}
    only = {"train": channels["train"]}
    hosts = ("algo-1", "algo-2")
    trees = {host: make_tree(tmp_path / host, only, alike, hosts, host) for host in hosts}
    containers = [
        engine.start("train", options=(*tree.mounts, "--network", network, "--network-alias", host, "--hostname", host))
        for host, tree in trees.items()
    ]
    alone = make_tree(tmp_path / "alone", only, alike)
    engine.start("train", options=alone.mounts).ends_with(0)
    logs = [container.ends_with(0) for container in containers]
    assert "2 processes" in logs[0] and sum(log.count("\nepoch=1 val") for log in logs) == 1
    first, second = trees.values()
    assert not any(second.model.iterdir()) and second.output("failure") is None
    one, two = (load_file(tree.model / "model.safetensors") for tree in (alone, first))
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)
    load_network(load_model(first.model))


def test_a_job_is_also_run_as_a_command(engine, trained, people, tmp_path):
    """What a processing job does: the words after the image's name, or an entry point of its own."""
    options = ("-v", f"{people}:/data:ro", "-v", f"{trained.model}:/model:ro", "-v", f"{tmp_path}:/out")
    where = {"SM_CHANNEL_EVAL": "/data/eval", "SM_CHANNEL_MODEL": "/model", "SM_OUTPUT_DATA_DIR": "/out"}
    engine.start("python", "inference.py", options=options, **where).ends_with(0)
    log = engine.start(
        "evaluation.py",
        options=(*options, "--entrypoint", "python3"),
        SM_GROUND_TRUTH_DIR="/data/gt",
        SM_OUTPUT_DATA_DIR="/out",
    ).ends_with(0)
    assert '{"accuracy"' in log
    log = engine.start("trian").ends_with(2)
    assert "train" in log
