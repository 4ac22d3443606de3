"""Processes that train together: joins torchrun's process group, exchanges Python values between its ranks, and
divides work of rank 0 among them.

Without a process group, every function behaves as in a single process of rank 0. For inference,
`model.data.prediction_input` divides the rows among hosts.
"""

from __future__ import annotations

import functools
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from model.errors import InputError
from model.runtime.division import Team, shared_by
from model.runtime.heartbeats import Heartbeats

T = TypeVar("T")

TIMEOUT = timedelta(minutes=10)  # of collective calls, and between heartbeats, after which a host counts as frozen
RESULT, TASK = "result", "task"  # kinds of message from rank 0 to the processes that wait for it


@dataclass
class _Group:
    """The process group that this process has joined.

    Attributes:
        heartbeats: Heartbeats while some processes work and others wait.
        on_machine: Number of the group's processes on this machine.
    """

    heartbeats: Heartbeats
    on_machine: int


_group: _Group | None = None


def start(rank: int, world: int, device: torch.device) -> None:
    """Joins the process group that torchrun defines in environment variables: NCCL for GPUs, gloo for CPUs.

    SIGTERM and Ctrl-C end the process while it waits for the others.

    Args:
        rank: Rank of this process.
        world: Number of processes; 1 joins no group.
        device: The device that this process trains on.
    """
    global _group
    if world == 1:
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    with _default_signal_handlers():
        store, _, _ = next(rendezvous("env://", rank, world, timeout=TIMEOUT))
        store.set_timeout(TIMEOUT)
        own = dist.PrefixStore("group", store)
        dist.init_process_group(backend, store=own, rank=rank, world_size=world, timeout=TIMEOUT)
    heartbeats = Heartbeats(dist.PrefixStore("heartbeats", store), rank, TIMEOUT.total_seconds())
    _group = _Group(heartbeats, gather(socket.gethostname()).count(socket.gethostname()))


@contextmanager
def _default_signal_handlers() -> Iterator[None]:
    """A context with the default handlers: torch waits for other processes in C++, where no handler of Python runs."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop() -> None:
    """Leaves the process group."""
    global _group
    _group = None
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Rank of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def gather(value: T) -> list[T]:
    """Returns the values of all processes, in the order of ranks, on every process."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    dist.all_gather_object(values, value)
    return values


def gather_rows(values: torch.Tensor) -> torch.Tensor:
    """Joins the tensors of all processes, (N, ...) each of the same shape, in the order of ranks, on every process."""
    if world() == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(world())]
    dist.all_gather(parts, values.contiguous())
    return torch.cat(parts)


def on_rank_zero(function: Callable[[], T]) -> T:
    """Calls a function on rank 0 and returns its result on every process.

    The function may take any time: the other processes wait as long as rank 0 sends heartbeats. Meanwhile they do
    their parts of work that the function divides (model.runtime.division).

    Raises:
        InputError: If the function raised it; it is then raised on every process.
        Failure: If rank 0 failed in another way, or its host is frozen.
    """
    if _group is None:
        return function()
    outcome: Any = _serve(function, _group) if rank() == 0 else _work(_group)
    result, message = outcome
    if message is not None:
        raise InputError(message)
    value: T = result
    return value


def _serve(function: Callable[[], T], group: _Group) -> tuple[T | None, str | None]:
    """On rank 0: calls the function and sends its result to all. Returns the result and the message of its InputError,
    one of which is None."""
    result: T | None = None
    message: str | None = None
    team = Team(world(), group.on_machine, functools.partial(_divide, group))
    group.heartbeats.begin()
    try:
        with shared_by(team):
            result = function()
    except InputError as error:
        message = str(error)
    except BaseException as error:
        group.heartbeats.end(error)
        raise
    group.heartbeats.end()
    _broadcast((RESULT, result, message))
    return result, message


def _work(group: _Group) -> Any:
    """On the other ranks: does parts of work until rank 0 sends its result. Returns the same as _serve."""
    while True:
        group.heartbeats.wait([0])
        kind, *content = _broadcast(None)
        if kind == RESULT:
            return content
        _share(group, *content)


def _divide(group: _Group, task: Callable[..., T], *arguments: Any) -> list[T]:
    """On rank 0, inside its function: makes all processes do their parts of a task. This is Team.run."""
    group.heartbeats.end()
    _broadcast((TASK, task, arguments))
    results = _share(group, task, arguments)
    group.heartbeats.begin()
    return results


def _share(group: _Group, task: Callable[..., T], arguments: tuple[Any, ...]) -> list[T]:
    """Does this process's part of a task, waits for the others, and returns all results on every process."""
    group.heartbeats.begin()
    try:
        result = task(*arguments, rank(), world())
    except BaseException as error:
        group.heartbeats.end(error)
        raise
    group.heartbeats.end()
    group.heartbeats.wait(range(world()), begun=True)
    return gather(result)


def _broadcast(message: Any) -> Any:
    """Returns rank 0's message on every process."""
    messages = [message]
    dist.broadcast_object_list(messages, src=0)
    return messages[0]


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on any process.

    Args:
        flag: The flag of this process.
        device: Device of the process group's tensors.
    """
    if world() == 1:
        return flag
    flags = torch.tensor(int(flag), device=device)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags.item())
