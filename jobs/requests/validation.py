"""Validates requests against botocore's model of SageMaker before they are sent: types, missing and unknown fields,
lengths, patterns, enumerations and bounds. Needs no credentials, region or network.

botocore's own ParamValidator only checks types, names and lower bounds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import regex
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from jobs.aws.clients import service_model_loader
from model.errors import InputError, did_you_mean, listing

SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "timestamp": (object,),
    "blob": (bytes, bytearray),
}
GROWING = {  # enumerations that AWS extends often: a value of this form that botocore does not list is only a warning
    "InstanceType": r"ml\.[a-z0-9-]+\.[a-z0-9-]+",
    "InferenceAmiVersion": r"al\d+-ami-sagemaker-inference-[a-z0-9-]+",
}
OTHER_SERVICES = {  # services of operations that do not belong to SageMaker
    "register_scalable_target": "application-autoscaling",
    "put_scaling_policy": "application-autoscaling",
    "put_metric_alarm": "cloudwatch",
}
FLAGS = {  # the launcher's flag that sets a field
    "AlgorithmSpecification.TrainingImage": "--image",
    "AppSpecification.ImageUri": "--image",
    "PrimaryContainer.Image": "--image",
    "RoleArn": "--role",
    "ExecutionRoleArn": "--role",
    "TrainingJobName": "--job_name",
    "ProcessingJobName": "--job_name",
    "TransformJobName": "--job_name",
    "HyperParameterTuningJobName": "--job_name",
    "ModelName": "--job_name",
    "EndpointName": "--job_name",
    "EndpointConfigName": "--job_name",
    "PipelineName": "--job_name",
    "ModelPackageGroupName": "--group",
    "InstanceType": "--instance",
    "InstanceCount": "--instances",
    "InitialInstanceCount": "--instances",
    "VolumeSizeInGB": "--volume_gb",
    "KeepAlivePeriodInSeconds": "--keep_alive",
    "MaxRuntimeInSeconds": "--max_run",
    "MaxWaitTimeInSeconds": "--max_wait",
    "ResourceLimits.MaxRuntimeInSeconds": "--max_hours",
    "MaxNumberOfTrainingJobs": "--trainings",
    "MaxParallelTrainingJobs": "--at_once",
    "MaxNumberOfTrainingJobsNotImproving": "--stop_after",
    "MaximumRetryAttempts": "--attempts",
    "S3OutputPath": "--bucket",
    "KmsKeyId": "--kms_key",
    "VolumeKmsKeyId": "--kms_key",
    "Subnets": "--subnets",
    "SecurityGroupIds": "--security_groups",
    "Tags": "--tags",
    "MaxPayloadInMB": "--max_payload_mb",
    "MaxConcurrentTransforms": "--concurrent",
    "MemorySizeInMB": "--memory_mb",
    "InferenceAmiVersion": "--ami_version",
    "TransformAmiVersion": "--ami_version",
    "InitialSamplingPercentage": "--capture",
    "TerminationWaitInSeconds": "--bake",
    "AlarmName": "--rollback_alarms",
}


FieldProblems = Iterator[tuple[str, str, bool]]  # (field, message, whether it is an error instead of a warning)


@functools.cache
def service(name: str = "sagemaker") -> ServiceModel:
    """Returns botocore's model of an AWS service."""
    return ServiceModel(service_model_loader().load_service_model(name, "service-2"), name)


def operation(method: str) -> OperationModel:
    """Returns the model of an operation by boto3's name, such as create_training_job."""
    name = OTHER_SERVICES.get(method, "sagemaker")
    model = service(name)
    names = {operation.lower(): operation for operation in model.operation_names}
    try:
        return model.operation_model(names[method.replace("_", "")])
    except KeyError:
        raise ValueError(f"{name} has no {method}") from None


def check_request(method: str, request: Mapping[str, Any]) -> list[str]:
    """Validates a request.

    Args:
        method: boto3's name of the operation.
        request: Its arguments.

    Returns:
        Warnings.

    Raises:
        InputError: The request is invalid; the message lists all errors, each with its field and flag.
    """
    errors: list[str] = []
    warnings: list[str] = []
    for field, message, is_error in _check(operation(method).input_shape, request, ""):
        (errors if is_error else warnings).append(f"{field}{_flag(field)}: {message}")
    errors += [f"{field}{_flag(field)}: {message}" for field, message in _contradictions(method, request)]
    if errors:
        raise InputError(f"request {method}:\n" + "\n".join(f"  {error}" for error in errors))
    return warnings


def _flag(field: str) -> str:
    """Returns ` (--FLAG)` for a field: the flag of the longest end of its path in FLAGS, otherwise of any name in the
    path; "" if there is none."""
    path = regex.sub(r"\[\d+\]", "", field)
    ends = [path.split(".", at)[at] for at in range(path.count(".") + 1)]
    flag = next((FLAGS[name] for name in (*ends, *path.split(".")) if name in FLAGS), None)
    return f" ({flag})" if flag else ""


