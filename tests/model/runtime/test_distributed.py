"""The process group: values from every rank, errors of rank 0 on all ranks, signals while waiting for others."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TextIO

import pytest
import torch

from model.errors import Failure, InputError
from model.runtime import distributed
from model.runtime.division import team


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start(target: Callable[[TextIO], None], log: Path, port: str, rank: int) -> BaseProcess:
    """Starts a forked process of a group of two. target writes to log."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(target, log, port, rank))
    process.start()
    return process


def run(target: Callable[[TextIO], None], log: Path, port: str, rank: int) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": str(rank)}
    with log.open("w", buffering=1) as file:
        target(file)
    os._exit(0)


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


def part_of(text: str, part: int, parts: int) -> str:
    return f"{text} {part}/{parts} on {os.environ['RANK']}, "


def freeze(part: int, parts: int) -> None:
    if part == 1:
        os.kill(os.getpid(), signal.SIGSTOP)


def exchange(log: TextIO) -> None:
    """Calls each function of the module as one of two processes; at the end rank 1 freezes."""
    cpu, rank = torch.device("cpu"), int(os.environ["RANK"])
    distributed.start(rank, 2, cpu)
    assert (distributed.rank(), distributed.world()) == (rank, 2)
    calls: list[int] = []
    print(distributed.gather({"rank": rank}), file=log)
    print(distributed.on_rank_zero(lambda: calls.append(rank) or f"from {rank}"), calls, file=log)
    print(distributed.any_rank(rank == 1, cpu), distributed.any_rank(False, cpu), file=log)
    try:
        distributed.on_rank_zero(refuse)
    except InputError as error:
        print("refused:", error, file=log)

    def divided() -> tuple[list[list[str]], str, int]:
        return [team().run(part_of, text) for text in "ab"], "".join(team().run(part_of, "c")), team().on_machine

    print(distributed.on_rank_zero(divided), file=log)
    print(team().run(part_of, "alone"), file=log)
    print(distributed.dist.group.WORLD._get_backend(cpu).options._timeout, file=log)
    distributed._group.heartbeats.patience, distributed._group.heartbeats.beat = 0.6, 0.1
    try:
        distributed.on_rank_zero(lambda: team().run(freeze))
    except Failure as error:
        print(error, file=log)


def test_two_processes_exchange_values(tmp_path: Path):
    port, logs = free_port(), [tmp_path / f"rank{rank}.log" for rank in range(2)]
    processes = [start(exchange, log, port, rank) for rank, log in enumerate(logs)]
    try:
        processes[0].join(120)
    finally:
        for process in processes:
            process.kill()
    assert processes[0].exitcode == 0
    lines_of_ranks = [log.read_text().splitlines() for log in logs]
    for rank, lines in enumerate(lines_of_ranks):
        assert lines[0] == "[{'rank': 0}, {'rank': 1}]"
        assert lines[1] == ("from 0 [0]" if rank == 0 else "from 0 []")
        assert lines[2:4] == ["True False", "refused: no such channel"]
        in_parts = [[f"{text} 0/2 on 0, ", f"{text} 1/2 on 1, "] for text in "abc"]
        assert lines[4] == str((in_parts[:2], "".join(in_parts[2]), 2))
        assert lines[5] == f"['alone 0/1 on {rank}, ']"
        assert lines[6] == str(distributed.TIMEOUT)
    # rank 1 is frozen while it does its part
    frozen = "no heartbeat for 0.01 minutes from rank 1: its host is frozen or lost"
    assert lines_of_ranks[0][7:] == [frozen] and not lines_of_ranks[1][7:]


def test_the_timeout_is_at_most_15_minutes():
    assert datetime.timedelta(minutes=15) >= distributed.TIMEOUT


def wait_for_others(log: TextIO) -> None:
    signal.signal(signal.SIGTERM, lambda *_: print("heard", file=log))
    rendezvous = distributed.rendezvous

    def logged_rendezvous(*arguments: Any, **keywords: Any) -> Any:
        print("waiting", file=log)
        return rendezvous(*arguments, **keywords)

    distributed.rendezvous = logged_rendezvous
    distributed.start(0, 2, torch.device("cpu"))


def test_a_process_that_waits_for_others_is_ended_by_sigterm(tmp_path: Path):
    """It waits in C++, where no handler of Python runs."""
    log = tmp_path / "log"
    process = start(wait_for_others, log, free_port(), 0)
    try:
        while not (log.is_file() and log.read_text() == "waiting\n"):
            assert process.is_alive()
            time.sleep(0.01)
        time.sleep(0.5)
        process.terminate()
        process.join(30)
        assert process.exitcode == -signal.SIGTERM
    finally:
        process.kill()
