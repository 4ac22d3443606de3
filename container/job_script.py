"""Runs the main function of a job script: early checks of the command line, log, exceptions and exit codes."""

from __future__ import annotations

import contextlib
import errno
import gc
import logging
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from container import settings_layers
from container.environment import FAILURE_FILE, Environment
from container.failure import Report, exception_text, write_once
from container.job_types import JobType
from container.locations import Locations
from model.errors import ExitCode, Failure, InputError
from model.streams import outlive_readers

PATH_ERRORS = (  # caused by a path in the settings
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
)

PROBLEMS = "problems.txt"  # all problems, if the log shows only the first ones of each kind

LESS_MEMORY = "use a smaller batch_size or input_size"
FEWER_WORKERS = "use fewer num_workers or smaller images"
SHARED_MEMORY = "/dev/shm may be full: use fewer num_workers"

log = logging.getLogger("rarebird")


class Terminated(BaseException):
    """The process received SIGTERM, and the job has no handler of its own."""


def check_command_line(job_type: JobType[Any], usage: str) -> None:
    """Ends the process if its command line requests a text, such as --help, or if a setting or an input is wrong.

    The scripts call it before they import torch, pandas and numpy, which takes seconds. It only checks: main reads the
    settings again.

    Args:
        job_type: The job of the script.
        usage: See settings_layers.read.
    """
    outlive_readers()
    log.handlers, log.propagate = [logging.NullHandler()], False  # main logs the same lines
    try:
        settings, env = settings_layers.read(job_type, None, usage)
        job_type.check(Locations(env), settings)
    except SystemExit:
        raise
    except BaseException as error:
        report = _start_report()
        _end_process(*report_exception(error), report)


def run(main: Callable[[], int], log_to: TextIO | None = None) -> NoReturn:
    """Runs a job's main and ends the process with its exit code (model.errors.ExitCode).

    An exception becomes the exit code that report_exception returns. Nothing changes if the reader of stdout or stderr
    has gone, as with `| head`. The reason of a failure is written to a file for the supervisor (container.entrypoint),
    or, without a supervisor, to SageMaker's output/failure.

    Args:
        main: The job; returns its exit code.
        log_to: The stream of log lines, stdout by default.
    """
    gc.freeze()  # objects of the imports live as long as the process
    gc.enable()
    outlive_readers()
    start_log(log_to or sys.stdout)
    signal.signal(signal.SIGTERM, on_sigterm)
    report = _start_report()
    try:
        code, reason = main(), ""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # everything is done and saved
        if code:
            reason = f"ended with exit code {code}; see the log for the reason"
    except SystemExit:
        raise
    except BaseException as error:
        code, reason = report_exception(error)
    _end_process(code, reason, report)


def _start_report() -> Report:
    """The report of the job to SageMaker, without the files of an earlier run. It writes no file if a supervisor
    reports the end, or if this is not the first process."""
    is_ours = FAILURE_FILE not in os.environ and is_first()
    report = Environment().report if is_ours else Report(None)
    report.begin()
    return report


def _end_process(code: int, reason: str, report: Report) -> NoReturn:
    """Reports the end of the job and ends the process.

    Args:
        code: The exit code.
        reason: Why the job failed; "" if it did not.
        report: As _start_report returns it.
    """
    supervised = os.environ.get(FAILURE_FILE)
    if supervised and code:
        write_once(Path(supervised), reason)
    elif code:
        report.failed(reason)
    else:
        report.succeeded("done")
    sys.stdout.flush()
    sys.stderr.flush()
    if code and Environment().world > 1:
        os._exit(code)  # ending torch's process group may wait for a frozen host without a limit
    sys.exit(code)


def report_exception(error: BaseException) -> tuple[int, str]:
    """Prints an exception to stderr and returns its exit code and message.

    The exit code is 2 for InputError and for paths that cannot be written, 130 for Ctrl-C, 143 for SIGTERM, 137 if a
    loader worker was killed, and 1 otherwise. Only unexpected exceptions are printed with their traceback.
    """
    if isinstance(error, InputError):
        listed = _write_problems(error.details) if error.details and is_first() else None
        return _end(f"{error}\nall of them: {listed}" if listed else str(error), ExitCode.BAD_INPUT)
    if isinstance(error, Failure):
        return _end(str(error), ExitCode.FAULT)
    if isinstance(error, KeyboardInterrupt):
        return _end("stopped by Ctrl-C", ExitCode.INTERRUPTED)
    if isinstance(error, Terminated):
        return _end("stopped by SIGTERM", ExitCode.TERMINATED)
    if isinstance(error, OSError) and error.errno in PATH_ERRORS and error.filename is not None:
        return _end(f"{error.filename}: {error.strerror}", ExitCode.BAD_INPUT)
    if isinstance(error, MemoryError):
        return _end(f"out of memory: {error}; {LESS_MEMORY}", ExitCode.FAULT)
    traceback.print_exc()
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
        _end(reason, ExitCode.FAULT)
    elif (worker_error := _worker_error(error)) is not None:
        code, message = worker_error
        return _end(message, code)
    remedy = f"out of memory: {LESS_MEMORY}" if _ran_out_of_memory(error) else ""
    return ExitCode.FAULT, exception_text(error, remedy)


def _write_problems(text: str) -> Path | None:
    """Writes a message that is too long for the log into the output directory or, if that is not possible, into a
    temporary folder. Returns the file; None if neither can be written."""
    with contextlib.suppress(OSError, InputError):
        folder = Locations(Environment()).output_dir(settings_layers.current("output_data_dir"))
        if folder is not None:
            return _write_text(folder / PROBLEMS, text)
    with contextlib.suppress(OSError):
        return _write_text(Path(tempfile.mkdtemp(prefix="rarebird-")) / PROBLEMS, text)
    return None


def _write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    return path


def on_sigterm(*_: object) -> None:
    """Signal handler for jobs without their own."""
    raise Terminated


def start_log(stream: TextIO) -> None:
    """Writes the logger `rarebird` to a stream, as plain lines. Of several processes, only the first logs."""
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
    """Whether memory ran out: torch raises OutOfMemoryError for a GPU, and RuntimeError for the machine."""
    return type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator: can't allocate memory" in str(error)


def _worker_error(error: BaseException) -> tuple[int, str] | None:
    """Exit code and message if a signal ended a loader worker, otherwise None.

    torch.utils.data raises RuntimeError `DataLoader worker (pid(s) N) exited unexpectedly`. If it noticed the signal,
    the cause is `DataLoader worker (pid N) is killed by signal: Killed.`, or the name of another signal.
    """
    texts = [str(link) for link in _chain(error) if isinstance(link, RuntimeError) and "DataLoader worker" in str(link)]
    signals = [match[1] for text in texts if (match := re.search(r"killed by signal: ([^.]+)", text))]
    killed = f"a loader worker was killed, probably out of memory: {FEWER_WORKERS}"
    if not signals:
        return (ExitCode.KILLED, killed) if any("exited unexpectedly" in text for text in texts) else None
    if "Killed" in signals:
        return ExitCode.KILLED, killed
    hint = f"; {SHARED_MEMORY}" if "Bus error" in signals else ""
    return ExitCode.FAULT, f"a loader worker was killed by a signal: {signals[0]}{hint}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception with all its causes and contexts."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and current not in seen:
            seen.append(current)
            yield current
            waiting += [current.__context__, current.__cause__]