def _check(shape: Shape, value: Any, field: str) -> FieldProblems:
    """Yields the problems of a value and everything in it.

    Args:
        shape: botocore's model of the value.
        value: The value.
        field: Path of names and positions of the value, "" for the whole request.
    """
    if isinstance(shape, StructureShape):
        yield from _check_structure(shape, value, field)
    elif isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            yield field, f"expected a mapping, not {value!r}", True
            return
        yield from _check_bounds(shape, len(value), "entries", field)
        for key, item in value.items():
            inner = f"{field}.{key}" if field else str(key)
            yield from _check(shape.key, key, inner)
            yield from _check(shape.value, item, inner)
    elif isinstance(shape, ListShape):
        if not isinstance(value, (list, tuple)):
            yield field, f"expected a list, not {value!r}", True
            return
        yield from _check_bounds(shape, len(value), "entries", field)
        for at, item in enumerate(value):
            yield from _check(shape.member, item, f"{field}[{at}]")
    else:
        yield from _check_scalar(shape, value, field)


def _check_structure(shape: StructureShape, value: Any, field: str) -> FieldProblems:
    if not isinstance(value, Mapping):
        yield field, f"expected a mapping, not {value!r}", True
        return
    lead = f"{field}." if field else ""
    for name in shape.required_members:
        if name not in value:
            yield f"{lead}{name}", "is required", True
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield field, f"expected exactly one of {listing(shape.members)}", True
    for name, item in value.items():
        if name not in shape.members:
            yield f"{lead}{name}", f"no such field{did_you_mean(name, shape.members)}", True
        else:
            yield from _check(shape.members[name], item, f"{lead}{name}")


def _check_scalar(shape: Shape, value: Any, field: str) -> FieldProblems:
    is_type = isinstance(value, SCALARS[shape.type_name])
    if not is_type or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield field, f"expected {shape.type_name}, not {value!r}", True
        return
    if shape.type_name != "string":
        yield from _check_bounds(shape, value, "", field)
        return
    yield from _check_bounds(shape, len(value), "characters", field)
    choices = getattr(shape, "enum", [])
    if choices and value not in choices:
        close = did_you_mean(value, choices)
        form = GROWING.get(field.rsplit(".", 1)[-1])
        if form and regex.fullmatch(form, value):
            yield field, f"{value!r} is not in this version of botocore; it is sent anyway{close}", False
        else:
            yield field, f"expected one of {listing(choices)}, not {value!r}{close}", True
    pattern = shape.metadata.get("pattern")
    if pattern and not compile_pattern(pattern).fullmatch(value):
        yield field, f"{_shortened(value)} does not match the pattern {pattern}", True


def _check_bounds(shape: Shape, size: Any, noun: str, field: str) -> FieldProblems:
    """Yields a problem if a value, or its length, is out of bounds.

    Args:
        shape: botocore's model of the value.
        size: The value or its length.
        noun: Unit of a length, such as "characters"; "" for a value.
        field: Path of the value.
    """
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield field, f"has {size:,} {noun}, expected at least {low:,}" if noun else f"{size} is below {low}", True
    if high is not None and size > high:
        yield field, f"has {size:,} {noun}, expected at most {high:,}" if noun else f"{size} is above {high}", True


def _shortened(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:77] + "...")


@functools.cache
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compiles a pattern of AWS's models, which have Java's syntax: \\p{L}, and surrogate pairs beyond \\uFFFF."""
    return regex.compile(pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))


def _contradictions(method: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields violations of rules between fields, which are in the API reference but not in botocore's model."""
    is_tuning = method == "create_hyper_parameter_tuning_job"
    training: Mapping[str, Any] = (request.get("TrainingJobDefinition") or {}) if is_tuning else request
    condition = training.get("StoppingCondition", {})
    run, wait = condition.get("MaxRuntimeInSeconds"), condition.get("MaxWaitTimeInSeconds")
    if isinstance(run, int) and isinstance(wait, int) and wait < run:
        yield "StoppingCondition.MaxWaitTimeInSeconds", f"{wait} is less than MaxRuntimeInSeconds, {run}"
    if wait is not None and not training.get("EnableManagedSpotTraining"):
        yield "StoppingCondition.MaxWaitTimeInSeconds", "is only allowed for spot training (--spot)"
    names = [channel.get("ChannelName") for channel in training.get("InputDataConfig", [])]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield "InputDataConfig", f"duplicate channel {name}"
    resources = training.get("ResourceConfig", {})
    if resources.get("KeepAlivePeriodInSeconds") and training.get("EnableManagedSpotTraining"):
        yield "ResourceConfig.KeepAlivePeriodInSeconds", "a warm pool is not possible with spot capacity (--spot)"
    for field in ("InstanceCount", "VolumeSizeInGB"):
        if resources.get(field) == 0:
            yield f"ResourceConfig.{field}", "0 is less than 1"
    payload, at_once = request.get("MaxPayloadInMB"), request.get("MaxConcurrentTransforms")
    if isinstance(payload, int) and isinstance(at_once, int) and payload * at_once > 100:
        yield "MaxConcurrentTransforms", f"times MaxPayloadInMB is {payload * at_once}, the product must be at most 100"
