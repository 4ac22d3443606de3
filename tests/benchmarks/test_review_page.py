import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.review_page import summary

ROOT = Path(__file__).resolve().parents[2]


def test_late_frames_are_counted():
    """Of 20 frames two are later than one frame at 60 Hz, and one of them missed a frame."""
    assert summary([16.7] * 18 + [20.0, 50.0]) == {
        "median ms": "16.7",
        "p95 ms": "48.5",
        "above 16.7 ms": "10.0 %",
        "above 33.3 ms": "5.0 %",
    }


@pytest.mark.long
def test_frame_times_of_both_lists_are_printed():
    command = [sys.executable, "-m", "benchmarks.review_page", "--suspects", "200", "--persons", "12", "--frames", "20"]
    ended = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    rows = [line for line in ended.stdout.splitlines() if line.startswith(("grid of step 1", "queue"))]
    assert len(rows) == 6 and all(float(row.split()[-6]) > 0 for row in rows)
