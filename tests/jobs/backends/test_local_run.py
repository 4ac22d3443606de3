"""A local job: its record, inputs and results."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from container.job_types import INFERENCE, TRAIN
from jobs.aws.clients import Clients
from jobs.backends import local_process, local_run
from jobs.backends.local_run import (
    also_logged,
    collect,
    fetch_inputs,
    keep_checkpoints,
    merge_folders,
    move_folder,
    start_record,
)
from jobs.results import fetch
from jobs.spec.inputs import Input
from jobs.spec.job import Job
from jobs.spec.record import read_records
from jobs.storage import mirror
from model.artifacts import archive
from model.errors import Failure, InputError
from tests.jobs.conftest import BUCKET, saved_model
from tests.jobs.examples import LOCAL_JOB, saved_state, write_hosts


def test_results_of_hosts_are_merged_and_verified(tmp_path):
    record = start_record(LOCAL_JOB, tmp_path, "here")
    hosts = write_hosts(record, "algo-1", "algo-2")
    saved_model(hosts["algo-1"].model)
    (hosts["algo-1"].output_data / "split.csv").write_text("first")
    (hosts["algo-2"].output_data / "other.csv").write_text("second")
    lines: list[str] = []
    assert collect(LOCAL_JOB, record, hosts, {"algo-2": 0, "algo-1": 0}, lines.append).code == 0
    assert "resnet10t, 2 classes" in lines[-1]
    assert sorted(path.name for path in record.folder.iterdir()) == ["job.json", "model", "model.tar.gz", "output"]
    assert sorted(path.name for path in (record.folder / "output").iterdir()) == ["other.csv", "split.csv"]
    with tarfile.open(record.folder / "model.tar.gz") as packed:
        assert sorted(packed.getnames()) == sorted(path.name for path in (record.folder / "model").iterdir())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the calls that pack, unpack or verify a model, in order; decompressing fails the test."""
    names: list[str] = []

    def counted(module: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(module, name)

        def count(*arguments: Any, **keywords: Any) -> Any:
            names.append(name.strip("_"))
            return function(*arguments, **keywords)

        monkeypatch.setattr(module, name, count)

    for module in (local_run, fetch, archive):
        for name in ("pack", "unpack", "unpack_as", "verify"):
            if hasattr(module, name):
                counted(module, name)
    monkeypatch.setattr("gzip.open", lambda *_, **__: pytest.fail("an archive is decompressed"))
    return names


@pytest.mark.parametrize(("code", "finished"), [(0, True), (0, False), (130, False)])
def test_a_model_is_packed_once_verified_once_and_never_unpacked(code, finished, tmp_path, calls):
    record = start_record(LOCAL_JOB, tmp_path, "here")
    hosts = write_hosts(record, "algo-1")
    model = saved_model(hosts["algo-1"].model)
    (model / "metrics.json").write_text(json.dumps({"finished": finished}))
    record = collect(LOCAL_JOB, record, hosts, {"algo-1": code}, lambda _: None)
    keep_checkpoints(LOCAL_JOB, record, tmp_path / "checkpoints", lambda _: None)
    assert calls == ["pack", "verify"]
    assert (record.folder / "model" / "model.safetensors").is_file()
    assert (record.folder / "model.tar.gz").is_file()
    assert model.is_dir() is (code != 0)  # the folders of a stopped job are kept


def test_a_failed_job_prints_its_failure_file_and_keeps_its_folders(tmp_path):
    record = start_record(replace(LOCAL_JOB, name="exp-2"), tmp_path, "here")
    hosts = write_hosts(record, "algo-1", "algo-2")
    (hosts["algo-1"].output / "failure").write_text("SIGTERM")
    (hosts["algo-2"].output / "failure").write_text("InputError: no class b")
    lines: list[str] = []
    assert collect(LOCAL_JOB, record, hosts, {"algo-2": 2, "algo-1": 143}, lines.append).code == 2
    assert lines[-1] == "InputError: no class b" and hosts["algo-2"].config.is_dir()
    assert saved_state(record) == "failed with exit code 2"


def test_finished_parts_of_a_stopped_inference_are_moved_to_the_results(tmp_path):
    job = replace(LOCAL_JOB, type=INFERENCE, settings={}, inputs=(), name="i-1")
    record = start_record(job, tmp_path, "here")
    hosts = write_hosts(record, "algo-1", "algo-2", job=job)
    for name in hosts:
        (hosts[name].processing_parts / name / f"{name}.tar").mkdir(parents=True)
    lines: list[str] = []
    assert collect(job, record, hosts, {"algo-2": 143, "algo-1": 143}, lines.append).code == 143
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("i-1/parts/*/*")) == [
        *("i-1/parts/algo-1/algo-1.tar", "i-1/parts/algo-2/algo-2.tar")
    ]
    assert "to resume, add --resume_from i-1 to the same command (with another --job_name)" in lines
    # the parts of a finished inference are not kept
    record = start_record(replace(job, name="i-2"), tmp_path, "here")
    hosts = write_hosts(record, "algo-1", job=job)
    (hosts["algo-1"].processing_parts / "algo-1" / "a.tar").mkdir(parents=True)
    collect(job, record, hosts, {"algo-1": 0}, lines.append)
    assert sorted(path.name for path in record.folder.iterdir()) == ["job.json", "output"]


