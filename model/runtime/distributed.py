"""Several processes that train together: started by torchrun, each with its share of every batch."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from model.errors import InputError

T = TypeVar("T")

PATIENCE = timedelta(hours=2)  # rank 0 decodes every picture of a channel before the others go on


def start(rank: int, world: int, device: torch.device) -> None:
    """Joins the process group that torchrun has described; NCCL between GPUs, gloo between CPUs. SIGTERM and Ctrl-C end
    the process meanwhile."""
    if world > 1:
        backend = "nccl" if device.type == "cuda" else "gloo"
        with _ended_by_signals():
            dist.init_process_group(backend, rank=rank, world_size=world, timeout=PATIENCE)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """The wait for a process that never comes is one in C++, where no handler of Python runs."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop() -> None:
    """Leaves the process group."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def gather(value: T) -> list[T]:
    """Every process's value, in the order of ranks, on every process."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    dist.all_gather_object(values, value)
    return values


def on_first(work: Callable[[], T]) -> T:
    """What work returns on rank 0, on every process; an InputError there is raised on all."""
    if world() == 1:
        return work()
    told: list[Any] = [None, None]
    if rank() == 0:
        try:
            told[0] = work()
        except InputError as error:
            told[1] = str(error)
    dist.broadcast_object_list(told, src=0)
    if told[1] is not None:
        raise InputError(told[1])
    return told[0]


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on any process. device: that of the process group's tensors."""
    if world() == 1:
        return flag
    held = torch.tensor(int(flag), device=device)
    dist.all_reduce(held, dist.ReduceOp.MAX)
    return bool(held.item())
