"""Real jobs in processes of this machine: the chain, a failure, hosts side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--model", "resnet10t", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "28"]
SMALL += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Start:
    """python -m jobs, in the working folder."""

    def start(*words: str) -> subprocess.Popen[str]:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "jobs", *words]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


@pytest.mark.long
def test_the_chain_trains_answers_and_scores_and_the_model_comes_back(start: Start, faces: Path) -> None:
    places = ["--data", str(faces / "train"), "--eval_data", str(faces / "eval"), "--truth", str(faces / "gt")]
    chain = start("pipeline", *places, "--gate", "0", "--job_name", "faces", *SMALL)
    told, _ = chain.communicate()
    assert chain.returncode == 0, told
    made = {path.relative_to("results").as_posix() for path in Path("results").rglob("*") if path.is_file()}
    wanted = "faces/model.tar.gz faces/model/model.safetensors faces/output/split.csv faces/log.txt faces/job.json "
    wanted += "faces-answers/output/output.csv faces-scores/evaluation/report.html faces/registered.json"
    assert made >= set(wanted.split())
    score = json.loads(Path("results/faces-scores/evaluation/evaluation.json").read_text())["rarebird"]
    assert f"macro F1 {score['macro_f1']['value']:.4f}" in told
    assert not list(Path("results").glob("*/ml")) and not Path("results/faces/checkpoints").exists()


def test_a_job_that_fails_shows_why_and_how_to_go_on(start: Start, faces: Path) -> None:
    failing = start("train", "--data", str(faces / "eval"), "--job_name", "wrong", *SMALL)
    told, _ = failing.communicate()
    assert failing.returncode == 2 and "Traceback" not in told
    assert "train wrong ended with 2; its log: results/wrong/log.txt" in told and "channel train" in told
    assert not Path("results/wrong/model").exists()


@pytest.mark.long
def test_jobs_of_several_hosts_do_not_meet_each_other(start: Start, faces: Path) -> None:
    words = ["train", "--data", str(faces / "train"), "--instances", "2", *SMALL]
    both = [start(*words, "--job_name", name) for name in ("first", "second")]
    for job in both:
        told, _ = job.communicate()
        assert job.returncode == 0 and "2 processes" in told, told
    first, second = (Path("results", name, "model", "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second
