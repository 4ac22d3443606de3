"""The commands of containers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jobs.backends.docker import ContainerOptions, docker_run, gpus_option, network_command
from jobs.spec.job import Account
from tests.jobs.examples import LOCAL_JOB


def test_the_command_of_a_container(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    mounts = {
        Path(f"/opt/ml/input/data/{name}"): Path("/data") for name in ("train", "validation")
    }  # two channels from one folder
    command = docker_run(
        LOCAL_JOB,
        "algo-1",
        Path("/r/ml"),
        mounts,
        Path("/r/c"),
        ContainerOptions("rarebird", "1g", "all", "exp-1"),
    )
    text = " ".join(command)
    assert "--network exp-1 --network-alias algo-1" in text and "--shm-size 1g" in text and "--gpus all" in text
    assert "--volume /data:/opt/ml/input/data/train:ro --volume /data:/opt/ml/input/data/validation:ro" in text
    assert "--volume /r/c:/opt/ml/checkpoints" in text
    assert "--env WANDB_API_KEY" in text and "secret" not in text
    assert command[-2:] == ["rarebird", "train"]
    assert gpus_option("none") is None and gpus_option("device=1") == "device=1"


def test_isolated_hosts_reach_only_each_other():
    isolated = replace(LOCAL_JOB, account=Account(isolated=True))
    assert network_command(isolated, "n") == ["network", "create", "--internal", "n"]
    assert network_command(LOCAL_JOB, "n") == ["network", "create", "n"]


def test_a_single_isolated_host_has_no_network():
    options = ContainerOptions("rarebird", "1g", None)
    job = replace(LOCAL_JOB, account=Account(isolated=True))
    command = docker_run(job, "algo-1", Path("/r/ml"), {}, Path("/r/c"), options)
    assert command[command.index("--network") + 1] == "none" and "--gpus" not in command
    assert "--network" not in docker_run(LOCAL_JOB, "algo-1", Path("/r/ml"), {}, Path("/r/c"), options)
