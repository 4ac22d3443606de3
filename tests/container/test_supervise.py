"""Running a command as a child. Each test does it in a new process, which becomes the parent of orphans."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(body: str) -> str:
    """The output of a script that has imported supervise."""
    head = "import os, signal, subprocess, sys\nfrom container import supervise\n"
    ended = subprocess.run(
        [sys.executable, "-c", head + body], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout


def test_sigterm_is_ignored_after_the_command_has_ended():
    body = "ended = supervise.supervise([sys.executable, '-c', 'exit(3)'], os.environ)\n"
    assert run(body + "os.kill(os.getpid(), signal.SIGTERM)\nprint(ended.code)") == "3\n"


def test_a_process_that_cannot_be_killed_is_ignored_in_the_end():
    """As if it waited for a file system that does not respond."""
    output = run(
        "supervise.ORPHANS_TERM_SECONDS, supervise.ORPHANS_KILL_SECONDS, supervise._send = 0.2, 0.2, lambda *_: None\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        "supervise._end_children()\n"
        "print(child.poll())\n"
        "child.kill()"
    )
    assert output == "None\n"
