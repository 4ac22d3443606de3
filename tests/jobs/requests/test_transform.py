"""Requests of transform jobs."""

from __future__ import annotations

from jobs.requests.hosted_model import HostedModel
from jobs.requests.transform import Transform, transform_request
from jobs.spec.inputs import Input
from jobs.spec.job import Machine
from tests.jobs.examples import ACCOUNTED


def test_each_object_is_one_request():
    hosted = HostedModel("t", "s3://b/m/model.tar.gz", ACCOUNTED, Machine(count=2))
    request = transform_request(hosted, Transform(Input("pictures", "s3://b/e"), accept="text/csv", concurrent=3))
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/e/"
    assert (request["BatchStrategy"], request["TransformInput"]["SplitType"]) == ("SingleRecord", "None")
    assert request["TransformOutput"]["Accept"] == "text/csv" and request["MaxConcurrentTransforms"] == 3
    assert request["TransformResources"]["InstanceCount"] == 2
    without = transform_request(hosted, Transform(Input("pictures", "s3://b/e")))
    assert "MaxConcurrentTransforms" not in without  # the server decides
