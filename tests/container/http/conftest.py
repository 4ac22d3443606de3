"""Processes that serve the page in page.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.container.http.server_process import ServerProcess


@pytest.fixture(scope="module")
def page() -> Iterator[Callable[..., ServerProcess]]:
    """Starts pages with flags. They end after the tests of the module."""
    started: dict[tuple[str, ...], ServerProcess] = {}

    def start(*flags: str) -> ServerProcess:
        if flags not in started:
            started[flags] = ServerProcess([sys.executable, "-m", "tests.container.http.page", *flags]).ready()
        return started[flags]

    yield start
    for server in started.values():
        server.end()
