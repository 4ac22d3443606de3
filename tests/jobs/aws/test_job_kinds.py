"""The API calls of each kind of job, against botocore's model of SageMaker."""

from __future__ import annotations

import pytest

from jobs.aws.job_kinds import ENDED, NAMED_KINDS, PIPELINE, RECORDED_KINDS, SUCCEEDED, JobKind
from jobs.requests.validation import operation


@pytest.mark.parametrize("kind", RECORDED_KINDS.values(), ids=lambda kind: kind.name)
def test_methods_and_fields_exist(kind: JobKind):
    describe, stop, listing = map(operation, (kind.describe_method, kind.stop_method, kind.list_method))
    for model in (describe, stop):
        assert kind.name_field in model.input_shape.members
    assert {kind.name_field, kind.status_field} <= set(describe.output_shape.members)
    summaries = listing.output_shape.members[kind.summaries_field]
    assert kind.status_field in summaries.member.members
    statuses = describe.output_shape.members[kind.status_field].enum
    assert set(statuses) & set(SUCCEEDED) and set(SUCCEEDED) <= set(ENDED)


def test_a_status_is_read_from_a_description():
    kind = NAMED_KINDS["training"]
    assert kind.status({"TrainingJobStatus": "Failed"}) == "Failed" and kind.status({}) == ""
    assert kind.log_group == "/aws/sagemaker/TrainingJobs" and PIPELINE.name not in NAMED_KINDS
