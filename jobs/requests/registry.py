"""The requests that add a model and its scores to SageMaker's model registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.requests.common import Request, tags, without_empty
from jobs.requests.hosted_model import HostedModel, container_definition
from jobs.spec.job import Account
from model.settings.choices import ACCEPTS

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", "application/x-image", "application/json")


def group_request(group: str, account: Account) -> Request:
    """Returns the CreateModelPackageGroup request."""
    return {"ModelPackageGroupName": group, **without_empty(Tags=tags(account))}


def package_request(
    hosted: HostedModel, group: str, evaluation: str | None, approval: str, scores: Mapping[str, Any] | None = None
) -> Request:
    """Returns the CreateModelPackage request, which registers the model as a new version in a group.

    Args:
        hosted: The model.
        group: Model package group.
        evaluation: S3 URI of evaluation.json, whose metrics the registry shows; None for none.
        approval: Approval status of the version.
        scores: Content of evaluation.json; its main scores become searchable properties.
    """
    machine = hosted.machine
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": evaluation}}}
    return {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Rarebird, {hosted.name}",
        "ModelApprovalStatus": approval,
        "Domain": "COMPUTER_VISION",
        "Task": "IMAGE_CLASSIFICATION",
        "InferenceSpecification": {
            "Containers": [container_definition(hosted)],
            "SupportedContentTypes": list(CONTENT_TYPES),
            "SupportedResponseMIMETypes": list(ACCEPTS),
            "SupportedTransformInstanceTypes": [machine.instance],
            "SupportedRealtimeInferenceInstanceTypes": [machine.instance],
        },
        **without_empty(
            ModelMetrics=metrics if evaluation else None,
            CustomerMetadataProperties=score_properties(scores) if scores else None,
        ),
    }


def score_properties(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Returns the main scores of an evaluation.json and their confidence intervals, as text."""
    properties = {}
    for name in ("accuracy", "macro_f1"):
        score = evaluation["rarebird"][name]
        properties[name] = f"{score['value']:.4f}"
        if score["low"] is not None:
            properties |= {f"{name}_low": f"{score['low']:.4f}", f"{name}_high": f"{score['high']:.4f}"}
    return properties
