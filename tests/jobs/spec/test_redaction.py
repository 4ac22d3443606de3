"""Secrets are removed from stored requests."""

from __future__ import annotations

import json

import pytest

from jobs.spec.record import RECORD, JobRecord
from jobs.spec.redaction import NOT_KEPT, without_secrets

SECRETS = ("WANDB_API_KEY", "HF_TOKEN", "DB_PASSWORD")
OTHERS = {"WANDB_MODE": "offline", "SERVE_TTA": "4"}
VARIABLES = {**dict.fromkeys(SECRETS, "abc"), **OTHERS}
KEPT = {**dict.fromkeys(SECRETS, NOT_KEPT), **OTHERS}


@pytest.mark.parametrize(
    "request_of",
    [
        lambda variables: {"TrainingJobName": "exp-1", "Environment": variables, "KmsKeyId": "alias/k"},
        lambda variables: {"TrainingJobDefinition": {"Environment": variables}},
        lambda variables: {"PrimaryContainer": [{"Environment": variables}]},
        lambda variables: {"PipelineDefinition": json.dumps({"Steps": [{"Arguments": {"Environment": variables}}]})},
    ],
)
def test_values_of_secrets_are_removed_at_any_depth(request_of):
    assert without_secrets(request_of(VARIABLES)) == request_of(KEPT)


def test_a_record_file_contains_no_secrets(tmp_path):
    request = {"Environment": VARIABLES, "HyperParameters": {"auth": "kept, a setting"}}
    record = JobRecord("exp-1", "train", "training", "sagemaker", "2026", tmp_path, request=request)
    record.save()
    assert "abc" not in (tmp_path / RECORD).read_text()
    assert JobRecord.read(tmp_path / RECORD).request == {**request, "Environment": KEPT}
    assert record.request == request  # the request that is sent keeps them
