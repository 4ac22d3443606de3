"""Clients that do not read what they asked for."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from uvicorn.server import ServerState

from container.serve.connection import bounded

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n%s\r\n"
SMALL = 4096  # bytes of the kernel's buffers, which hold what is not read


def answering(size: int):
    async def app(scope, receive, send) -> None:
        length = (b"content-length", b"%d" % size)
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"x" * size})

    return app


async def served(size: int, seconds: float, head: bytes, read: bool) -> bytes:
    """What a client reads until the server closes; nothing where it waits until it is let go."""
    state, loop = ServerState(), asyncio.get_running_loop()
    config = uvicorn.Config(answering(size), log_config=None, lifespan="off")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        server = await loop.create_server(lambda: bounded(seconds)(config, state, {}), sock=listener)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            client.connect(listener.getsockname())
            client.setblocking(False)
            await loop.sock_sendall(client, ASKED % head)
            found = b""
            if read:
                while piece := await loop.sock_recv(client, 1 << 16):
                    found += piece
            async with asyncio.timeout(20):
                while state.connections or not state.total_requests:
                    await asyncio.sleep(0.02)
        server.close()
    return found


@pytest.mark.parametrize("head", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("size", [40_000, 5_000_000])
def test_an_answer_that_nobody_reads_is_let_go(size, head):
    asyncio.run(served(size, 0.3, head, read=False))


def test_an_answer_that_is_read_comes_whole():
    assert asyncio.run(served(500_000, 60.0, b"Connection: close\r\n", read=True)).endswith(
        b"\r\n\r\n" + b"x" * 500_000
    )
