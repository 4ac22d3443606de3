"""Validating requests with botocore's model."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from jobs.requests.training import training_request
from jobs.requests.validation import check_request, compile_pattern, service
from model.errors import InputError
from tests.jobs.examples import ACCOUNTED, TRAINING_JOB


def test_an_instance_type_missing_in_botocore_is_a_warning(dry_run):
    code, out, err = dry_run("train", "--data", "s3://b/t", "--instance", "ml.p9.48xlarge")
    assert code == 0
    assert json.loads(out)["ResourceConfig"]["InstanceType"] == "ml.p9.48xlarge"
    assert err.startswith(
        "warning: ResourceConfig.InstanceType (--instance): 'ml.p9.48xlarge' is not in this version of botocore"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TrainingJobName": 3}, "TrainingJobName (--job_name): expected string, not 3"),
        ({"HyperParameters": {"epochs": 3}}, "HyperParameters.epochs: expected string, not 3"),
        ({"HyperParameters": {f"n{n}": "1" for n in range(101)}}, "has 101 entries, expected at most 100"),
        ({"HyperParameters": {"a": "x" * 2501}}, "has 2,501 characters, expected at most 2,500"),
        ({"HyperParameters": {"a": "x\ny"}}, "does not match the pattern"),
        ({"InputDataConfig": []}, "has 0 entries, expected at least 1"),
        ({"EnableManagedSpotTraining": "yes"}, "expected boolean"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": True}}, "expected integer, not True"),
        ({"StopingCondition": {}}, "no such field; nearest: StoppingCondition"),
    ],
)
def test_errors_that_botocores_validator_misses(change, message):
    with pytest.raises(InputError, match=re.escape(message)):
        check_request("create_training_job", {**training_request(TRAINING_JOB), **change})


def test_a_missing_required_field_is_an_error():
    request = training_request(TRAINING_JOB)
    del request["RoleArn"]
    with pytest.raises(InputError, match=r"RoleArn \(--role\): is required"):
        check_request("create_training_job", request)


def test_all_errors_are_in_one_message():
    wrong = dataclasses.replace(TRAINING_JOB, name="a_b", account=dataclasses.replace(ACCOUNTED, role="x"))
    with pytest.raises(InputError) as raised:
        check_request("create_training_job", training_request(wrong))
    assert len(str(raised.value).splitlines()) == 4  # the role is too short and does not match the pattern


def test_every_pattern_of_the_service_can_be_compiled():
    """AWS's patterns have Java's syntax: \\p{L}, surrogate pairs."""
    model = service()
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    for pattern in patterns - {None}:
        compile_pattern(pattern)
    letters = next(pattern for pattern in patterns if pattern and r"\p{L}" in pattern)
    with pytest.raises(re.error):
        re.compile(letters)
    assert compile_pattern(letters).fullmatch("Größe") and not compile_pattern(letters).fullmatch("a\x00b")
