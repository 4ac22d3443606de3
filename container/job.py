"""What every job script does around its own work: logging, and exceptions turned into exit codes."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TextIO

from model.settings import Failure, InputError

DONE, FAULT, BAD_INPUT, INTERRUPTED, KILLED, TERMINATED = 0, 1, 2, 130, 137, 143
PLACES = (  # errors of the places that settings name, no fault of the job
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
)

log = logging.getLogger("rarebird")


class Terminated(BaseException):
    """SIGTERM came while nothing took care of it."""


def run(main: Callable[[], int], log_to: TextIO | None = None) -> NoReturn:
    """Runs a job's main and ends the process: its own code, 2 for InputError and for places that cannot be written,
    130 for Ctrl-C, 143 for SIGTERM where the job does not take care of it, 137 where a loader worker was killed, 1 for
    any other fault. Log lines go to log_to (stdout where it is None)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # class names may be Korean where the locale is C
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    start_log(log_to or sys.stdout)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = main()
    except InputError as error:
        code = _end(str(error), BAD_INPUT)
    except Failure as error:
        code = _end(str(error), FAULT)
    except KeyboardInterrupt:
        code = _end("stopped by Ctrl-C", INTERRUPTED)
    except Terminated:
        code = _end("stopped by SIGTERM", TERMINATED)
    except OSError as error:
        if error.errno not in PLACES or error.filename is None:
            traceback.print_exc()
        code = _end(f"{error.filename}: {error.strerror}", BAD_INPUT if error.errno in PLACES else FAULT)
    except MemoryError as error:
        code = _end(f"out of memory: {error}; a smaller batch_size or input_size needs less", FAULT)
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        traceback.print_exc()
        code = KILLED if _worker_was_killed(error) else FAULT
        if code == KILLED:
            _end("a loader worker was killed, as for memory: fewer num_workers or smaller pictures need less", code)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _terminate(*_: object) -> None:
    raise Terminated


def start_log(stream: TextIO) -> None:
    """Plain lines of the logger `rarebird` to a stream; from rank 0 alone where several processes train."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Plain())
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.ERROR)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"warning: {text}" if record.levelno == logging.WARNING else text


def _end(message: str, code: int) -> int:
    if os.environ.get("RANK", "0") == "0" or code == FAULT:
        print(f"error: {message}" if code != INTERRUPTED else message, file=sys.stderr)
    return code


def _worker_was_killed(error: BaseException) -> bool:
    """torch.utils.data raises RuntimeError `DataLoader worker (pid(s) N) exited unexpectedly`, where it noticed the
    signal because of `DataLoader worker (pid N) is killed by signal: Killed.`"""
    told: BaseException | None = error
    while told is not None:
        if isinstance(told, RuntimeError) and "DataLoader worker" in str(told):
            return "killed by signal: Killed" in str(told) or "exited unexpectedly" in str(told)
        told = told.__cause__ or told.__context__
    return False
