"""Running a command as a child: signals passed on, zombies reaped, its end told as an exit code.

As PID 1 of a container a process gets only the signals that it has handlers for, and inherits every orphan; outside
of one prctl(2) makes it inherit them too.
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
PATIENCE = 5.0  # seconds that what a command has left running gets between SIGTERM and SIGKILL
LAST_PATIENCE = 10.0  # seconds after SIGKILL; what is still there waits for a device or a file system and is left to it
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
MEMORY_EVENTS = (  # of the container, by cgroup version 2 and 1
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended. code: as a shell tells it, 128 + N where signal N killed it; received: the first signal
    that was passed on; out_of_memory: whether the system killed a process of this container for memory meanwhile."""

    code: int
    received: int | None = None
    out_of_memory: bool = False

    @property
    def killed_by(self) -> signal.Signals | None:
        """The signal that ended it, where one did."""
        try:
            return signal.Signals(self.code - 128)
        except ValueError:
            return None


def supervise(
    command: Sequence[str], env: Mapping[str, str], to_children: bool = False, patience: float | None = None
) -> Ended:
    """Runs a command to its end. SIGTERM and SIGINT go to it, or, to_children, to its own children where it has any:
    torchrun itself would answer them by killing its children after a while. What it leaves running is ended.

    patience: seconds after SIGTERM in which it must end, else it is killed and counts as ended by SIGTERM; None:
    there is no such limit. From its end on this process ignores SIGTERM: there is nothing left to stop.

    OSError where it cannot be started.
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
        child = subprocess.Popen(command, env=dict(env), start_new_session=True, preexec_fn=_end_with_parent)
        for number in tuple(received):
            _send(child.pid, number, to_children)
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
    return Ended(code, received[0] if received else None, memory_kills() > kills)


def memory_kills() -> int:
    """Processes of this container that the system has killed for memory; 0 where it does not tell."""
    for path in MEMORY_EVENTS:
        try:
            told = dict(line.split() for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        return int(told.get("oom_kill", 0))
    return 0


def children(parent: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, its_parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(its_parent) == parent and state != "Z":
            found.append(int(entry.name))
    return found


def _send(pid: int, number: int, to_children: bool) -> None:
    for target in (to_children and children(pid)) or [pid]:
        try:
            os.kill(target, number)
        except ProcessLookupError:
            continue


def _end_children() -> None:
    """What the command has left running, which this process has inherited."""
    end = time.monotonic() + PATIENCE
    number = signal.SIGTERM
    told: set[int] = set()
    while time.monotonic() < end + LAST_PATIENCE:
        for pid in children(os.getpid()):
            if pid not in told or number == signal.SIGKILL:
                _send(pid, number, False)
                told.add(pid)
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.02)
        if time.monotonic() > end:
            number = signal.SIGKILL


def _end_with_parent() -> None:
    """In the child, before it becomes the command."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # elsewhere than on Linux nothing is inherited
        ctypes.CDLL(None).prctl(option, value)
