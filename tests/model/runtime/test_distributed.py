"""The process group: values from every rank, errors of rank 0 on all, and signals during the wait for the others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from model.errors import InputError
from model.runtime import distributed

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start(body: str, port: str, rank: int) -> subprocess.Popen[str]:
    env = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": str(rank)}
    return subprocess.Popen([sys.executable, "-c", body], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def test_one_process_needs_no_group():
    cpu = torch.device("cpu")
    distributed.start(0, 1, cpu)
    assert (distributed.rank(), distributed.world()) == (0, 1)
    assert distributed.gather("a") == ["a"]
    assert distributed.on_rank_zero(lambda: 7) == 7
    assert distributed.any_rank(True, cpu) and not distributed.any_rank(False, cpu)
    with pytest.raises(InputError, match="no such channel"):
        distributed.on_rank_zero(refuse)
    distributed.stop()


def refuse() -> None:
    raise InputError("no such channel")


def test_two_processes_exchange_values(tmp_path: Path):
    body = """
import os, sys, torch
from model.errors import InputError
from model.runtime import distributed
cpu, rank = torch.device("cpu"), int(os.environ["RANK"])
distributed.start(rank, 2, cpu)
assert (distributed.rank(), distributed.world()) == (rank, 2)
def refuse():
    raise InputError("no such channel")
calls = []
print(distributed.gather({"rank": rank}))
print(distributed.on_rank_zero(lambda: calls.append(rank) or f"from {rank}"), calls)
print(distributed.any_rank(rank == 1, cpu), distributed.any_rank(False, cpu))
try:
    distributed.on_rank_zero(refuse)
except InputError as error:
    print("refused:", error)
distributed.stop()
"""
    port = free_port()
    processes = [start(body, port, rank) for rank in range(2)]
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    for rank, lines in enumerate(outputs):
        assert lines[0] == "[{'rank': 0}, {'rank': 1}]"
        assert lines[1] == ("from 0 [0]" if rank == 0 else "from 0 []")
        assert lines[2:] == ["True False", "refused: no such channel"]


def test_a_process_that_waits_for_others_is_ended_by_sigterm():
    """The wait is one in C++, in which no handler of Python runs."""
    body = """
import signal, torch
from model.runtime import distributed
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
init = distributed.dist.init_process_group
def joined(*args, **kwargs):
    print("waiting", flush=True)
    init(*args, **kwargs)
distributed.dist.init_process_group = joined
distributed.start(0, 2, torch.device("cpu"))
"""
    process = start(body, free_port(), 0)
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(1)
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
