"""A model process: loads models and predicts for the server, which starts it (container.serve.worker).

    python -m container.serve.model_process SOCKET LOCK     (file descriptors that it inherits)

It receives calls (number, method, arguments) with a payload, and replies with (number, whether it succeeded, result or
exception). It sends events as (0, name, value). The call `cancel` has the number of the call to cancel.
It ends with exit code 0 when the server closes the socket or dies, and with 1 when its model fails again and again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from container import job_script
from container.serve.channel import Channel, ModelInfo, ProcessStart, portable
from container.serve.health import ModelHealth
from container.serve.machine_lock import LARGE_IMAGE
from container.serve.models import LoadedModels, in_daemon_thread
from model.errors import ExitCode, Failure


class ModelProcess:
    """The models of this process and its unfinished calls.

    Args:
        channel: The connection to the server.
        start: The first message from the server.
    """

    def __init__(self, channel: Channel, start: ProcessStart):
        self.channel, self.start = channel, start
        self.loop = asyncio.get_running_loop()
        self.broken: asyncio.Future[Failure] = self.loop.create_future()
        health = ModelHealth(start.settings.max_faults, lambda: self._in_loop(self._event, "fault"), self._on_broken)
        self.models = LoadedModels(
            start.settings, lambda size: self._event("batch", size), health, make_model=start.make_model
        )
        self.calls: dict[int, asyncio.Task[None]] = {}
        self.methods: dict[str, Callable[..., Awaitable[Any]]] = {
            "import_libraries": self._import_libraries,
            "load": self._load,
            "unload": self._unload,
            "predict": self._predict,
        }

    async def run(self) -> int:
        """Answers calls until the connection ends or the model is broken. Returns the exit code."""
        receiving = asyncio.create_task(self._receive())
        ends: list[asyncio.Future[Any]] = [receiving, self.broken]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self.broken.done():
            return ExitCode.DONE
        self._event("broken", self.broken.result())
        await self.channel.close()
        return ExitCode.FAULT

    async def _receive(self) -> None:
        while True:
            try:
                (number, method, arguments), payload = await self.channel.receive()
            except (EOFError, ConnectionError):
                return
            if method == "cancel":
                if call := self.calls.get(number):
                    call.cancel()
                continue
            self.calls[number] = asyncio.create_task(self._answer(number, method, arguments, payload))
            self.calls[number].add_done_callback(lambda _, number=number: self.calls.pop(number))  # type: ignore[misc]

    async def _answer(self, number: int, method: str, arguments: tuple[Any, ...], payload: bytes) -> None:
        try:
            answer = (number, True, await self.methods[method](*arguments, payload))
        except Exception as error:
            answer = (number, False, portable(error))
        await self.channel.send(answer)

    async def _import_libraries(self, _: bytes) -> None:
        await in_daemon_thread(self.start.import_libraries)

    async def _load(self, name: str, folder: Path | None, copies: int, _: bytes) -> ModelInfo:
        model = (await self.models.load(name, folder, copies)).model
        return ModelInfo(model.scheme, model.decision, str(model))

    async def _unload(self, name: str, _: bytes) -> None:
        await self.models.unload(name)

    async def _predict(self, name: str, row: int, metadata: Mapping[str, Any] | None, image: bytes) -> Any:
        return await self.models.loaded[name].batcher(image, row, metadata)

    def _event(self, name: str, value: object = None) -> None:
        self.channel.post((0, name, value))

    def _in_loop(self, function: Callable[..., None], *arguments: object) -> None:
        """Calls a function in the event loop, from another thread."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def _on_broken(self, failure: Failure) -> None:
        self._in_loop(self._end, failure)

    def _end(self, failure: Failure) -> None:
        """Ends this process. Unfinished calls get no reply: the server sends their images to another process."""
        for call in self.calls.values():
            call.cancel()
        self.broken.set_result(failure)


async def serve(connection: socket.socket) -> int:
    channel = await Channel.open(connection)
    try:
        start, _ = await channel.receive()
    except (EOFError, ConnectionError):
        return ExitCode.DONE
    return await ModelProcess(channel, start).run()


def main() -> None:
    # ignore signals to the process group: the server ends this process after all requests are answered
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    job_script.start_log(sys.stdout)
    connection, lock = (int(number) for number in sys.argv[1:])
    LARGE_IMAGE.share(lock)
    code = asyncio.run(serve(socket.socket(fileno=connection)))
    sys.stdout.flush()
    os._exit(code)  # does not wait for threads that load or decode


if __name__ == "__main__":
    main()
