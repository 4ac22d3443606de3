"""Worker: the server's side of one model process (container.serve.model_process)."""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from container.project_root import PROJECT_ROOT
from container.serve.channel import Channel, ProcessStart

EXIT_SECONDS = 5.0  # within which a model process must have ended after it closed its connection


class ProcessDied(Exception):
    """The model process ended before it replied to a call."""


class Worker:
    """A model process.

    Args:
        number: Number of the process, from 0.
        on_event: Called with the name and value of each event: ("batch", its size) and ("fault", None).

    Attributes:
        pending: The calls that wait for their replies, by number.
        images: Number of images that it has predicted; set by the pool.
        models: Names of the models that it has loaded; set by the pool.
        is_ready: Whether it can predict; set to True by the pool, to False when the process has ended.
        is_broken: Whether it ended because its model failed again and again.
    """

    def __init__(self, number: int, on_event: Callable[[str, Any], None]):
        self.number, self.on_event = number, on_event
        self.pending: dict[int, asyncio.Future[Any]] = {}
        self.images = 0
        self.models: set[str] = set()
        self.is_ready = self.is_broken = self.has_ended = False
        self.numbers = itertools.count(1)
        self.process: asyncio.subprocess.Process | None = None
        self.receiving: asyncio.Task[str]
        self.channel: Channel

    async def start(self, start: ProcessStart, variables: Mapping[str, str], lock: int) -> None:
        """Starts the process.

        Args:
            start: The first message to it.
            variables: Its environment variables.
            lock: File descriptor of the lock that all model processes share.
        """
        path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), variables.get("PYTHONPATH")]))
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "container.serve.model_process",
                str(theirs.fileno()),
                str(lock),
                pass_fds=(theirs.fileno(), lock),
                env={**variables, "PYTHONPATH": path},
                stdin=asyncio.subprocess.DEVNULL,
            )
        self.channel = await Channel.open(ours)
        self.receiving = asyncio.create_task(self._receive())
        with suppress(ConnectionError):
            await self.channel.send(start)

    async def call(self, method: str, *arguments: object, payload: bytes = b"") -> Any:
        """Calls a method of the process and returns its result.

        Args:
            method: Name of the method, as in ModelProcess.methods.
            *arguments: Its arguments.
            payload: Its last argument, bytes.

        Raises:
            ProcessDied: The process ended before it replied.
            Exception: Any exception of the method.
        """
        if self.has_ended:
            raise ProcessDied
        number = next(self.numbers)
        answer = self.pending[number] = asyncio.get_running_loop().create_future()
        try:
            with suppress(ConnectionError):  # it has ended: _receive raises ProcessDied here
                await self.channel.send((number, method, arguments), payload)
            return await answer
        except asyncio.CancelledError:
            if not self.has_ended:
                self.channel.post((number, "cancel", ()))
            raise
        finally:
            self.pending.pop(number, None)

    async def ended(self) -> str:
        """Waits until the process has ended. Returns how it ended, for example "was killed (SIGKILL)"."""
        return await asyncio.shield(self.receiving)

    async def kill(self) -> None:
        """Kills the process if it still runs."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def _receive(self) -> str:
        """Passes replies to their calls until the process ends. Returns how it ended."""
        reason = ""
        while True:
            try:
                (number, outcome, value), _ = await self.channel.receive()
            except (EOFError, ConnectionError):
                break
            except Exception as error:  # no later message can be read either
                reason = f"sent a message that cannot be read: {type(error).__name__}: {error}"
                break
            if number:
                self._answer(number, outcome, value)
            elif outcome == "broken":
                self.is_broken, self.is_ready, reason = True, False, str(value)
            else:
                self.on_event(outcome, value)
        # end its calls at once, so that other processes get them
        self.is_ready, self.has_ended = False, True
        for answer in self.pending.values():
            if not answer.done():
                answer.set_exception(ProcessDied())
        await self.channel.close()
        exit_reason = await self._exit_reason()
        return reason or exit_reason

    def memory(self) -> int:
        """Resident memory of the process in bytes; 0 if it has ended or the system does not report it."""
        if self.process is None:
            return 0
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * resource.getpagesize()

    def _answer(self, number: int, succeeded: bool, value: Any) -> None:
        answer = self.pending.get(number)
        if answer is None or answer.done():
            return
        if succeeded:
            answer.set_result(value)
        else:
            answer.set_exception(value)

    async def _exit_reason(self) -> str:
        assert self.process is not None
        try:
            code = await asyncio.wait_for(self.process.wait(), EXIT_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            code = await self.process.wait()
        if code >= 0:
            return f"ended with exit code {code}"
        name = signal.Signals(-code).name
        return f"was killed ({name}{', probably because memory ran out' if code == -signal.SIGKILL else ''})"
