"""The description of a job."""

from __future__ import annotations

from dataclasses import replace

from jobs.requests.validation import compile_pattern, operation
from jobs.spec.inputs import Input
from jobs.spec.job import Account, unique_name
from tests.jobs.examples import ACCOUNTED, LOCAL_JOB


def test_names_are_valid_and_unique():
    names = {unique_name("my run_한글 (2)") for _ in range(20)} | {unique_name("x" * 100), unique_name("한글")}
    assert len(names) == 22
    pattern = operation("create_training_job").input_shape.members["TrainingJobName"].metadata["pattern"]
    assert all(compile_pattern(pattern).fullmatch(name) and len(name) <= 63 for name in names)


def test_the_prefix_of_a_content_contains_the_account():
    account = Account("arn:aws-cn:iam::123456789012:role/service-role/x", bucket="b", prefix="/p/")
    assert account.content_uri("abc") == "s3://b/p/data/123456789012/abc/"
    assert account.content_uri("abc", "pictures") == "s3://b/p/pictures/123456789012/abc/"
    assert Account(bucket="b", prefix="p").content_uri("abc") == "s3://b/p/data/abc/"  # without a role


def test_with_s3_inputs_replaces_local_inputs():
    inputs = (Input("train", "data"), Input("weights", "s3://b/w.pth"), Input("config", "c.yaml", content={"lr": 1}))
    job = replace(LOCAL_JOB, inputs=inputs, account=ACCOUNTED)
    inputs_in_s3 = job.with_s3_inputs({"train": "s3://b/t/", "config": "s3://b/c/"}).inputs
    assert [each.source for each in inputs_in_s3] == ["s3://b/t/", "s3://b/w.pth", "s3://b/c/"]
    assert all(each.content is None and each.is_remote for each in inputs_in_s3)
    assert job.default_checkpoints == "s3://rarebird-test/rarebird/exp-1/checkpoints/"
