"""A process that has imported the entry point and forks each run of it, which saves the CPU time of the imports.

    python fork_server.py SOCKET        (a file descriptor that it inherits)

A message contains arguments and environment variables as JSON, and the file descriptors of stdout, stderr and a pipe.
The forked process runs `python -m container.entrypoint ARGUMENTS`. The pipe gets its process id and, when it has ended,
its exit code, one per line.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

import container.entrypoint
import container.supervise

container.supervise.ORPHANS_TERM_SECONDS = 0.5  # orphans that ignore SIGTERM need not be waited for

MAX_BYTES = 1 << 17  # of a message


def serve(connection: socket.socket) -> None:
    """Runs the entry point for each message until the other side closes the connection."""
    while True:
        message, files, _, _ = socket.recv_fds(connection, MAX_BYTES, 3)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        if not message:
            return
        if os.fork() == 0:
            connection.close()
            supervise(*json.loads(message), *files)
        for file in files:
            os.close(file)


def supervise(arguments: Sequence[str], variables: Mapping[str, str], out: int, err: int, pipe: int) -> NoReturn:
    """Forks the run, and writes its process id and its exit code into the pipe."""
    pid = os.fork()
    if pid == 0:
        os.close(pipe)
        run(arguments, variables, out, err)
    os.close(out)
    os.close(err)
    os.write(pipe, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(pipe, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def run(arguments: Sequence[str], variables: Mapping[str, str], out: int, err: int) -> NoReturn:
    """Becomes `python -m container.entrypoint`, in a session of its own."""
    os.setsid()
    for file, number in ((out, 1), (err, 2)):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv[1:] = arguments
    del sys.modules["container.entrypoint"]  # run_module executes it again, the modules that it imports not
    code = 1
    try:
        runpy.run_module("container.entrypoint", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    number = int(sys.argv[1])
    os.set_inheritable(number, False)
    serve(socket.socket(fileno=number))
