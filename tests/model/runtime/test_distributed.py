"""The process group: values from every rank, errors of rank 0 on all, and signals during the wait for the others."""

from __future__ import annotations

import datetime
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
import os, signal, sys, torch
from model.errors import Failure, InputError
from model.runtime import distributed
from model.runtime.division import team
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
def part_of(text, part, parts):
    return f"{text} {part}/{parts} on {os.environ['RANK']}, "
def freeze(part, parts):
    sys.stdout.flush()
    if part == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
def divided():
    return [team().run(part_of, text) for text in "ab"], "".join(team().run(part_of, "c")), team().on_machine
print(distributed.on_rank_zero(divided))
print(team().run(part_of, "alone"))
print(distributed.dist.group.WORLD._get_backend(cpu).options._timeout)
distributed._group.heartbeats.patience, distributed._group.heartbeats.beat = 0.6, 0.1
try:
    distributed.on_rank_zero(lambda: team().run(freeze))
except Failure as error:
    print(error, flush=True)
os._exit(0)
"""
    port = free_port()
    processes = [start(body, port, rank) for rank in range(2)]
    try:
        outputs = [processes[0].communicate(timeout=120)[0]]
    finally:
        processes[1].kill()
    outputs.append(processes[1].communicate()[0])
    assert processes[0].returncode == 0
    lines_of_ranks = [output.splitlines() for output in outputs]
    for rank, lines in enumerate(lines_of_ranks):
        assert lines[0] == "[{'rank': 0}, {'rank': 1}]"
        assert lines[1] == ("from 0 [0]" if rank == 0 else "from 0 []")
        assert lines[2:4] == ["True False", "refused: no such channel"]
        in_parts = [[f"{text} 0/2 on 0, ", f"{text} 1/2 on 1, "] for text in "abc"]
        assert lines[4] == str((in_parts[:2], "".join(in_parts[2]), 2))
        assert lines[5] == f"['alone 0/1 on {rank}, ']"
        assert lines[6] == str(distributed.TIMEOUT)
    # rank 1 is frozen in its part
    frozen = "no heartbeat for 0.01 minutes from rank 1: its host is frozen or lost"
    assert lines_of_ranks[0][7:] == [frozen] and not lines_of_ranks[1][7:]


def test_a_frozen_host_ends_the_job_within_a_quarter_of_an_hour():
    assert datetime.timedelta(minutes=15) >= distributed.TIMEOUT


def test_a_process_that_waits_for_others_is_ended_by_sigterm():
    """The wait is one in C++, in which no handler of Python runs."""
    body = """
import signal, torch
from model.runtime import distributed
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
meet = distributed.rendezvous
def met(*args, **kwargs):
    print("waiting", flush=True)
    return meet(*args, **kwargs)
distributed.rendezvous = met
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
