"""A server as a process, and raw connections to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx2 as httpx

ROOT = Path(__file__).resolve().parents[3]

HEAD_END = re.compile(rb"\n\r?\n")


def until(true: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.02)


class ServerProcess:
    """A command that serves on a free port, which it gets as --port."""

    def __init__(self, command: Sequence[str], **env: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        with tempfile.NamedTemporaryFile(delete=False) as log:  # a pipe that is not read would fill up
            self.log = Path(log.name)
            self.child = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env={**os.environ, "PYTHONPATH": str(ROOT), **env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def sent(self, *pieces: bytes, pause: float = 0.0, half_closed: bool = False, may_wait: bool = False) -> bytes:
        """Sends bytes over a new connection and returns what comes back until the server closes it.

        Args:
            *pieces: The bytes, sent one after the other.
            pause: Seconds after each piece.
            half_closed: Whether to close the sending half of the connection.
            may_wait: Whether to disconnect if the headers are incomplete, since the server waits for the rest.
        """
        gives_up = may_wait and not HEAD_END.search(b"".join(pieces))
        seconds = 0.5 if gives_up else 120
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
                if half_closed:
                    connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(1 << 16), b""))
            except (ConnectionResetError, BrokenPipeError):
                return b""
            except TimeoutError:
                assert gives_up, "the server did not close the connection"
                return b""

    def counted(self, name: str) -> float:
        """A value of /metrics, 0 if it is missing."""
        lines = httpx.get(f"{self.url}/metrics", verify=False).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def ping(self) -> int:
        """The status of /ping; 0 if the server does not listen."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=5, verify=False).status_code  # reads no certificates
        except httpx.TransportError:
            return 0

    def ready(self) -> ServerProcess:
        until(lambda: self.ping() == 200 or self.child.poll() is not None)
        assert self.child.poll() is None, self.output()
        return self

    def stop(self, seconds: float = 60) -> tuple[int, str]:
        """Stops it. Returns the exit code and the output."""
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(timeout=seconds)
        return self.child.returncode, self.output()

    def end(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()  # with SIGKILL for the docker client the container would still run
            self.child.wait(timeout=60)
        self.log.unlink()

    def output(self) -> str:
        """The output so far."""
        return self.log.read_text(encoding="utf-8")