def test_the_model_of_a_failed_job_is_not_moved(tmp_path, calls):
    record = start_record(LOCAL_JOB, tmp_path, "here")
    hosts = write_hosts(record, "algo-1")
    model = saved_model(hosts["algo-1"].model)
    collect(LOCAL_JOB, record, hosts, {"algo-1": 1}, lambda _: None)
    assert calls == ["pack"] and model.is_dir() and not (record.folder / "model").exists()


@pytest.mark.parametrize(("finished", "named", "kept"), [(True, None, 0), (True, "mine", 1), (False, None, 1)])
def test_checkpoints_of_an_unfinished_training_are_kept(finished, named, kept, tmp_path):
    job = replace(LOCAL_JOB, checkpoints=named)
    record = start_record(job, tmp_path, "here")
    hosts = write_hosts(record, "algo-1")
    model = saved_model(hosts["algo-1"].model)
    (model / "metrics.json").write_text(json.dumps({"finished": finished}))
    (tmp_path / "checkpoints").mkdir()
    record = collect(job, record, hosts, {"algo-1": 0}, lambda _: None)
    lines: list[str] = []
    keep_checkpoints(job, record, tmp_path / "checkpoints", lines.append)
    assert (tmp_path / "checkpoints").is_dir() == kept
    assert bool(lines) is not finished and all(f"--checkpoints {tmp_path / 'checkpoints'}" in line for line in lines)


def test_folders_that_cannot_be_removed_are_a_warning(tmp_path, monkeypatch):
    record = start_record(LOCAL_JOB, tmp_path, "docker")
    hosts = write_hosts(record, "algo-1")
    saved_model(hosts["algo-1"].model)
    monkeypatch.setattr(local_run.shutil, "rmtree", lambda *_, **__: None)
    lines: list[str] = []
    assert collect(LOCAL_JOB, record, hosts, {"algo-1": 0}, lines.append).code == 0
    assert f"{record.folder / 'ml'} cannot be removed" in lines[-1]


def test_an_existing_name_and_checkpoints_in_s3_are_errors(tmp_path):
    start_record(LOCAL_JOB, tmp_path, "here")
    with pytest.raises(InputError, match="exp-1 already exists; use another --job_name"):
        start_record(LOCAL_JOB, tmp_path, "here")
    with pytest.raises(InputError, match="--checkpoints s3://b/c: expected a folder of this machine"):
        start_record(replace(LOCAL_JOB, name="exp-2", checkpoints="s3://b/c"), tmp_path, "here")
    assert not (tmp_path / "exp-2").exists()


