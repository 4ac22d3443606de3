"""The folders and config files of a host."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from container.job_types import EVALUATION, INFERENCE
from container.opt_ml import OptMl
from jobs.backends.hosts import input_mounts, job_below, link_inputs, write_host_folder
from jobs.spec.inputs import Input
from tests.jobs.examples import HOST, LOCAL_JOB


def test_folders_and_config_files_of_a_training(tmp_path):
    opt_ml = OptMl(tmp_path / "ml")
    write_host_folder(opt_ml, LOCAL_JOB, HOST)
    read = {path.name: json.loads(path.read_text()) for path in opt_ml.config.iterdir()}
    assert read["hyperparameters.json"] == {"epochs": "3"}
    assert read["inputdataconfig.json"]["train"]["TrainingInputMode"] == "File"
    assert read["resourceconfig.json"]["hosts"] == ["algo-1", "algo-2"]
    assert read["resourceconfig.json"]["current_host"] == "algo-2"
    assert opt_ml.model.is_dir() and opt_ml.output_data.is_dir()


def test_folders_and_config_files_of_a_processing_job(tmp_path):
    opt_ml = OptMl(tmp_path / "ml")
    write_host_folder(opt_ml, replace(LOCAL_JOB, type=EVALUATION, settings={}, inputs=()), HOST)
    assert json.loads((opt_ml.base / "config" / "processingjobconfig.json").read_text())["ProcessingJobName"] == "exp-1"
    assert opt_ml.evaluation.is_dir() and not (opt_ml.base / "input").exists()


def test_inputs_are_linked_and_paths_in_settings_changed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "w.safetensors").write_text("x")
    job = replace(
        LOCAL_JOB,
        settings={"weights": "/opt/ml/input/data/weights/w.safetensors", "name": "/opt/ml/not-a-file"},
        inputs=(Input("train", str(tmp_path / "data")), Input("weights", str(tmp_path / "w.safetensors"))),
    )
    opt_ml = OptMl(tmp_path / "ml")
    link_inputs(input_mounts(opt_ml, job, {each.name: Path(each.source) for each in job.inputs}))
    settings = job_below(job, opt_ml.base).settings
    assert Path(settings["weights"]).read_text() == "x" and settings["name"] == "/opt/ml/not-a-file"
    assert opt_ml.channel("train").is_dir()
    models = '["/opt/ml/processing/input/models-1:2", "/x/opt/ml/y"]'
    ensemble_job = replace(job, type=INFERENCE, settings={"models": models})
    assert json.loads(job_below(ensemble_job, opt_ml.base).settings["models"]) == [
        *(f"{opt_ml.base}/processing/input/models-1:2", "/x/opt/ml/y")
    ]
