"""What a job on this machine is given: the tree, the container's command; and how its children end."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from container.layout import Layout
from jobs import local
from jobs.description import Input, Job, Machine
from jobs.docker import docker_run, gpu_flag
from jobs.flags import TrainFlags, read_flags
from jobs.here import surroundings
from jobs.local import Child, begin, collect, run_children
from jobs.tree import Host, input_places, link_inputs, rebased, write_tree
from model.settings import Failure
from tests.jobs.test_archive import saved_model

HOST = Host("algo-2", ["algo-1", "algo-2"], "eth0")
TRAINING = Job("train", "exp-1", {"epochs": "3"}, (Input("train", "data"),), Machine(count=2))


def test_a_trainings_tree_is_sagemakers(tmp_path):
    layout = Layout(tmp_path / "ml")
    write_tree(layout, TRAINING, HOST)
    read = {path.name: json.loads(path.read_text()) for path in layout.config.iterdir()}
    assert read["hyperparameters.json"] == {"epochs": "3"}
    assert read["inputdataconfig.json"]["train"]["TrainingInputMode"] == "File"
    assert read["resourceconfig.json"]["hosts"] == ["algo-1", "algo-2"]
    assert read["resourceconfig.json"]["current_host"] == "algo-2"
    assert layout.model.is_dir() and layout.output_data.is_dir()


def test_a_processing_jobs_tree_is_sagemakers(tmp_path):
    layout = Layout(tmp_path / "ml")
    write_tree(layout, replace(TRAINING, what="evaluation", settings={}, inputs=()), HOST)
    assert json.loads((layout.base / "config" / "processingjobconfig.json").read_text())["ProcessingJobName"] == "exp-1"
    assert layout.evaluation.is_dir() and not (layout.base / "input").exists()


def test_inputs_are_linked_and_files_of_settings_found(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "w.safetensors").write_text("x")
    job = replace(
        TRAINING,
        settings={"weights": "/opt/ml/input/data/weights/w.safetensors", "name": "/opt/ml/not-a-file"},
        inputs=(Input("train", str(tmp_path / "data")), Input("weights", str(tmp_path / "w.safetensors"))),
    )
    layout = Layout(tmp_path / "ml")
    link_inputs(input_places(layout, job, {given.name: Path(given.source) for given in job.inputs}))
    settings = rebased(job, layout.base)
    assert Path(settings["weights"]).read_text() == "x" and settings["name"] == "/opt/ml/not-a-file"
    assert layout.channel("train").is_dir()


def test_a_process_sees_its_tree_alone(monkeypatch):
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "/other")
    monkeypatch.setenv("SM_HP_EPOCHS", "9")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    found = surroundings(replace(TRAINING, environment={"OMP_NUM_THREADS": "1"}), Layout(Path("/x")), 7000)
    assert not any(name.startswith("SM_") for name in found)
    assert found["SAGEMAKER_BASE_DIR"] == "/x" and found["TRAINING_JOB_NAME"] == "exp-1"
    assert found["OMP_NUM_THREADS"] == "1" and found["WANDB_API_KEY"] == "secret"


def test_a_containers_command(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    mounts = {Path("/data"): Path("/opt/ml/input/data/train")}
    command = docker_run(
        TRAINING, "rarebird", "algo-1", ["train"], Path("/r/ml"), mounts, Path("/r/c"), "exp-1", "1g", "all"
    )
    text = " ".join(command)
    assert "--network exp-1 --network-alias algo-1" in text and "--shm-size 1g" in text and "--gpus all" in text
    assert "--volume /data:/opt/ml/input/data/train:ro" in text and "--volume /r/c:/opt/ml/checkpoints" in text
    assert "--env WANDB_API_KEY" in text and "secret" not in text
    assert command[-2:] == ["rarebird", "train"]
    assert gpu_flag("none") is None and gpu_flag("device=1") == "device=1"


def test_docker_takes_sagemakers_image_only_where_it_is_named(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_IMAGE", "uri")
    images = {on: read_flags(TrainFlags, ["--on", on], "")[0].image for on in ("docker", "sagemaker")}
    assert images == {"docker": "", "sagemaker": "uri"}
    assert read_flags(TrainFlags, ["--on", "docker", "--image", "mine"], "")[0].image == "mine"


def child(code: str, folder: Path) -> Child:
    return Child([sys.executable, "-c", code], {}, folder)


def test_lines_of_hosts_are_told_apart_and_kept(tmp_path):
    told: list[str] = []
    both = {"algo-1": child("print('one')", tmp_path), "algo-2": child("print('two')", tmp_path)}
    assert run_children(both, tmp_path / "log.txt", told.append) == {"algo-1": 0, "algo-2": 0}
    assert sorted(told) == ["algo-1: one", "algo-2: two"] == sorted((tmp_path / "log.txt").read_text().splitlines())


def test_where_one_host_fails_the_others_are_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "GRACE", 0.2)
    both = {"algo-1": child("import time; time.sleep(600)", tmp_path), "algo-2": child("exit(2)", tmp_path)}
    assert run_children(both, tmp_path / "log.txt", lambda _: None) == {"algo-1": 143, "algo-2": 2}


def test_what_hosts_leave_is_joined_and_checked(tmp_path):
    record = begin(TRAINING, tmp_path, "here")
    layouts = [Layout(record.folder / "ml" / f"algo-{number}") for number in (1, 2)]
    for layout in layouts:
        write_tree(layout, TRAINING, HOST)
    saved_model(layouts[0].model)
    (layouts[0].output_data / "split.csv").write_text("first")
    (layouts[1].output_data / "other.csv").write_text("second")
    told: list[str] = []
    assert collect(TRAINING, record, layouts, {"algo-1": 0, "algo-2": 0}, told.append) == 0
    assert "resnet10t, 2 classes" in told[-1]
    assert sorted(path.name for path in record.folder.iterdir()) == ["job.json", "model", "model.tar.gz", "output"]
    assert sorted(path.name for path in (record.folder / "output").iterdir()) == ["other.csv", "split.csv"]


def test_a_failed_job_tells_its_failure_file_and_keeps_its_tree(tmp_path):
    record = begin(replace(TRAINING, name="exp-2"), tmp_path, "here")
    layout = Layout(record.folder / "ml" / "algo-1")
    write_tree(layout, TRAINING, HOST)
    (layout.output / "failure").write_text("InputError: no class b")
    told: list[str] = []
    assert collect(TRAINING, record, [layout], {"algo-1": 2}, told.append) == 2
    assert told[-1] == "InputError: no class b" and layout.config.is_dir()


def test_a_training_that_ends_well_without_a_model_is_a_failure(tmp_path):
    record = begin(replace(TRAINING, name="exp-3"), tmp_path, "here")
    layout = Layout(record.folder / "ml" / "algo-1")
    write_tree(layout, TRAINING, HOST)
    (layout.model / "note.txt").write_text("no model")
    with pytest.raises(Failure, match="what came back is no model"):
        collect(TRAINING, record, [layout], {"algo-1": 0}, lambda _: None)
    (layout.model / "note.txt").unlink()
    with pytest.raises(Failure, match="exp-3 left no model"):
        collect(TRAINING, record, [layout], {"algo-1": 0}, lambda _: None)