def test_a_training_that_ends_with_0_but_without_a_model_is_a_failure(tmp_path):
    unusable = r"the job returned no usable model: .*/exp-3/model contains no saved model; it contains note\.txt"
    for name, message in (("exp-3", unusable), ("exp-4", "exp-4 wrote no model")):
        job = replace(LOCAL_JOB, name=name)
        record = start_record(job, tmp_path, "here")
        hosts = write_hosts(record, "algo-1")
        if name == "exp-3":
            (hosts["algo-1"].model / "note.txt").write_text("no model")
        with pytest.raises(Failure, match=message):
            collect(job, record, hosts, {"algo-1": 0}, lambda _: None)
        assert saved_state(record) == "failed with exit code 1"


def test_an_error_while_collecting_is_recorded(tmp_path, monkeypatch):
    job = replace(LOCAL_JOB, type=INFERENCE, settings={}, inputs=())
    record = start_record(job, tmp_path, "here")

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(local_run, "move_folder", full)
    with pytest.raises(OSError, match="no space"):
        collect(job, record, write_hosts(record, "algo-1", job=job), {"algo-1": 0}, lambda _: None)
    assert saved_state(record) == "failed with exit code 1"


def test_a_missing_input_in_s3_is_an_error_and_starts_no_job(aws, tmp_path):
    job = Job(TRAIN, "t-1", {}, (Input("train", f"s3://{BUCKET}/mistyped"),))
    with pytest.raises(InputError, match=rf"train: s3://{BUCKET}/mistyped: no such file or folder in S3"):
        local_process.run(job, tmp_path / "results", Clients("eu-west-1"), print)
    assert not (tmp_path / "results" / "t-1").exists()


def test_the_first_hosts_files_are_kept_when_folders_are_merged(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_text(name)
        (tmp_path / name / name).touch()
    merged = merge_folders([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    assert (merged / "deep" / "file").read_text() == "one" and (merged / "one").exists() and (merged / "two").exists()
    assert merge_folders([tmp_path / "one"], tmp_path / "alone") == tmp_path / "one"


def test_move_folder_does_not_overwrite(tmp_path):
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    with pytest.raises(Failure, match="target already exists"):
        move_folder(tmp_path / "source", tmp_path / "target")


def test_closing_lines_are_printed_and_logged(tmp_path):
    (tmp_path / "log.txt").write_text("first\n")
    lines: list[str] = []
    also_logged(lines.append, tmp_path / "log.txt")("last")
    assert lines == ["last"] and (tmp_path / "log.txt").read_text() == "first\nlast\n"


def test_inputs_in_s3_are_downloaded_once_for_all_jobs(aws, tmp_path, monkeypatch):
    s3, downloaded = aws("s3"), []
    real = mirror.download_file
    monkeypatch.setattr(mirror, "download_file", lambda *call: downloaded.append(call[1].key) or real(*call))
    for name in ("1.jpg", "2.jpg"):
        s3.put_object(Bucket=BUCKET, Key=f"in/{name}", Body=name.encode())
    folders = []
    for name in ("exp-1", "exp-2", "exp-3"):
        job = replace(LOCAL_JOB, name=name, inputs=(Input("train", f"s3://{BUCKET}/in"),))
        folders.append(fetch_inputs(job, start_record(job, tmp_path, "here"), Clients())["train"])
        s3.put_object(Bucket=BUCKET, Key="in/2.jpg", Body=b"changed" if name != "exp-1" else b"2.jpg")
    assert sorted(downloaded) == ["in/1.jpg", "in/2.jpg", "in/2.jpg"]  # the last one for exp-3
    assert set(folders) == {folders[0]} and folders[0].parent == tmp_path / ".inputs"
    assert sorted(path.name for path in folders[0].iterdir()) == ["1.jpg", "2.jpg"]
    assert [record.name for record in read_records(tmp_path)] == ["exp-1", "exp-2", "exp-3"]
