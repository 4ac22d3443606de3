"""Jobs of several processes under torchrun, each process a real one: whose exit code and failure come out."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from container.opt_ml import Hosts
from container.supervise import children
from container.torchrun import (
    divided_gpus,
    own_gpu,
    process_count,
    refuse_alone,
    torchrun_variables,
    visible_gpus,
    wait_for_names,
)
from model.errors import Failure, InputError

ROOT = Path(__file__).resolve().parents[2]
TWO = ("train", "--processes_per_host", "2")
RANK = "rank = int(os.environ['RANK'])\n"


def told(tree) -> str:
    return (tree / "output" / "failure").read_text(encoding="utf-8")


def test_both_processes_end_well_and_know_each_other(run, tree):
    ended = run(
        RANK + "words = ['rank', str(rank), 'of', *map(os.environ.get, ('WORLD_SIZE', 'SM_HOSTS', 'MASTER_ADDR'))]\n"
        "print(' '.join(words))\n"  # one write: lines of two processes must not mix
        "if rank == 0: save(BASE + '/model')",
        *TWO,
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(line for line in ended.stdout.splitlines() if line.startswith("rank")) == [
        f'rank {rank} of 2 ["algo-1"] 127.0.0.1'
        for rank in (0, 1)  # without a network the host's name has no address
    ]
    assert (tree / "output" / "success").exists()


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        ("if rank == 1: os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(60)", 137, "train was killed by SIGKILL"),
        (
            "from model.errors import InputError\nif rank == 0: raise InputError('no such folder')\ntime.sleep(60)",
            2,
            "no such folder",
        ),
        (
            "if rank == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
            "time.sleep(1)\nraise RuntimeError('Connection closed by peer')",
            137,
            "train was killed by SIGKILL",
        ),
    ],
)
def test_the_first_failure_is_the_one_that_is_told(run, tree, body, code, expected):
    ended = run(RANK + body, *TWO)
    assert ended.returncode == code, ended.stderr
    assert told(tree).startswith(expected)


def test_sigterm_reaches_every_process_and_the_jobs_own_code_comes_out(start, tree):
    process = start(
        RANK + "def stop(*_):\n"
        "    time.sleep(1)\n"
        "    if rank == 0: save(BASE + '/model', finished=False)\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "os.makedirs(BASE + '/ready', exist_ok=True)\n"
        "Path(BASE, 'ready', str(rank)).touch()\n"
        "time.sleep(60)",
        *TWO,
    )
    end = time.monotonic() + 200
    while not all((tree / "ready" / rank).exists() for rank in "01"):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (tree / "output" / "success").exists()


def test_sigterm_before_the_processes_are_there_is_a_stop_too(start, tree):
    process = start("time.sleep(60)", *TWO)
    while not children(process.pid):
        time.sleep(0.02)
    process.terminate()
    assert process.wait(120) == 143 and "stopped by SIGTERM" in told(tree)


def test_one_process_a_gpu_unless_told_otherwise(driver):
    assert process_count(0, "auto", {}) == 4
    assert process_count(0, "auto", {"CUDA_VISIBLE_DEVICES": "0,3"}) == 2
    assert process_count(0, "cuda", {"CUDA_VISIBLE_DEVICES": ""}) == 1
    assert process_count(0, "cpu", {}) == 1
    assert process_count(0, "cuda:2", {}) == 1
    assert process_count(2, "cpu", {}) == 2
    # each of several processes is shown its own GPU; more processes than GPUs share them
    assert own_gpu(1, divided_gpus("auto", {})) == {"CUDA_VISIBLE_DEVICES": "1"}
    two = divided_gpus("cuda", {"CUDA_VISIBLE_DEVICES": "2, GPU-3"})
    assert own_gpu(3, two) == {"CUDA_VISIBLE_DEVICES": "GPU-3"}
    # where the setting names one GPU, each process sees all, or its number would mean another
    assert divided_gpus("cuda:1", {}) == divided_gpus("cpu", {}) == []
    driver.unlink()
    assert process_count(0, "auto", {}) == 1 and own_gpu(1, divided_gpus("auto", {})) == {}


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 4), ("", 0), ("-1", 0), ("0,-1,2", 1), ("0,1,2,3,4,5", 4), (" GPU-1 , GPU-2", 2)]
)
def test_gpus_that_are_hidden_do_not_count(visible, count, driver):
    assert visible_gpus({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == count


def test_asked_for_without_torchrun_it_is_refused():
    with pytest.raises(InputError, match=r"python -m container\.entrypoint train"):
        refuse_alone("processes_per_host", 2, world=1, job="train")
    refuse_alone("processes_per_host", 2, world=2, job="train")


def test_a_host_without_an_address_is_named_in_the_end():
    own = socket.gethostname()
    wait_for_names(Hosts("localhost", ("localhost",)), within=0)
    with pytest.raises(Failure, match=r"the names of the hosts algo-7\.invalid do not resolve"):
        wait_for_names(Hosts(own, ("algo-7.invalid", "localhost")), within=0)


def test_the_network_between_hosts_is_used_where_it_is_there():
    hosts = Hosts("algo-1", ("algo-1", "algo-2"), "lo")
    found = torchrun_variables(hosts, 1, {"NCCL_SOCKET_IFNAME": "mine"})
    assert found["GLOO_SOCKET_IFNAME"] == "lo" and "NCCL_SOCKET_IFNAME" not in found
    assert "GLOO_SOCKET_IFNAME" not in torchrun_variables(Hosts("a", ("a", "b"), "ethwe"), 1, {})
