"""Divides work into parts: one per process inside `distributed.on_rank_zero`, otherwise a single part.

Imports no torch, so the code that divides its work does not need torch either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Team:
    """The processes that share work.

    Attributes:
        parts: Number of processes, each of which does one part.
        on_machine: Number of these processes on this machine.
        run: Takes a task and its arguments. Returns the list of task(*arguments, part, parts) for each part, in order.
            The task must be a top-level function of a module; the arguments must be picklable.
    """

    parts: int
    on_machine: int
    run: Callable[..., list[Any]]


def _run_alone(task: Callable[..., Any], *arguments: Any) -> list[Any]:
    return [task(*arguments, 0, 1)]


ALONE = Team(1, 1, _run_alone)
_teams = [ALONE]  # the last one is current


def team() -> Team:
    """The processes that currently share the work of this process."""
    return _teams[-1]


@contextmanager
def shared_by(others: Team) -> Iterator[None]:
    """A context in which work is shared by this team."""
    _teams.append(others)
    try:
        yield
    finally:
        _teams.pop()
