"""Jobs of several processes under torchrun: which exit code and failure are reported, and which GPU each process gets.

The processes of the jobs are real. torchrun is real in two tests and a stand-in in the others, since it imports torch.
"""

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


KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


def failure(tree: Path) -> str:
    return (tree / "output" / "failure").read_text(encoding="utf-8")


def test_both_processes_know_each_other_and_the_failure_of_one_ends_the_other(run, tree):
    ended = run(
        RANK + "texts = ['rank', str(rank), 'of', *map(os.environ.get, ('WORLD_SIZE', 'SM_HOSTS', 'MASTER_ADDR'))]\n"
        "print(' '.join(texts), flush=True)\n"  # one write: lines of two processes must not mix
        "Path(BASE, f'printed{rank}').touch()\n"
        "while not os.path.exists(BASE + '/printed0'): time.sleep(0.02)\n"
        f"if rank == 1: {KILLED}\n"
        "time.sleep(60)",
        *TWO,
    )
    assert sorted(line for line in ended.stdout.splitlines() if line.startswith("rank")) == [
        f'rank {rank} of 2 ["algo-1"] 127.0.0.1'
        for rank in (0, 1)  # without a network the host's name has no address
    ]
    assert ended.returncode == 137, ended.stderr
    assert failure(tree).startswith("train was killed by SIGKILL")


def test_a_job_whose_processes_all_end_with_0_is_a_success(run, tree, stand_in):
    ended = run(RANK + "print(f'rank {rank}')\nif rank == 0: save(BASE + '/model')", *TWO, **stand_in)
    assert ended.returncode == 0, ended.stderr
    assert sorted(line for line in ended.stdout.splitlines() if line.startswith("rank")) == ["rank 0", "rank 1"]
    assert (tree / "output" / "success").exists()


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        (
            "from model.errors import InputError\nif rank == 0: raise InputError('no such folder')\ntime.sleep(60)",
            2,
            "no such folder",
        ),
        (
            f"if rank == 1: {KILLED}\ntime.sleep(1)\nraise RuntimeError('Connection closed by peer')",
            137,
            "train was killed by SIGKILL",
        ),
    ],
)
def test_the_first_failure_is_reported(run, tree, stand_in, body, code, expected):
    ended = run(RANK + body, *TWO, **stand_in)
    assert ended.returncode == code, ended.stderr
    assert failure(tree).startswith(expected)


def test_sigterm_reaches_every_process_and_the_exit_code_is_that_of_the_job(start, tree):
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


def test_sigterm_before_the_processes_have_started_stops_the_job_too(start, tree):
    process = start("time.sleep(60)", *TWO)
    while not children(process.pid):
        time.sleep(0.02)
    process.terminate()
    assert process.wait(120) == 143 and "stopped by SIGTERM" in failure(tree)


def test_one_process_per_gpu_unless_the_setting_differs(driver):
    assert process_count(0, "auto", {}) == 4
    assert process_count(0, "auto", {"CUDA_VISIBLE_DEVICES": "0,3"}) == 2
    assert process_count(0, "cuda", {"CUDA_VISIBLE_DEVICES": ""}) == 1
    assert process_count(0, "cpu", {}) == 1
    assert process_count(0, "cuda:2", {}) == 1
    assert process_count(2, "cpu", {}) == 2
    # each process sees its own GPU; if there are more processes than GPUs, they share them
    assert own_gpu(1, divided_gpus("auto", {})) == {"CUDA_VISIBLE_DEVICES": "1"}
    two = divided_gpus("cuda", {"CUDA_VISIBLE_DEVICES": "2, GPU-3"})
    assert own_gpu(3, two) == {"CUDA_VISIBLE_DEVICES": "GPU-3"}
    # if the setting names one GPU, each process sees all: otherwise the number would mean another GPU
    assert divided_gpus("cuda:1", {}) == divided_gpus("cpu", {}) == []
    driver.unlink()
    assert process_count(0, "auto", {}) == 1 and own_gpu(1, divided_gpus("auto", {})) == {}


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 4), ("", 0), ("-1", 0), ("0,-1,2", 1), ("0,1,2,3,4,5", 4), (" GPU-1 , GPU-2", 2)]
)
def test_hidden_gpus_do_not_count(visible, count, driver):
    assert visible_gpus({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == count


def test_several_processes_without_torchrun_are_refused():
    with pytest.raises(InputError, match=r"python -m container\.entrypoint train"):
        refuse_alone("processes_per_host", 2, world=1, job="train")
    refuse_alone("processes_per_host", 2, world=2, job="train")


def test_a_host_whose_name_does_not_resolve_is_an_error():
    own = socket.gethostname()
    wait_for_names(Hosts("localhost", ("localhost",)), within=0)
    with pytest.raises(Failure, match=r"the names of the hosts algo-7\.invalid do not resolve"):
        wait_for_names(Hosts(own, ("algo-7.invalid", "localhost")), within=0)


def test_the_network_interface_between_hosts_is_used_if_it_exists():
    hosts = Hosts("algo-1", ("algo-1", "algo-2"), "lo")
    variables = torchrun_variables(hosts, 1, {"NCCL_SOCKET_IFNAME": "mine"})
    assert variables["GLOO_SOCKET_IFNAME"] == "lo" and "NCCL_SOCKET_IFNAME" not in variables
    assert "GLOO_SOCKET_IFNAME" not in torchrun_variables(Hosts("a", ("a", "b"), "ethwe"), 1, {})
