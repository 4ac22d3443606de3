"""The ranges of a tuning job, from the settings object."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from jobs.requests.train_and_process import Request
from jobs.spec.hyperparameters import text_of
from model.errors import InputError, did_you_mean, listing
from model.metrics.epoch_metrics import METRIC_LINE
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

LOGARITHMIC = ("lr", "weight_decay")  # where the order of magnitude is what matters
OBJECTIVES = {metric.name: metric for metric in METRIC_LINE}


def parameter_ranges(asked: Mapping[str, Any]) -> Request:
    """ParameterRanges from {setting: [low, high]} of numbers, or {setting: [value, ...]} of anything else.

    Every bound and value must be one that training takes; InputError tells all that are not. [low, high] of a setting
    with choices, and three or more numbers, are values to choose from.
    """
    known = {field.name: field for field in dataclasses.fields(TrainSettings)}
    hints = typing.get_type_hints(TrainSettings)
    faults: list[str] = []
    whole: list[Request] = []
    real: list[Request] = []
    named: list[Request] = []
    for name, values in asked.items():
        if name not in known:
            faults.append(f"ranges: {name}: there is no such setting{did_you_mean(name, known)}")
            continue
        if not isinstance(values, (list, tuple)) or len(values) < 2:
            faults.append(f"ranges: {name}: expected [low, high], or the values to choose from, not {values!r}")
            continue
        told = []
        for value in values:
            try:
                told.append(getattr(build(TrainSettings, [Layer(f"ranges: {name}", {name: value})]), name))
            except InputError as error:
                faults += [line.strip() for line in str(error).splitlines()[1:]]
        if len(told) < len(values):
            continue
        hint = hints[name]
        is_number = hint in (int, float, float | None) and len(values) == 2
        if is_number and told[0] >= told[1]:
            faults.append(f"ranges: {name}: {told[0]} is not below {told[1]}")
        elif is_number:
            kind = "Logarithmic" if name in LOGARITHMIC and told[0] > 0 else "Auto"
            bounds = {"MinValue": text_of(told[0]), "MaxValue": text_of(told[1]), "ScalingType": kind}
            (whole if hint is int else real).append({"Name": name, **bounds})
        else:
            named.append({"Name": name, "Values": [text_of(value) for value in told]})
    if not asked:
        faults.append("ranges: name what to vary, as in --ranges '{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}'")
    if faults:
        raise InputError("tuning:\n" + "\n".join(f"  {fault}" for fault in faults))
    kinds = {"IntegerParameterRanges": whole, "ContinuousParameterRanges": real, "CategoricalParameterRanges": named}
    return {kind: ranges for kind, ranges in kinds.items() if ranges}


def tuning_config(
    ranges: Request, objective: str, trainings: int, at_once: int, strategy: str, early_stopping: bool, seed: int | None
) -> Request:
    """HyperParameterTuningJobConfig. InputError where the objective is no metric of ours, or a grid has ranges of
    numbers (API reference, HyperParameterTuningJobConfig, Strategy)."""
    if objective not in OBJECTIVES:
        raise InputError(
            f"--objective {objective}: expected one of {listing(OBJECTIVES)}{did_you_mean(objective, OBJECTIVES)}"
        )
    if strategy == "Grid" and set(ranges) != {"CategoricalParameterRanges"}:
        raise InputError("--strategy Grid takes values to choose from, no ranges: name three or more numbers")
    return {
        "Strategy": strategy,
        "HyperParameterTuningJobObjective": {
            "Type": "Minimize" if OBJECTIVES[objective].higher_is_better is False else "Maximize",
            "MetricName": objective,
        },
        "ResourceLimits": {"MaxNumberOfTrainingJobs": trainings, "MaxParallelTrainingJobs": at_once},
        "ParameterRanges": ranges,
        "TrainingJobEarlyStoppingType": "Auto" if early_stopping else "Off",
        **({} if seed is None else {"RandomSeed": seed}),
    }
