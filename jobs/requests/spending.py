"""Describes what requests can cost: instance type, number of machines and largest number of hours, in one line per
request that AWS charges for. Prices are not included: they differ by region and contract (docs/sagemaker.md, "What AWS
charges for")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jobs.requests.common import Requests

Fields = Mapping[str, Any]


def spending_lines(requests: Requests) -> list[str]:
    """Returns one line per request that AWS charges for, and a line with the sum if there are several jobs."""
    requests_by_method = [(method, request) for method, request in requests]
    lines: list[str] = []
    total, jobs = 0.0, 0
    for method, request in requests_by_method:
        if method in ("create_training_job", "create_processing_job"):
            line, hours = _job(request)
            lines.append(line)
            total, jobs = total + hours, jobs + 1
        elif method == "create_hyper_parameter_tuning_job":
            lines.append(_tuning(request))
        elif method == "create_transform_job":
            lines.append(_transform(request))
        elif method == "create_endpoint_config":
            lines.append(_endpoint(request, requests))
    if jobs > 1:
        lines.append(f"in total at most {_hours(total)} of machine time")
    return [f"AWS charges for: {line}" for line in lines]


def _job(request: Fields) -> tuple[str, float]:
    """Returns the line of a training or processing job, and its machine hours."""
    resources = request.get("ResourceConfig") or request["ProcessingResources"]["ClusterConfig"]
    count, seconds = _count(resources), request["StoppingCondition"]["MaxRuntimeInSeconds"]
    line = f"{_machines(resources)} for at most {_hours(seconds / 3600)}"
    if count > 1:
        line += f", {_hours(count * seconds / 3600)} of machine time"
    return line + _spot(request) + _warm_pool(resources), count * seconds / 3600


def _tuning(request: Fields) -> str:
    """Returns the line of a tuning job: all its trainings, of which some run at the same time."""
    config, training = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    limits, resources = config["ResourceLimits"], training["ResourceConfig"]
    each = training["StoppingCondition"]["MaxRuntimeInSeconds"] / 3600
    trainings = limits.get("MaxNumberOfTrainingJobs") or _grid_size(config.get("ParameterRanges", {}))
    at_once = min(limits["MaxParallelTrainingJobs"], trainings)
    lasts = math.ceil(trainings / at_once) * each
    budget = limits.get("MaxRuntimeInSeconds")
    if budget is not None:
        lasts = min(lasts, budget / 3600)
    hours = min(trainings * each, lasts * at_once) * _count(resources)
    return (
        f"{trainings} trainings of at most {_hours(each)} each on {_machines(resources)}, {at_once} at the same time: "
        f"at most {_hours(hours)} of machine time, finished within {_hours(lasts)}{_spot(training)}"
    )


def _grid_size(ranges: Fields) -> int:
    """Returns the number of combinations of a grid, whose ranges are all lists of values."""
    return math.prod(len(entry["Values"]) for entry in ranges.get("CategoricalParameterRanges", ()))


def _transform(request: Fields) -> str:
    resources = request["TransformResources"]
    name = request["TransformJobName"]
    return f"{_machines(resources)} until all images are predicted, without a time limit; stop it with: {_stop(name)}"


def _endpoint(request: Fields, requests: Requests) -> str:
    """Returns the line of an endpoint. requests: all requests, including those that create and scale it."""
    name = next((each["EndpointName"] for _, each in requests if "EndpointName" in each), request["EndpointConfigName"])
    variant = request["ProductionVariants"][0]
    serverless = variant.get("ServerlessConfig")
    if serverless:
        memory, at_once = serverless["MemorySizeInMB"], serverless["MaxConcurrency"]
        at_most = f"at most {at_once} at the same time"
        return f"the time of each request with {memory:,} MB, {at_most}; no charge without requests"
    scaled = next((each for method, each in requests if method == "register_scalable_target"), None)
    count = variant["InitialInstanceCount"]
    text = f"{count} x {variant['InstanceType']}"
    if scaled:
        text = f"{scaled['MinCapacity']} to {scaled['MaxCapacity']} x {variant['InstanceType']}, depending on load,"
    return f"{text} until it is deleted with: {_stop(name)}"


def _stop(name: str) -> str:
    return f"python -m jobs stop {name}"


def _count(resources: Fields) -> int:
    return int(resources.get("InstanceCount") or 1)


def _machines(resources: Fields) -> str:
    return f"{_count(resources)} x {resources.get('InstanceType', 'machines')}"


def _spot(request: Fields) -> str:
    if not request.get("EnableManagedSpotTraining"):
        return ""
    wait = request["StoppingCondition"].get("MaxWaitTimeInSeconds")
    return ", on spot capacity" + (f", stopped at most {_hours(wait / 3600)} after its start" if wait else "")


def _warm_pool(resources: Fields) -> str:
    kept = resources.get("KeepAlivePeriodInSeconds")
    return f"; then {_hours(kept / 3600)} in a warm pool (--keep_alive)" if kept else ""


def _hours(hours: float) -> str:
    return f"{round(hours, 2):,g} h"
