"""The AMI of machines that serve a model: its driver must support CUDA 13, for which the image's PyTorch is built."""

from __future__ import annotations

import re

from jobs.requests.common import instance_family

AUTO, NONE = "auto", "none"  # values of --ami_version other than the name of an AMI
INFERENCE_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"  # driver 580 (API reference, ProductionVariant)
TRANSFORM_AMI = "al2-ami-sagemaker-batch-gpu-535"  # driver 535, with forward compatibility (docs/containers.md)
TOO_OLD = ("p2", "p3", "p3dn", "g3", "g3s")  # GPUs that CUDA 13 does not support with any driver


def inference_ami(instance: str, ami_version: str) -> str | None:
    """Returns InferenceAmiVersion of an endpoint's machines, None for SageMaker's default.

    Args:
        instance: Instance type.
        ami_version: auto, none or the name of an AMI.
    """
    return _ami(instance, ami_version, INFERENCE_AMI)


def transform_ami(instance: str, ami_version: str) -> str | None:
    """Returns TransformAmiVersion of a transform's machines, None for SageMaker's default.

    Args:
        instance: Instance type.
        ami_version: auto, none or the name of an AMI.
    """
    return _ami(instance, ami_version, TRANSFORM_AMI)


def _ami(instance: str, ami_version: str, gpu_ami: str) -> str | None:
    if ami_version == AUTO:
        return gpu_ami if has_gpu(instance) else None
    return None if ami_version == NONE else ami_version


def has_gpu(instance: str) -> bool:
    """Whether an instance type has GPUs that the image can use: families g4dn, g5, gr6, p4d and their successors."""
    family = instance_family(instance)
    return re.match(r"(g|gr|p)\d", family) is not None and family not in TOO_OLD
