import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.serving import ServingSettings, rates_table, read_pictures
from model.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.serving", *flags]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)


@pytest.mark.long
def test_the_server_is_compared_with_the_predictor_alone(faces, run_train):
    model = run_train(faces / "train", "--epochs", "0")
    few = ["--clients", "4", "--seconds", "0.5", "--rounds", "1", "--requests", "40", "--device", "cpu"]
    where = ["--model_dir", str(model), "--pictures", str(faces / "eval")]
    ended = run(*where, *few)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    rates = {
        line[:24].strip(): float(line[24:].split()[0]) for line in lines if line.startswith(("predictor", "server"))
    }
    assert len(rates) == 4 and all(rate > 0 for rate in rates.values())
    assert lines[-1].startswith("memory after 4 requests")


def test_rates_are_medians_and_ratios_of_the_same_round():
    rates = {"alone": [10.0, 20.0, 40.0], "server": [5.0, 16.0, 30.0]}
    _, _, alone, server = rates_table(
        {"alone": "server"}, rates, {"server": [0.001 * n for n in range(101)]}
    ).splitlines()
    assert alone.split() == ["alone", "20.0"]
    assert server.split() == ["server", "16.0", "0.75", "50.0", "95.0", "99.0"]


def test_images_are_also_read_from_subfolders(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.JPG").write_bytes(b"b")
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "notes.txt").write_bytes(b"c")
    assert read_pictures(tmp_path) == [b"a", b"b"]
    with pytest.raises(InputError, match="contains no images"):
        read_pictures(tmp_path / "gone")


def test_without_a_model_the_error_says_what_is_required():
    assert list(ServingSettings().contradictions()) == [
        "model_dir is required: a saved model, for example --model_dir runs/exp"
    ]
