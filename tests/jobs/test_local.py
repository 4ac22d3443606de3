"""What a job on this machine is given: the tree, the container's command; and how its children end."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from container.job_types import EVALUATION, JOB_TYPES, TRAIN
from container.opt_ml import OptMl
from jobs.__main__ import SUBCOMMANDS
from jobs.aws.clients import Clients
from jobs.backends import local_process as here
from jobs.backends import local_run as local
from jobs.backends.docker import docker_run, gpu_flag, network_command
from jobs.backends.local_process import surroundings
from jobs.backends.local_run import Child, begin, collect, keep_checkpoints, run_children
from jobs.backends.opt_ml import Host, input_places, link_inputs, rebased, write_tree
from jobs.commands.doctor import CHECKS
from jobs.spec.flags import TrainFlags, read_flags
from jobs.spec.inputs import produced
from jobs.spec.job import Account, Input, Job, Machine
from jobs.spec.record import Record, find_record
from model.errors import Failure, InputError
from model.subcommands import run_subcommand
from tests.jobs.test_archive import saved_model

HOST = Host("algo-2", ["algo-1", "algo-2"], "eth0")
TRAINING = Job(TRAIN, "exp-1", {"epochs": "3"}, (Input("train", "data"),), Machine(count=2))


def test_a_trainings_tree_is_sagemakers(tmp_path):
    layout = OptMl(tmp_path / "ml")
    write_tree(layout, TRAINING, HOST)
    read = {path.name: json.loads(path.read_text()) for path in layout.config.iterdir()}
    assert read["hyperparameters.json"] == {"epochs": "3"}
    assert read["inputdataconfig.json"]["train"]["TrainingInputMode"] == "File"
    assert read["resourceconfig.json"]["hosts"] == ["algo-1", "algo-2"]
    assert read["resourceconfig.json"]["current_host"] == "algo-2"
    assert layout.model.is_dir() and layout.output_data.is_dir()


def test_a_processing_jobs_tree_is_sagemakers(tmp_path):
    layout = OptMl(tmp_path / "ml")
    write_tree(layout, replace(TRAINING, type=EVALUATION, settings={}, inputs=()), HOST)
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
    layout = OptMl(tmp_path / "ml")
    link_inputs(input_places(layout, job, {given.name: Path(given.source) for given in job.inputs}))
    settings = rebased(job, layout.base)
    assert Path(settings["weights"]).read_text() == "x" and settings["name"] == "/opt/ml/not-a-file"
    assert layout.channel("train").is_dir()


def test_a_process_sees_its_tree_alone(monkeypatch):
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "/other")
    monkeypatch.setenv("SM_HP_EPOCHS", "9")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    found = surroundings(replace(TRAINING, environment={"OMP_NUM_THREADS": "1"}), OptMl(Path("/x")), 7000)
    assert not any(name.startswith("SM_") for name in found)
    assert found["SAGEMAKER_BASE_DIR"] == "/x" and found["TRAINING_JOB_NAME"] == "exp-1"
    assert found["OMP_NUM_THREADS"] == "1" and found["WANDB_API_KEY"] == "secret"


def test_a_containers_command(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    mounts = {Path(f"/opt/ml/input/data/{name}"): Path("/data") for name in ("train", "validation")}  # of one folder
    command = docker_run(
        TRAINING, "rarebird", "algo-1", ["train"], Path("/r/ml"), mounts, Path("/r/c"), "exp-1", "1g", "all"
    )
    text = " ".join(command)
    assert "--network exp-1 --network-alias algo-1" in text and "--shm-size 1g" in text and "--gpus all" in text
    assert "--volume /data:/opt/ml/input/data/train:ro --volume /data:/opt/ml/input/data/validation:ro" in text
    assert "--volume /r/c:/opt/ml/checkpoints" in text
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
    codes = run_children(both, tmp_path / "log.txt", lambda _: None)
    assert list(codes.items()) == [("algo-2", 2), ("algo-1", 143)]  # in the order in which they ended


def written(record: Record, *hosts: str) -> dict[str, OptMl]:
    trees = {host: OptMl(record.folder / "ml" / host) for host in hosts}
    for layout in trees.values():
        write_tree(layout, TRAINING, HOST)
    return trees


def state_of(record: Record) -> str:
    found = find_record(record.folder.parent, record.name)
    assert found is not None
    return found.state


def test_what_hosts_leave_is_joined_and_checked(tmp_path):
    record = begin(TRAINING, tmp_path, "here")
    trees = written(record, "algo-1", "algo-2")
    saved_model(trees["algo-1"].model)
    (trees["algo-1"].output_data / "split.csv").write_text("first")
    (trees["algo-2"].output_data / "other.csv").write_text("second")
    told: list[str] = []
    assert collect(TRAINING, record, trees, {"algo-2": 0, "algo-1": 0}, told.append) == 0
    assert "resnet10t, 2 classes" in told[-1]
    assert sorted(path.name for path in record.folder.iterdir()) == ["job.json", "model", "model.tar.gz", "output"]
    assert sorted(path.name for path in (record.folder / "output").iterdir()) == ["other.csv", "split.csv"]


def test_a_failed_job_tells_its_failure_file_and_keeps_its_tree(tmp_path):
    record = begin(replace(TRAINING, name="exp-2"), tmp_path, "here")
    trees = written(record, "algo-1", "algo-2")
    (trees["algo-1"].output / "failure").write_text("SIGTERM")
    (trees["algo-2"].output / "failure").write_text("InputError: no class b")
    told: list[str] = []
    assert collect(TRAINING, record, trees, {"algo-2": 2, "algo-1": 143}, told.append) == 2
    assert told[-1] == "InputError: no class b" and trees["algo-2"].config.is_dir()
    assert state_of(record) == "failed with 2"


def test_how_a_job_stands_is_in_its_record_and_nothing_is_taken_from_one_that_failed(tmp_path, capsys):
    for name, code, finished in (("whole", 0, True), ("cut", 0, False), ("pressed", 130, False), ("bad", 5, True)):
        record = begin(replace(TRAINING, name=name), tmp_path, "here")
        assert state_of(record) == "not done"
        trees = written(record, "algo-1")
        saved_model(trees["algo-1"].model)
        (trees["algo-1"].model / "metrics.json").write_text(json.dumps({"finished": finished}))
        collect(replace(TRAINING, name=name), record, trees, {"algo-1": code}, lambda _: None)
    states = {"whole": "done", "cut": "stopped", "pressed": "stopped", "bad": "failed with 5"}
    for name, state in states.items():
        assert run_subcommand("jobs", SUBCOMMANDS, ["status", name, "--results", str(tmp_path)]) == 0
        assert f"train {name}: {state}, on here" in capsys.readouterr().out
    assert run_subcommand("jobs", SUBCOMMANDS, ["list", "--results", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert all(state in listed for state in states.values())
    flags = read_flags(TrainFlags, ["--results", str(tmp_path)], "")[0]
    assert produced("cut", "model", flags) == str(tmp_path / "cut" / "model")
    with pytest.raises(InputError, match="train bad failed with 5; nothing is taken from it"):
        produced("bad", "model", flags)


@pytest.mark.parametrize(("finished", "named", "kept"), [(True, None, 0), (True, "mine", 1), (False, None, 1)])
def test_checkpoints_of_a_training_that_is_not_finished_are_kept(finished, named, kept, tmp_path):
    job = replace(TRAINING, checkpoints=named)
    record = begin(job, tmp_path, "here")
    model = saved_model(record.folder / "model")
    (model / "metrics.json").write_text(json.dumps({"finished": finished}))
    (tmp_path / "checkpoints").mkdir()
    told: list[str] = []
    keep_checkpoints(job, record, 0, tmp_path / "checkpoints", told.append)
    assert (tmp_path / "checkpoints").is_dir() == kept
    assert bool(told) is not finished and all(f"--checkpoints {tmp_path / 'checkpoints'}" in line for line in told)


def test_what_cannot_be_removed_is_told(tmp_path, monkeypatch):
    record = begin(TRAINING, tmp_path, "docker")
    trees = written(record, "algo-1")
    saved_model(trees["algo-1"].model)
    monkeypatch.setattr(local.shutil, "rmtree", lambda *_, **__: None)
    told: list[str] = []
    assert collect(TRAINING, record, trees, {"algo-1": 0}, told.append) == 0
    assert f"{record.folder / 'ml'} cannot be removed" in told[-1]


def test_a_name_that_is_taken_and_checkpoints_in_s3_are_refused(tmp_path):
    begin(TRAINING, tmp_path, "here")
    with pytest.raises(InputError, match="exp-1 is there already; another --job_name"):
        begin(TRAINING, tmp_path, "here")
    with pytest.raises(InputError, match="--checkpoints s3://b/c: here and on docker it is a folder"):
        begin(replace(TRAINING, name="exp-2", checkpoints="s3://b/c"), tmp_path, "here")
    assert not (tmp_path / "exp-2").exists()


def test_a_model_of_jobs_that_begin_so_and_of_a_search(tmp_path):
    flags = read_flags(TrainFlags, ["--results", str(tmp_path), "--on", "sagemaker"], "")[0]
    for name in ("j1", "j2"):
        begin(replace(TRAINING, name=name), tmp_path, "here")
    with pytest.raises(InputError, match=r"2 jobs in .* begin with j: j1, j2"):
        produced("j", "model", flags)
    Record("s-1", "tune", "tuning", "sagemaker", "2026", tmp_path / "s-1").save()
    with pytest.raises(InputError, match="python -m jobs fetch s-1 brings the best model"):
        produced("s-1", "model", flags)
    saved_model(tmp_path / "s-1" / "model")
    assert produced("s-1", "model", flags) == str(tmp_path / "s-1" / "model")


def test_a_job_without_a_line_yet(tmp_path, capsys):
    begin(TRAINING, tmp_path, "here")
    assert run_subcommand("jobs", SUBCOMMANDS, ["logs", "exp-1", "--results", str(tmp_path)]) == 0
    assert "exp-1 has written no line yet" in capsys.readouterr().out


def test_a_profile_that_is_not_there_is_told(tmp_path, capsys, monkeypatch):
    assert run_subcommand("jobs", SUBCOMMANDS, ["list", "--all", "--profile", "nobody", "--region", "eu-west-1"]) == 2
    assert "AWS_PROFILE nobody: there is no such profile" in capsys.readouterr().err
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.delitem(CHECKS, "engine")
    assert run_subcommand("jobs", SUBCOMMANDS, ["doctor"]) == 1
    assert capsys.readouterr().out.count("AWS_PROFILE nobody") >= 2


def test_several_isolated_hosts_reach_each_other_alone():
    isolated = replace(TRAINING, account=Account(isolated=True))
    assert network_command(isolated, "n") == ["network", "create", "--internal", "n"]
    assert network_command(TRAINING, "n") == ["network", "create", "n"]


@pytest.mark.parametrize(("what", "first"), [("inference", "algo-1"), ("train", "127.0.0.1")])
def test_hosts_here_have_the_names_that_their_folders_have(what, first, tmp_path, monkeypatch):
    seen = []

    def children(children: dict[str, Child], log: Path, tell: object) -> dict[str, int]:
        for started in children.values():
            layout = OptMl(Path(started.variables["SAGEMAKER_BASE_DIR"]))
            config = layout.config if what == "train" else layout.processing_config
            seen.append(json.loads((config / "resourceconfig.json").read_text()))
            if what == "train":
                saved_model(layout.model)
            else:
                (layout.processing_output / seen[-1]["current_host"]).mkdir()
        return dict.fromkeys(children, 0)

    monkeypatch.setattr(here, "run_children", children)
    (tmp_path / "data").mkdir()
    source = "train" if what == "train" else "eval"
    job = Job(JOB_TYPES[what], "exp-9", {}, (Input(source, str(tmp_path / "data")),), Machine(count=2))
    assert here.run(job, tmp_path, Clients(), lambda _: None) == 0
    assert seen[0]["current_host"] == first and len(seen[0]["hosts"]) == 2
    if what == "inference":
        left = sorted(path.name for path in (tmp_path / "exp-9" / "output").iterdir())
        assert left == ["algo-1", "algo-2"]


def test_a_training_that_ends_well_without_a_model_is_a_failure(tmp_path):
    for name, fault in (("exp-3", "what came back is no model"), ("exp-4", "exp-4 left no model")):
        job = replace(TRAINING, name=name)
        record = begin(job, tmp_path, "here")
        trees = written(record, "algo-1")
        if name == "exp-3":
            (trees["algo-1"].model / "note.txt").write_text("no model")
        with pytest.raises(Failure, match=fault):
            collect(job, record, trees, {"algo-1": 0}, lambda _: None)
        assert state_of(record) == "failed with 1"
