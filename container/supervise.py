"""Runs a command as a child process: passes signals on, reaps orphans, and returns how the command ended.

PID 1 of a container gets only those signals that it has handlers for, and becomes the parent of every orphan. Outside
of a container, prctl(2) makes this process the parent of orphans too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model.errors import ExitCode

PASSED_ON = (signal.SIGTERM, signal.SIGINT)
ORPHANS_TERM_SECONDS = 5.0  # between SIGTERM and SIGKILL, for processes that outlive the command
ORPHANS_KILL_SECONDS = 10.0  # after SIGKILL; a process that still runs waits for a device or file system and is ignored
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
MEMORY_EVENTS = (  # of the container, by cgroup version 2 and 1
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


@dataclass(frozen=True)
class ExitStatus:
    """How a command ended.

    Attributes:
        code: Its exit code as in a shell, 128 + N if signal N killed it.
        received: The first signal that was passed on to it, None if there was none.
        out_of_memory: Whether the system killed a process of this container meanwhile because memory ran out.
    """

    code: int
    received: int | None = None
    out_of_memory: bool = False

    @property
    def killed_by(self) -> signal.Signals | None:
        """The signal that killed it, None if it ended by itself."""
        try:
            return signal.Signals(self.code - 128)
        except ValueError:
            return None


def supervise(
    command: Sequence[str], env: Mapping[str, str], to_children: bool = False, patience: float | None = None
) -> ExitStatus:
    """Runs a command to its end, then ends the processes that it left running.

    After that this process ignores SIGTERM, since there is nothing left to stop.

    Args:
        command: The command line.
        env: Its environment variables.
        to_children: Whether SIGTERM and SIGINT are sent to the command's children instead, if it has any. torchrun
            itself would kill its children some time after it gets them.
        patience: Seconds after SIGTERM within which the command must end. Otherwise it is killed, and counts as ended
            by SIGTERM. None for no limit.

    Returns:
        How the command ended.

    Raises:
        OSError: The command cannot be started.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child: subprocess.Popen[bytes] | None = None
    received: list[int] = []
    overdue = False

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        if number == signal.SIGTERM and patience is not None and received.count(number) == 1:
            signal.setitimer(signal.ITIMER_REAL, patience)
        if child is not None:
            _send(child.pid, number, to_children)

    def kill(*_: object) -> None:
        nonlocal overdue
        if child is not None and child.returncode is None:
            overdue = True
            _send(child.pid, signal.SIGKILL, False)

    kills = memory_kills()
    before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, kill)
    try:
        # start the command; signals that came before go to it now
        child = subprocess.Popen(command, env=dict(env), start_new_session=True, preexec_fn=_end_with_parent)
        for number in tuple(received):
            _send(child.pid, number, to_children)
        # wait for it, and reap orphans meanwhile
        pid, status = os.wait()
        while pid != child.pid:
            pid, status = os.wait()
        child.returncode = os.waitstatus_to_exitcode(status)
        _end_children()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in {**before, signal.SIGTERM: signal.SIG_IGN}.items():
            signal.signal(number, handler)
    code = child.returncode if child.returncode >= 0 else 128 - child.returncode
    if overdue and code == ExitCode.KILLED:
        code = ExitCode.TERMINATED
    return ExitStatus(code, received[0] if received else None, memory_kills() > kills)


def memory_kills() -> int:
    """Number of processes of this container killed by the system because memory ran out; 0 if it is not known."""
    for path in MEMORY_EVENTS:
        try:
            events = dict(line.split() for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        return int(events.get("oom_kill", 0))
    return 0


def children(parent: int) -> list[int]:
    """Process ids of the running children of a process."""
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent_pid, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(parent_pid) == parent and state != "Z":
            pids.append(int(entry.name))
    return pids


def _send(pid: int, number: int, to_children: bool) -> None:
    for target in (to_children and children(pid)) or [pid]:
        try:
            os.kill(target, number)
        except ProcessLookupError:
            continue


def _end_children() -> None:
    """Ends and reaps the processes that outlive the command; this process has become their parent."""
    end = time.monotonic() + ORPHANS_TERM_SECONDS
    number = signal.SIGTERM
    signalled: set[int] = set()
    while time.monotonic() < end + ORPHANS_KILL_SECONDS:
        # SIGTERM once to each process, new orphans included; SIGKILL once the time is over
        for pid in children(os.getpid()):
            if pid not in signalled or number == signal.SIGKILL:
                _send(pid, number, False)
                signalled.add(pid)
        # reap one; without children all are reaped
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.02)
        if time.monotonic() > end:
            number = signal.SIGKILL


def _end_with_parent() -> None:
    """Runs in the child before it executes the command. It will get SIGTERM when this process dies."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # only Linux has prctl
        ctypes.CDLL(None).prctl(option, value)
