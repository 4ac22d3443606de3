"""The description of a job."""

from __future__ import annotations

from dataclasses import replace

from jobs.requests.validation import compile_pattern, operation
from jobs.spec.inputs import Input
from jobs.spec.job import Account, unique_name
from tests.jobs.examples import ACCOUNTED, LOCAL_JOB


def test_names_are_what_aws_takes_and_differ():
    names = {unique_name("my run_한글 (2)") for _ in range(20)} | {unique_name("x" * 100), unique_name("한글")}
    assert len(names) == 22
    pattern = operation("create_training_job").input_shape.members["TrainingJobName"].metadata["pattern"]
    assert all(compile_pattern(pattern).fullmatch(name) and len(name) <= 63 for name in names)


def test_a_local_path_is_uploaded_to_the_same_place_each_time(tmp_path):
    account = Account(bucket="b", prefix="/p/")
    first, second = account.upload_uri(str(tmp_path / "a" / "착용 data")), account.upload_uri(str(tmp_path / "data"))
    assert first.startswith("s3://b/p/data/data-") and first.endswith("/") and first != second
    again = account.upload_uri(str(tmp_path / "b" / ".." / "data"), "pictures")
    assert again == second.replace("/data/", "/pictures/", 1)


def test_local_inputs_are_uploaded_and_replaced():
    job = replace(LOCAL_JOB, inputs=(Input("train", "data"), Input("weights", "s3://b/w.pth")), account=ACCOUNTED)
    uri = ACCOUNTED.upload_uri("data")
    assert [(each.name, target) for each, target in job.uploads] == [("train", uri)]
    assert [each.source for each in job.with_s3_inputs().inputs] == [uri, "s3://b/w.pth"]
    assert job.default_checkpoints == "s3://rarebird-test/rarebird/exp-1/checkpoints/"
