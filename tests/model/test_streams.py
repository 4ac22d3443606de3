"""Output to a reader that has exited. Each test runs a separate process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(body: str, closed: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a script whose stdout, stderr or both (`closed`) are pipes without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {name: writer if name in closed else subprocess.PIPE for name in ("stdout", "stderr")}
    script = f"import sys\nfrom model.streams import outlive_readers\noutlive_readers()\n{body}"
    environ = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **env}
    try:
        return subprocess.run([sys.executable, "-c", script], env=environ, **streams)
    finally:
        os.close(writer)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("closed", ["stdout", "stderr", "stdout stderr"])
def test_the_process_continues_with_the_same_exit_code(tmp_path, closed, unbuffered):
    done = tmp_path / "done"
    body = f"""
for line in range(5000):
    print("line", line)
    print("line", line, file=sys.stderr)
open({str(done)!r}, "w").close()
sys.exit(5)
"""
    ended = run(body, closed, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 5
    assert done.exists()
    assert b"Traceback" not in (ended.stderr or b"") and b"Exception" not in (ended.stderr or b"")


def test_the_stream_that_is_read_gets_everything():
    ended = run("print('to nobody')\nfor line in range(5000): print(line, file=sys.stderr)", "stdout")
    assert ended.stderr.split() == [str(line).encode() for line in range(5000)]


def test_child_processes_may_write_to_the_closed_pipe():
    body = "import subprocess\nprint('first')\nsys.exit(subprocess.run([sys.executable, '-c', 'print(1)']).returncode)"
    assert run(body, "stdout").returncode == 0


def test_korean_names_are_printed_in_an_ascii_locale():
    assert run("print('마스크')", "", LC_ALL="C").stdout.decode() == "마스크\n"


def test_a_captured_stream_is_not_replaced(capsys):
    from model.streams import outlive_readers

    captured = sys.stdout
    outlive_readers()
    assert sys.stdout is captured
