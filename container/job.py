"""What every job script does around its own work: logging, and exceptions turned into exit codes."""

from __future__ import annotations

import errno
import gc
import io
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from container.environment import FAILURE_FILE, Environment
from container.failure import Report, exception_text, tell
from model.errors import ExitCode, Failure, InputError

PLACES = (  # errors of the places that settings name, no fault of the job
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
)

LESS_MEMORY = "a smaller batch_size or input_size needs less"
FEWER_WORKERS = "fewer num_workers or smaller pictures need less"
SHARED_MEMORY = "/dev/shm may be full: fewer num_workers need less"

log = logging.getLogger("rarebird")


class Terminated(BaseException):
    """SIGTERM came while nothing took care of it."""


def run(main: Callable[[], int], log_to: TextIO | None = None) -> NoReturn:
    """Runs a job's main and ends the process: its own code, 2 for InputError and for places that cannot be written,
    130 for Ctrl-C, 143 for SIGTERM where the job does not take care of it, 137 where a loader worker was killed, 1 for
    any other fault. Log lines go to log_to (stdout where it is None). In SageMaker's tree the reason is told in
    output/failure."""
    gc.freeze()  # what the imports made stays
    gc.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # class names may be Korean where the locale is C
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    start_log(log_to or sys.stdout)
    signal.signal(signal.SIGTERM, on_sigterm)
    supervised = os.environ.get(FAILURE_FILE)
    report = Report(None) if supervised is not None or not is_first() else Environment().report
    report.begin()
    try:
        code, reason = main(), ""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # all is done and saved
        if code:
            reason = f"ended with exit code {code}; the log tells why"
    except SystemExit:
        raise
    except BaseException as error:
        code, reason = ending(error)
    if supervised and code:
        tell(Path(supervised), reason)
    elif code:
        report.failed(reason)
    else:
        report.succeeded("done")
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def ending(error: BaseException) -> tuple[int, str]:
    """The exit code that an exception means, and what to tell of it; told on stderr here."""
    if isinstance(error, InputError):
        return _end(str(error), ExitCode.BAD_INPUT)
    if isinstance(error, Failure):
        return _end(str(error), ExitCode.FAULT)
    if isinstance(error, KeyboardInterrupt):
        return _end("stopped by Ctrl-C", ExitCode.INTERRUPTED)
    if isinstance(error, Terminated):
        return _end("stopped by SIGTERM", ExitCode.TERMINATED)
    if isinstance(error, OSError) and error.errno in PLACES and error.filename is not None:
        return _end(f"{error.filename}: {error.strerror}", ExitCode.BAD_INPUT)
    if isinstance(error, MemoryError):
        return _end(f"out of memory: {error}; {LESS_MEMORY}", ExitCode.FAULT)
    traceback.print_exc()
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
        _end(reason, ExitCode.FAULT)
    elif (fault := _worker_fault(error)) is not None:
        return _end(fault[1], fault[0])
    remedy = f"out of memory: {LESS_MEMORY}" if _ran_out_of_memory(error) else ""
    return ExitCode.FAULT, exception_text(error, remedy)


def on_sigterm(*_: object) -> None:
    """A handler, for while nothing takes care of it."""
    raise Terminated


def start_log(stream: TextIO) -> None:
    """Plain lines of the logger `rarebird` to a stream; from rank 0 alone where several processes train."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Plain())
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.INFO if is_first() else logging.ERROR)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"warning: {text}" if record.levelno == logging.WARNING else text


def is_first() -> bool:
    """Whether this is the only process of its job, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def _end(message: str, code: int) -> tuple[int, str]:
    if is_first() or code in (ExitCode.FAULT, ExitCode.KILLED):
        print(f"error: {message}" if code != ExitCode.INTERRUPTED else message, file=sys.stderr)
    return code, message


def _ran_out_of_memory(error: BaseException) -> bool:
    """torch raises OutOfMemoryError for a GPU's memory, a plain RuntimeError for the machine's."""
    return type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator: can't allocate memory" in str(error)


def _worker_fault(error: BaseException) -> tuple[int, str] | None:
    """What ended a loader worker, None where none ended so. torch.utils.data raises RuntimeError `DataLoader worker
    (pid(s) N) exited unexpectedly`, where it noticed the signal because of `DataLoader worker (pid N) is killed by
    signal: Killed.`, or another signal's name."""
    texts = [str(link) for link in _chain(error) if isinstance(link, RuntimeError) and "DataLoader worker" in str(link)]
    signals = [found[1] for text in texts if (found := re.search(r"killed by signal: ([^.]+)", text))]
    killed = f"a loader worker was killed, as for memory: {FEWER_WORKERS}"
    if not signals:
        return (ExitCode.KILLED, killed) if any("exited unexpectedly" in text for text in texts) else None
    if "Killed" in signals:
        return ExitCode.KILLED, killed
    hint = f"; {SHARED_MEMORY}" if "Bus error" in signals else ""
    return ExitCode.FAULT, f"a loader worker was killed by a signal: {signals[0]}{hint}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that led to it."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in seen:
            seen.append(link)
            yield link
            waiting += [link.__context__, link.__cause__]
