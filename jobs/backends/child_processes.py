"""Runs one process per host of a job: prints and logs their output, forwards signals, and stops all if one fails."""

from __future__ import annotations

import math
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from jobs.spec.console import MetricTable, PrintLine

GRACE_SECONDS = 30.0  # for the other hosts to end after one has failed


@dataclass(frozen=True)
class HostCommand:
    """The command of one host, with its environment variables and working folder."""

    arguments: Sequence[str]
    variables: Mapping[str, str]
    folder: Path


def run_hosts(commands: Mapping[str, HostCommand], log: Path, print_line: PrintLine) -> dict[str, int]:
    """Starts the command of each host and waits for all of them.

    SIGTERM is forwarded to them; Ctrl-C reaches them without help. If one fails the others are stopped, as on
    SageMaker.

    Args:
        commands: The command of each host.
        log: File that the output is appended to. If there are several hosts, each line begins with its host's name.
        print_line: Prints the same lines, with metrics as a table.

    Returns:
        Exit codes by host, in the order in which the hosts ended.
    """
    table = MetricTable()
    lock = threading.Lock()
    with log.open("a", encoding="utf-8") as log_file:

        def listen(host: str, process: subprocess.Popen[str]) -> None:
            assert process.stdout is not None
            lead = f"{host}: " if len(commands) > 1 else ""
            for text in process.stdout:
                line = lead + text.rstrip("\n")
                with lock:
                    print(line, file=log_file, flush=True)
                    for row in table.row(line) or [line]:
                        print_line(row)

        processes = {host: _start(command) for host, command in commands.items()}
        listeners = [threading.Thread(target=listen, args=pair, daemon=True) for pair in processes.items()]
        for listener in listeners:
            listener.start()
        with _forward_sigterm(list(processes.values())):
            codes = _wait(processes)
        for listener in listeners:
            listener.join()
    return codes


def _start(command: HostCommand) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command.arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="backslashreplace",
        env=dict(command.variables),
        cwd=command.folder,
    )


def _wait(processes: Mapping[str, subprocess.Popen[str]]) -> dict[str, int]:
    """Waits for all processes; after one has failed, terminates those that do not end within GRACE_SECONDS."""
    codes: dict[str, int] = {}
    deadline = math.inf
    while True:
        # collect the exit codes of processes that have ended
        for host, process in processes.items():
            if host not in codes and process.poll() is not None:
                codes[host] = _shell_code(process.returncode)
        running = [process for host, process in processes.items() if host not in codes]
        if not running:
            return codes
        # after the first failure the others get GRACE_SECONDS, then SIGTERM
        if any(codes.values()) and deadline == math.inf:
            deadline = time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            for process in running:
                process.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
        try:
            time.sleep(0.1)
        except KeyboardInterrupt:  # the processes received it too: they write a checkpoint and end
            continue


def _shell_code(code: int) -> int:
    """Converts an exit code to a shell's: 128 + the signal's number if a signal ended the process."""
    return 128 - code if code < 0 else code


@contextmanager
def _forward_sigterm(processes: Sequence[subprocess.Popen[str]]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set signal handlers
        yield
        return

    def forward(number: int, _: FrameType | None) -> None:
        for process in processes:
            process.send_signal(number)

    previous = signal.signal(signal.SIGTERM, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
