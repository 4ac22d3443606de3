"""Requests of the model registry."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.requests.hosted_model import HostedModel
from jobs.requests.registry import package_request, score_properties
from jobs.spec.job import Machine
from tests.jobs.examples import ACCOUNTED

HOSTED = HostedModel("m", "s3://b/m/model.tar.gz", ACCOUNTED, Machine())


def evaluation(low: float | None) -> dict[str, Any]:
    score = {"value": 0.5, "low": low, "high": low and 0.6}
    return {"rarebird": {"accuracy": score, "macro_f1": score}}


@pytest.mark.parametrize("low", [0.4, None])
def test_main_scores_are_properties(low):
    properties = score_properties(evaluation(low))
    assert properties["macro_f1"] == "0.5000" and properties.get("macro_f1_low") == (low and "0.4000")


def test_a_version_without_an_evaluation_has_no_metrics():
    request = package_request(HOSTED, "faces", None, "Approved")
    assert request["ModelApprovalStatus"] == "Approved"
    assert (request["Domain"], request["Task"]) == ("COMPUTER_VISION", "IMAGE_CLASSIFICATION")
    assert not {"ModelMetrics", "CustomerMetadataProperties"} & set(request)
    request = package_request(HOSTED, "faces", "s3://b/evaluation.json", "Approved", evaluation(0.4))
    assert request["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == "s3://b/evaluation.json"
    assert request["CustomerMetadataProperties"]["accuracy_high"] == "0.6000"
