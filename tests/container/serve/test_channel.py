"""Messages and payloads over a channel, and exceptions in a form that the server can receive."""

from __future__ import annotations

import asyncio
import pickle
import socket

import pytest
from PIL import UnidentifiedImageError

from container.http.errors import RequestError
from container.serve.channel import BUFFER, Channel, portable
from model.errors import InputError


def test_messages_arrive_in_order_with_payloads_and_a_closed_connection_is_an_error():
    async def exchange() -> list[tuple[object, bytes]]:
        ours, theirs = [await Channel.open(end) for end in socket.socketpair()]
        payloads = [b"", b"x" * (3 * BUFFER), b"y"]
        sending = asyncio.gather(*(ours.send(("message", row), payload) for row, payload in enumerate(payloads)))
        messages = [await theirs.receive() for _ in payloads]
        await sending
        assert messages == [(("message", row), payload) for row, payload in enumerate(payloads)]
        await ours.close()
        with pytest.raises(EOFError):
            await theirs.receive()
        await theirs.close()

    asyncio.run(exchange())


class Unpicklable(InputError):
    __module__ = "model.errors"

    def __init__(self, message: str, other: int):
        super().__init__(message)


def test_exceptions_of_libraries_become_runtime_errors():
    received = [pickle.loads(pickle.dumps(portable(error))) for error in (InputError("a", "b"), KeyError("k"))]
    assert [(type(error), error.args) for error in received] == [(InputError, ("a",)), (KeyError, ("k",))]
    assert received[0].details == "b"
    for error, text in ((UnidentifiedImageError("x"), "UnidentifiedImageError: x"), (Unpicklable("a", 1), "a")):
        copy = pickle.loads(pickle.dumps(portable(error)))
        assert type(copy) is RuntimeError and str(copy).endswith(text)
    refused = pickle.loads(pickle.dumps(portable(RequestError(413, "too much", {"A": "b"}))))
    assert (refused.status, str(refused), refused.headers) == (413, "too much", {"A": "b"})
    try:
        raise ValueError("of the model")
    except ValueError as error:
        assert "raise ValueError" in portable(error).__notes__[0]
