"""Channel: messages between the server and a model process over a socket pair, and the content of some of them."""

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
BUFFER = 1 << 20  # bytes that are read in advance
KNOWN_MODULES = ("builtins", "model.errors", "container.")  # modules of exceptions that the server may import


@dataclass(frozen=True)
class ProcessStart:
    """The first message to a model process.

    Attributes:
        settings: The settings of this process.
        make_model: Loads a model; takes the arguments of ServedModel.
        import_libraries: Imports libraries in advance, so that the first load does not wait for them.
    """

    settings: ServeSettings
    make_model: ModelMaker
    import_libraries: Callable[[], None]


@dataclass(frozen=True)
class ModelInfo:
    """The attributes of a ServedModel that the server needs if the model is in another process; text is its str."""

    scheme: Scheme
    decision: Decision
    text: str

    def __str__(self) -> str:
        return self.text

    def release_memory(self) -> None:
        """Does nothing: the model is in the memory of its process."""


class Channel:
    """Sends and receives messages. A message is a pickled object and a payload of bytes, which is sent as is to save
    copies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.sending = asyncio.Lock()

    @classmethod
    async def open(cls, connection: socket.socket) -> Channel:
        """A channel over one end of a socket pair."""
        return cls(*await asyncio.open_unix_connection(sock=connection, limit=BUFFER))

    async def send(self, message: object, payload: bytes = b"") -> None:
        """Sends a message after all earlier ones. ConnectionError if the other side has closed the connection."""
        async with self.sending:
            self.post(message, payload)
            await self.writer.drain()

    def post(self, message: object, payload: bytes = b"") -> None:
        """Queues a message without waiting, and without an error if the connection is closed."""
        content = pickle.dumps(message)
        self.writer.write(HEADER.pack(len(content), len(payload)) + content)
        if payload:
            self.writer.write(payload)

    async def receive(self) -> tuple[Any, bytes]:
        """The next message and its payload. EOFError or ConnectionError if the other side closed the connection."""
        lengths = HEADER.unpack(await self.reader.readexactly(HEADER.size))
        content, payload = [await self.reader.readexactly(length) for length in lengths]
        return pickle.loads(content), payload

    async def close(self) -> None:
        """Closes the connection after everything has been sent."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def portable(error: Exception) -> Exception:
    """An exception in a form that can be sent to the server, with its traceback as a note. It becomes a RuntimeError if
    it cannot be pickled, or if its class is from a library such as torch, which the server must not import."""
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
