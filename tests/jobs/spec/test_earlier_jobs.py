"""Inputs that name an earlier job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.backends.local_run import start_record
from jobs.spec.command_line import read_flags
from jobs.spec.earlier_jobs import producers, resolve_source
from jobs.spec.flags import TrainFlags
from jobs.spec.record import JobRecord
from model.errors import InputError
from tests.jobs.conftest import saved_model
from tests.jobs.examples import LOCAL_JOB


def test_paths_and_uris_are_returned_unchanged(tmp_path):
    flags = TrainFlags(results=str(tmp_path))
    (tmp_path / "here").mkdir(exist_ok=True)
    for source in ("s3://b/x", "a/b", "", str(tmp_path / "here"), "no-such-job"):
        assert resolve_source(source, "model", flags) == source


def test_local_results_are_used_if_the_backend_can_read_them(tmp_path):
    outputs = {"model": "s3://b/m.tar.gz", "output": "s3://b/o/"}
    folder = tmp_path / "j-1"
    JobRecord("j-1", "train", "training", "sagemaker", "2026", folder, outputs).save()
    here, sagemaker = (TrainFlags(results=str(tmp_path), on=on) for on in ("here", "sagemaker"))
    assert resolve_source("j-1", "model", here) == "s3://b/m.tar.gz"  # not fetched yet
    saved_model(folder / "model")
    assert resolve_source("latest", "model", here) == str(folder / "model")
    assert resolve_source("j-1", "model", sagemaker) == "s3://b/m.tar.gz"
    assert resolve_source("j-1", "predictions", here) == "j-1"  # a training has no predictions


def test_results_of_a_failed_job_are_not_used(tmp_path):
    flags = TrainFlags(results=str(tmp_path))
    for name, code in (("stopped", 130), ("bad", 5)):
        JobRecord(name, "train", "training", "here", "2026", tmp_path / name, code=code).save()
        saved_model(tmp_path / name / "model")
    assert resolve_source("stopped", "model", flags) == str(tmp_path / "stopped" / "model")
    with pytest.raises(InputError, match="train bad failed with exit code 5, so its results cannot be used"):
        resolve_source("bad", "model", flags)


def test_finished_parts_of_a_failed_or_killed_job_are_used(tmp_path):
    here, sagemaker = (TrainFlags(results=str(tmp_path), on=on) for on in ("here", "sagemaker"))
    record = JobRecord("i-1", "inference", "processing", "here", "2026", tmp_path / "i-1", code=1)
    record.save()
    assert resolve_source("i-1", "parts", here) == str(tmp_path / "i-1" / "parts")
    (record.folder / "ml").mkdir()  # the launcher was killed before it collected the parts
    assert resolve_source("i-1", "parts", here) == str(tmp_path / "i-1" / "ml")
    (record.folder / "parts").mkdir()
    for flags in (here, sagemaker):
        assert resolve_source("i-1", "parts", flags) == str(tmp_path / "i-1" / "parts")
    replace(record, on="sagemaker", outputs={"parts": "s3://b/i-1/parts/"}).save()
    assert resolve_source("i-1", "parts", sagemaker) == "s3://b/i-1/parts/"


def test_subcommands_whose_jobs_an_input_may_name():
    assert producers("model") == ("train", "tune") and producers("predictions") == (
        *("inference", "inference_TTA", "transform"),
    )
    assert producers("weights") is None


def test_an_ambiguous_name_and_a_tuning_job_that_is_not_fetched_are_errors(tmp_path):
    flags = read_flags("train", ["--results", str(tmp_path), "--on", "sagemaker"], "")[0]
    for name in ("j1", "j2"):
        start_record(replace(LOCAL_JOB, name=name), tmp_path, "here")
    with pytest.raises(InputError, match=r"the names of 2 jobs in .* start with j: j1, j2"):
        resolve_source("j", "model", flags)
    JobRecord("s-1", "tune", "tuning", "sagemaker", "2026", tmp_path / "s-1").save()
    with pytest.raises(InputError, match="first download its best model with: python -m jobs fetch s-1"):
        resolve_source("s-1", "model", flags)
    saved_model(tmp_path / "s-1" / "model")
    assert resolve_source("s-1", "model", flags) == str(tmp_path / "s-1" / "model")


@pytest.mark.parametrize("on", ["here", "sagemaker"])
def test_the_predictions_of_a_transform_must_be_fetched_first(on, tmp_path):
    flags = read_flags("evaluation", ["--results", str(tmp_path), "--on", on], "")[0]
    outputs = {"output": "s3://b/t-1/transform", "model": "s3://b/m/"}
    JobRecord("t-1", "transform", "transform", "sagemaker", "2026", tmp_path / "t-1", outputs).save()
    with pytest.raises(
        InputError, match=r"first download its predictions as output\.csv with: python -m jobs fetch t-1"
    ):
        resolve_source("t-1", "predictions", flags)
    (tmp_path / "t-1" / "output").mkdir()
    assert resolve_source("t-1", "predictions", flags) == str(tmp_path / "t-1" / "output")


def test_the_status_of_a_recorded_sagemaker_job_is_checked(tmp_path):
    """Otherwise a paid job could start on a training that still runs or has failed, and find no model."""
    JobRecord("j-1", "train", "training", "sagemaker", "2026", tmp_path / "j-1", {"model": "s3://b/m.tar.gz"}).save()
    flags = TrainFlags(results=str(tmp_path), on="sagemaker")

    def running(name: str, input_name: str, flags: TrainFlags) -> str | None:
        raise InputError(f"training {name} has not ended: InProgress")

    with pytest.raises(InputError, match="training j-1 has not ended: InProgress"):
        resolve_source("latest", "model", flags, running)
    assert resolve_source("j-1", "model", flags, lambda *_: "s3://b/other.tar.gz") == "s3://b/other.tar.gz"
    assert resolve_source("j-1", "model", flags, lambda *_: None) == "s3://b/m.tar.gz"  # SageMaker could not be reached
    assert resolve_source("j-1", "model", replace(flags, dry_run=True), running) == "s3://b/m.tar.gz"
    # finished parts of a stopped or failed job are used
    JobRecord("i-1", "inference", "processing", "sagemaker", "2026", tmp_path / "i-1", {"parts": "s3://b/p/"}).save()
    assert resolve_source("i-1", "parts", flags, running) == "s3://b/p/"
