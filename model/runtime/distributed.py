"""Processes that train together: joining torchrun's process group, and exchanging Python values between its ranks.

Without a process group, every function works as for a single process of rank 0. Rows of inference are divided among
hosts by `model.data.prediction_input`.
"""

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

TIMEOUT = timedelta(hours=2)  # of a collective call: rank 0 decodes every image of a channel while the others wait


def start(rank: int, world: int, device: torch.device) -> None:
    """Joins the process group that torchrun describes: NCCL between GPUs, gloo between CPUs.

    SIGTERM and Ctrl-C end the process while it waits for the others.
    """
    if world > 1:
        backend = "nccl" if device.type == "cuda" else "gloo"
        with _default_signal_handlers():
            dist.init_process_group(backend, rank=rank, world_size=world, timeout=TIMEOUT)


@contextmanager
def _default_signal_handlers() -> Iterator[None]:
    """A process that never comes is waited for in C++, where no handler of Python runs."""
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
    """This process among all."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def gather(value: T) -> list[T]:
    """Returns every process's value, in the order of ranks, on every process."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    dist.all_gather_object(values, value)
    return values


def on_rank_zero(function: Callable[[], T]) -> T:
    """Calls a function on rank 0 and returns its result on every process; an InputError there is raised on all."""
    if world() == 1:
        return function()
    outcome: list[Any] = [None, None]  # result, message of the error
    if rank() == 0:
        try:
            outcome[0] = function()
        except InputError as error:
            outcome[1] = str(error)
    dist.broadcast_object_list(outcome, src=0)
    result, message = outcome
    if message is not None:
        raise InputError(message)
    return result


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on any process. device: that of the process group's tensors."""
    if world() == 1:
        return flag
    flags = torch.tensor(int(flag), device=device)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags.item())
