"""Jobs as local processes: their environment, and complete jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from container.job_types import JOB_TYPES
from container.opt_ml import OptMl
from jobs.aws.clients import Clients
from jobs.backends import local_process
from jobs.backends.child_processes import HostCommand
from jobs.backends.local_process import process_variables
from jobs.spec.console import PrintLine
from jobs.spec.inputs import Input
from jobs.spec.job import Job, Machine
from tests.jobs.conftest import ROOT, saved_model
from tests.jobs.examples import LOCAL_JOB

SMALL = ["--model", "resnet10t", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "28"]
SMALL += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]

Start = Callable[..., subprocess.Popen[str]]


def test_a_process_does_not_inherit_job_variables(monkeypatch):
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "/other")
    monkeypatch.setenv("SM_HP_EPOCHS", "9")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    variables = process_variables(replace(LOCAL_JOB, environment={"OMP_NUM_THREADS": "1"}), OptMl(Path("/x")), 7000)
    assert not any(name.startswith("SM_") for name in variables)
    assert variables["SAGEMAKER_BASE_DIR"] == "/x" and variables["TRAINING_JOB_NAME"] == "exp-1"
    assert variables["OMP_NUM_THREADS"] == "1" and variables["WANDB_API_KEY"] == "secret"


@pytest.mark.parametrize(("job_type", "first"), [("inference", "algo-1"), ("train", "127.0.0.1")])
def test_names_of_local_hosts(job_type, first, tmp_path, monkeypatch):
    configs = []

    def run_hosts(commands: dict[str, HostCommand], log: Path, print_line: PrintLine) -> dict[str, int]:
        for command in commands.values():
            opt_ml = OptMl(Path(command.variables["SAGEMAKER_BASE_DIR"]))
            folder = opt_ml.config if job_type == "train" else opt_ml.processing_config
            configs.append(json.loads((folder / "resourceconfig.json").read_text()))
            if job_type == "train":
                saved_model(opt_ml.model)
            else:
                (opt_ml.processing_output / configs[-1]["current_host"]).mkdir()
        return dict.fromkeys(commands, 0)

    monkeypatch.setattr(local_process, "run_hosts", run_hosts)
    (tmp_path / "data").mkdir()
    name = "train" if job_type == "train" else "eval"
    job = Job(JOB_TYPES[job_type], "exp-9", {}, (Input(name, str(tmp_path / "data")),), Machine(count=2))
    assert local_process.run(job, tmp_path, Clients(), lambda _: None) == 0
    assert configs[0]["current_host"] == first and len(configs[0]["hosts"]) == 2
    if job_type == "inference":
        folders = sorted(path.name for path in (tmp_path / "exp-9" / "output").iterdir())
        assert folders == ["algo-1", "algo-2"]
    else:
        log = (tmp_path / "exp-9" / "log.txt").read_text().splitlines()
        assert log[-1] == f"model: {tmp_path / 'exp-9' / 'model'} (resnet10t, 2 classes)"  # the folder in the results


def test_a_failed_training_prints_the_reason_and_leaves_no_model(tmp_path, monkeypatch):
    lines = []

    def run_hosts(commands: dict[str, HostCommand], log: Path, print_line: PrintLine) -> dict[str, int]:
        for command in commands.values():
            opt_ml = OptMl(Path(command.variables["SAGEMAKER_BASE_DIR"]))
            saved_model(opt_ml.model)
            (opt_ml.output / "failure").write_text("channel train: 1 problem")
        return dict.fromkeys(commands, 2)

    monkeypatch.setattr(local_process, "run_hosts", run_hosts)
    (tmp_path / "data").mkdir()
    job = Job(JOB_TYPES["train"], "wrong", {}, (Input("train", str(tmp_path / "data")),), Machine())
    assert local_process.run(job, tmp_path, Clients(), lines.append) == 2
    output = "\n".join(lines)
    assert f"train wrong ended with exit code 2; log: {tmp_path / 'wrong' / 'log.txt'}" in output
    assert "channel train" in output and not (tmp_path / "wrong" / "model").exists()


@pytest.fixture
def start() -> Start:
    """Returns a function that starts `python -m jobs` in the working folder."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "jobs", *arguments]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


@pytest.mark.long
def test_a_pipeline_on_this_machine_trains_predicts_and_evaluates(start: Start, faces: Path) -> None:
    data = ["--data", str(faces / "train"), "--eval_data", str(faces / "eval"), "--truth", str(faces / "gt")]
    chain = start("pipeline", *data, "--gate", "0", "--job_name", "faces", *SMALL)
    output, _ = chain.communicate()
    assert chain.returncode == 0, output
    files = {path.relative_to("results").as_posix() for path in Path("results").rglob("*") if path.is_file()}
    expected = "faces/model.tar.gz faces/model/model.safetensors faces/output/split.csv faces/log.txt faces/job.json "
    expected += "faces-answers/output/output.csv faces-scores/evaluation/report.html faces/registered.json"
    assert files >= set(expected.split())
    score = json.loads(Path("results/faces-scores/evaluation/evaluation.json").read_text())["rarebird"]
    assert f"macro F1 {score['macro_f1']['value']:.4f}" in output
    assert not list(Path("results").glob("*/ml")) and not Path("results/faces/checkpoints").exists()


def test_a_failed_job_prints_the_reason_and_its_log(start: Start) -> None:
    """An evaluation, which imports no torch."""
    for name in ("gt", "predictions"):
        Path(name).mkdir()
    Path("gt/gt.csv").write_text("ImageID,ans\n1.jpg,0\n")
    failing = start("evaluation", "--ground_truth_dir", "gt", "--output_data_dir", "predictions", "--job_name", "wrong")
    output, _ = failing.communicate()
    assert failing.returncode == 2 and "Traceback" not in output
    assert "evaluation wrong ended with exit code 2; log: results/wrong/log.txt" in output
    assert "output.csv: no such file" in output.split("ended with exit code 2")[1]  # the failure file
    assert not Path("results/wrong/evaluation/evaluation.json").exists()


@pytest.mark.long
def test_simultaneous_jobs_with_several_hosts_are_separate(start: Start, faces: Path) -> None:
    arguments = ["train", "--data", str(faces / "train"), "--instances", "2", *SMALL]
    both = [start(*arguments, "--job_name", name) for name in ("first", "second")]
    for job in both:
        output, _ = job.communicate()
        assert job.returncode == 0 and "2 processes" in output, output
    first, second = (Path("results", name, "model", "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second
