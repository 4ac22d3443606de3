"""Channel: messages between the server and a model process, over a socket pair, and what some of them hold."""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from container.http.errors import RequestError
from container.serve.models import ModelMaker
from model.decisions import Decision
from model.labels import Scheme
from model.settings.serve import ServeSettings

HEADER = struct.Struct(">QQ")  # lengths of a message and of its payload
BUFFER = 1 << 20  # bytes that are read ahead
KNOWN_MODULES = ("builtins", "model.errors", "container.")  # of exceptions whose modules the server may import


@dataclass(frozen=True)
class ProcessStart:
    """The first message to a model process.

    Attributes:
        settings: The settings of this process.
        make_model: Loads a model; its arguments are those of ServedModel.
        import_libraries: Imports what the first load would wait for.
    """

    settings: ServeSettings
    make_model: ModelMaker
    import_libraries: Callable[[], None]


@dataclass(frozen=True)
class ModelInfo:
    """What the server needs of a model that a model process has loaded. Attributes as of ServedModel; text: its str."""

    scheme: Scheme
    decision: Decision
    text: str

    def __str__(self) -> str:
        return self.text

    def release_memory(self) -> None:
        """Does nothing: the memory is the model process's."""


class Channel:
    """Sends and receives messages: any object, pickled, and a payload of bytes, which is not copied by pickling."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.sending = asyncio.Lock()

    @classmethod
    async def open(cls, connection: socket.socket) -> Channel:
        return cls(*await asyncio.open_unix_connection(sock=connection, limit=BUFFER))

    async def send(self, message: object, payload: bytes = b"") -> None:
        """Sends a message once those before it have left. ConnectionError if the other side has gone."""
        async with self.sending:
            self.post(message, payload)
            await self.writer.drain()

    def post(self, message: object, payload: bytes = b"") -> None:
        """As send, without waiting and without an error."""
        content = pickle.dumps(message)
        self.writer.write(HEADER.pack(len(content), len(payload)) + content)
        if payload:
            self.writer.write(payload)

    async def receive(self) -> tuple[Any, bytes]:
        """The next message and its payload. EOFError or ConnectionError if the other side has gone."""
        lengths = HEADER.unpack(await self.reader.readexactly(HEADER.size))
        content, payload = [await self.reader.readexactly(length) for length in lengths]
        return pickle.loads(content), payload

    async def close(self) -> None:
        """Closes it once everything has left."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def portable(error: Exception) -> Exception:
    """An exception that the server can receive, with its traceback as a note. A RuntimeError where its class belongs to
    a library, such as torch, which the server must not import, or cannot be pickled."""
    if isinstance(error, RequestError):
        return error
    note = "".join(traceback.format_exception(error))
    known = f"{type(error).__module__}.".startswith(KNOWN_MODULES)
    try:
        copy = pickle.loads(pickle.dumps(error)) if known else None
    except Exception:
        copy = None
    if not isinstance(copy, Exception):
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(note)
    return copy
