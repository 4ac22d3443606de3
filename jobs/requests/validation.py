"""Requests checked on botocore's own model before they are sent: types, required and unknown names, lengths, patterns,
enumerations and bounds. Needs neither credentials nor a region nor a network.

botocore's own ParamValidator looks at types, names and minima only.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import regex
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from jobs.aws.clients import models
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
AGEING = ("InstanceType",)  # enumerations that AWS adds to between releases of botocore
FLAGS = {  # of a field: the flag that sets it
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
}


@functools.cache
def service(name: str = "sagemaker") -> ServiceModel:
    return ServiceModel(models().load_service_model(name, "service-2"), name)


def operation(method: str, name: str = "sagemaker") -> OperationModel:
    """By boto3's name of it: create_training_job."""
    model = service(name)
    known = {operation.lower(): operation for operation in model.operation_names}
    try:
        return model.operation_model(known[method.replace("_", "")])
    except KeyError:
        raise ValueError(f"{name} has no {method}") from None


def check_request(method: str, request: Mapping[str, Any]) -> list[str]:
    """Raises InputError with every fault of a request, each with its field; returns warnings. method: boto3's name."""
    faults: list[str] = []
    warnings: list[str] = []
    for path, sentence, grave in _faults(operation(method).input_shape, request, ""):
        (faults if grave else warnings).append(f"{path}{_flag(path)}: {sentence}")
    faults += [f"{path}{_flag(path)}: {sentence}" for path, sentence in _contradictions(method, request)]
    if faults:
        raise InputError(f"request {method}:\n" + "\n".join(f"  {fault}" for fault in faults))
    return warnings


def _flag(path: str) -> str:
    bare = regex.sub(r"\[\d+\]", "", path)
    tails = [bare.split(".", at)[at] for at in range(bare.count(".") + 1)]
    flag = next((FLAGS[name] for name in (*tails, *bare.split(".")) if name in FLAGS), None)
    return f" ({flag})" if flag else ""


Found = Iterator[tuple[str, str, bool]]  # field, what is wrong, whether it is refused


def _faults(shape: Shape, value: Any, path: str) -> Found:
    if isinstance(shape, StructureShape):
        yield from _structure(shape, value, path)
    elif isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            yield path, f"expected a mapping, not {value!r}", True
            return
        yield from _bounds(shape, len(value), "entries", path)
        for key, item in value.items():
            yield from _faults(shape.key, key, f"{path}.{key}" if path else str(key))
            yield from _faults(shape.value, item, f"{path}.{key}" if path else str(key))
    elif isinstance(shape, ListShape):
        if not isinstance(value, (list, tuple)):
            yield path, f"expected a list, not {value!r}", True
            return
        yield from _bounds(shape, len(value), "entries", path)
        for at, item in enumerate(value):
            yield from _faults(shape.member, item, f"{path}[{at}]")
    else:
        yield from _scalar(shape, value, path)


def _structure(shape: StructureShape, value: Any, path: str) -> Found:
    if not isinstance(value, Mapping):
        yield path, f"expected a mapping, not {value!r}", True
        return
    lead = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in value:
            yield f"{lead}{name}", "is required", True
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield path, f"takes exactly one of {listing(shape.members)}", True
    for name, item in value.items():
        if name not in shape.members:
            yield f"{lead}{name}", f"there is no such field{did_you_mean(name, shape.members)}", True
        else:
            yield from _faults(shape.members[name], item, f"{lead}{name}")


def _scalar(shape: Shape, value: Any, path: str) -> Found:
    kinds = SCALARS[shape.type_name]
    if not _is_one_of(value, kinds) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield path, f"expected {shape.type_name}, not {value!r}", True
        return
    if shape.type_name != "string":
        yield from _bounds(shape, value, "", path)
        return
    yield from _bounds(shape, len(value), "characters", path)
    choices = getattr(shape, "enum", [])
    if choices and value not in choices:
        ageing = path.rsplit(".", 1)[-1] in AGEING and regex.fullmatch(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", value)
        close = did_you_mean(value, choices)
        if ageing:
            yield path, f"botocore does not know {value!r}; it is sent as it is{close}", False
        else:
            yield path, f"{value!r} is none of {listing(choices)}{close}", True
    pattern = shape.metadata.get("pattern")
    if pattern and not compiled(pattern).fullmatch(value):
        yield path, f"{_short(value)} does not fit the pattern {pattern}", True


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds)


def _bounds(shape: Shape, size: Any, of: str, path: str) -> Found:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    noun = f" {of}" if of else ""
    if low is not None and size < low:
        yield path, f"has {size:,}{noun}, expected at least {low:,}" if of else f"{size} is below {low}", True
    if high is not None and size > high:
        yield path, f"has {size:,}{noun}, expected at most {high:,}" if of else f"{size} is above {high}", True


def _short(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:77] + "...")


@functools.cache
def compiled(pattern: str) -> regex.Pattern[str]:
    """A pattern of AWS's models, which are Java's: \\p{L} and such, surrogate pairs for what lies beyond \\uFFFF."""
    return regex.compile(pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))


def _contradictions(method: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rules between fields, which the service has and its model does not tell (API reference of each field)."""
    training = request.get("TrainingJobDefinition") if method == "create_hyper_parameter_tuning_job" else request
    condition = (training or {}).get("StoppingCondition", {})
    run, wait = condition.get("MaxRuntimeInSeconds"), condition.get("MaxWaitTimeInSeconds")
    numbers = isinstance(run, int) and isinstance(wait, int)
    if numbers and wait < run:
        yield "StoppingCondition.MaxWaitTimeInSeconds", f"{wait} is below MaxRuntimeInSeconds, {run}"
    if wait is not None and not (training or {}).get("EnableManagedSpotTraining"):
        yield "StoppingCondition.MaxWaitTimeInSeconds", "belongs to spot training (--spot)"
    names = [channel.get("ChannelName") for channel in (training or {}).get("InputDataConfig", [])]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield "InputDataConfig", f"two channels are called {name}"
    resources = (training or {}).get("ResourceConfig", {})
    if resources.get("KeepAlivePeriodInSeconds") and (training or {}).get("EnableManagedSpotTraining"):
        yield "ResourceConfig.KeepAlivePeriodInSeconds", "a warm pool cannot be of spot instances"
    for field in ("InstanceCount", "VolumeSizeInGB"):
        if resources.get(field) == 0:
            yield f"ResourceConfig.{field}", "0 is below 1"
    payload, at_once = request.get("MaxPayloadInMB"), request.get("MaxConcurrentTransforms")
    if isinstance(payload, int) and isinstance(at_once, int) and payload * at_once > 100:
        yield "MaxConcurrentTransforms", f"times MaxPayloadInMB is {payload * at_once}, expected at most 100"
