"""A lock of several processes, which is released when the process that holds it dies."""

from __future__ import annotations

import subprocess
import sys
import threading

from container.project_root import PROJECT_ROOT
from container.serve.machine_lock import MachineLock, lock_file

HOLDER = """
import sys
from container.serve.machine_lock import LARGE_IMAGE
LARGE_IMAGE.share(int(sys.argv[1]))
with LARGE_IMAGE:
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_thread_of_one_process_has_the_lock_until_the_process_dies():
    lock = MachineLock()
    acquired = threading.Event()

    def hold() -> None:
        with lock:
            acquired.set()

    with lock_file() as file:
        lock.share(file.fileno())
        command = [sys.executable, "-c", HOLDER, str(file.fileno())]
        holder = subprocess.Popen(
            command, pass_fds=[file.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_ROOT
        )
        assert holder.stdout.readline() == b"held\n"
        thread = threading.Thread(target=hold)
        thread.start()
        assert not acquired.wait(0.1) and lock.locked()
        holder.kill()
        assert acquired.wait(60)
        thread.join()
        holder.communicate()
    assert not lock.locked()
