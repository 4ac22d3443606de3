"""A real process that serves a page without a model: its connections, and slow clients."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2 as httpx
import pytest

from container.http.server import open_listener
from model.errors import InputError
from tests.container.http.server_process import ServerProcess, until

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"
CLOSE = b"Connection: close\r\n"
SMALL = 4096  # bytes of the kernel's buffers for data that is not read yet


def sockets(server: ServerProcess) -> int:
    """Number of the process's open sockets."""
    number = 0
    for link in Path(f"/proc/{server.child.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            number += os.readlink(link).startswith("socket:")
    return number


def unread(server: ServerProcess, request: bytes) -> socket.socket:
    """A connection that has sent a request and has not read the response yet."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    client.settimeout(60)
    client.connect(("127.0.0.1", server.port))
    client.sendall(request)
    return client


@pytest.fixture
def impatient(page):
    return page("--unread_seconds", "1", "--send_buffer", str(SMALL))


@pytest.mark.parametrize("head", [b"", CLOSE])
@pytest.mark.parametrize("size", [40_000, 5_000_000])
def test_a_response_that_is_not_read_closes_the_connection(impatient, size, head):
    time.sleep(0.3)  # until connections of earlier tests have ended
    before = sockets(impatient)
    with unread(impatient, GET % (b"/large/%d" % size, head)):
        until(lambda: sockets(impatient) > before, 20)
        until(lambda: sockets(impatient) == before, 20)


def test_a_response_that_is_read_slowly_is_complete(impatient):
    """Parts of it are read within the time limit, all of it not."""
    start, answer = time.monotonic(), b""
    with unread(impatient, GET % (b"/large/300000", CLOSE)) as client:
        while piece := client.recv(30_000):
            answer += piece
            time.sleep(0.1 if time.monotonic() < start + 2 else 0)
    assert answer.endswith(b"\r\n\r\n" + b"x" * 300_000) and time.monotonic() > start + 1.5


def test_requests_on_too_many_connections_are_503_until_some_close(page):
    server = page("--max_connections", "5")
    with ExitStack() as connections, httpx.Client(base_url=server.url) as client:
        for _ in range(4):
            connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert client.get("/").status_code == 200  # the fifth
        assert server.sent(GET % (b"/", b"")).startswith(b"HTTP/1.1 503")
        assert client.get("/").status_code == 200  # the sixth was closed
        connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        until(lambda: client.get("/").status_code == 503, 20)
    until(lambda: server.ping() == 200, 20)


@pytest.mark.parametrize(("limit", "connections"), [("ulimit -Sn 128", 200), ("ulimit -n 128", 28)])
def test_more_connections_than_open_files_are_503(limit, connections):
    """The soft limit is raised. If the hard limit is too low, fewer connections are allowed."""
    command = f"{limit}; exec {sys.executable} -m tests.container.http.page --max_connections 200 $@"
    server = ServerProcess(["bash", "-c", command, "bash"])
    try:
        with ExitStack() as stack, httpx.Client(base_url=server.ready().url) as client:
            for _ in range(connections - 1):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            until(lambda: client.get("/").status_code == 200, 20)
            assert server.sent(GET % (b"/", b"")).startswith(b"HTTP/1.1 503")
            if connections < 200:
                assert "at most 28 connections at a time instead of 200" in server.output()
    finally:
        server.end()


def test_headers_that_are_too_long_or_invalid_are_400(page):
    for request in (GET % (b"/", b"A: " + b"x" * 70_000), b"nonsense\r\n\r\n", GET % (b"/\xff", b"")):
        assert page().sent(request).startswith(b"HTTP/1.1 400")
    assert page().ping() == 200


def test_idle_connections_are_closed(page):
    start = time.monotonic()
    assert page().sent(GET % (b"/", b"")).startswith(b"HTTP/1.1 200")
    assert 4 < time.monotonic() - start < 30


def test_sigterm_does_not_wait_for_incomplete_headers(page):
    server = page("--max_connections", "9")
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"GET / HT")
        with socket.create_connection(("127.0.0.1", server.port)), httpx.Client(base_url=server.url) as client:
            assert client.get("/").status_code == 200
            start = time.monotonic()
            server.stop()
    assert time.monotonic() - start < 4.5 and "Traceback" not in server.output()  # --drain_seconds is 5


def test_stop_ends_the_server(page):
    server = page("--max_connections", "8")
    assert httpx.get(f"{server.url}/stop").status_code == 200
    assert server.child.wait(timeout=20) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_responses_are_not_delayed_by_nagles_algorithm(host):
    """asyncio sets TCP_NODELAY on connections whose socket names its protocol."""
    with open_listener(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with connection:
            assert connection.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"):
            open_listener("127.0.0.1", port)
