"""Work that is divided into parts: one part, or one for each process where `distributed.on_rank_zero` has several.

Without torch, so that what divides its work does not need it either.
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
        parts: Their number.
        on_machine: Number of those on this machine.
        run: Called with a task and its arguments; returns task(*arguments, part, parts) of each part, in order. The
            task is a function at the top level of a module, the arguments can be pickled.
    """

    parts: int
    on_machine: int
    run: Callable[..., list[Any]]


def _run_alone(task: Callable[..., Any], *arguments: Any) -> list[Any]:
    return [task(*arguments, 0, 1)]


ALONE = Team(1, 1, _run_alone)
_teams = [ALONE]  # the last is the current one


def team() -> Team:
    """The processes that share the work of this one now."""
    return _teams[-1]


@contextmanager
def shared_by(others: Team) -> Iterator[None]:
    """Within it, work is shared by this team."""
    _teams.append(others)
    try:
        yield
    finally:
        _teams.pop()
