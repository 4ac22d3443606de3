"""The request that creates a tuning job: ranges of settings, objective, and the training whose settings are varied."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from container.job_types import TRAIN
from jobs.requests.combinations import refused_combinations
from jobs.requests.common import Request, tags, without_empty
from jobs.requests.training import training_definition
from jobs.spec.hyperparameters import to_text
from jobs.spec.job import Job
from model.errors import InputError, did_you_mean, listing
from model.metrics.epoch_metrics import EPOCH_METRICS, metrics_of_line, reported
from model.settings.fields import Layer, decode_layer
from model.settings.train import TrainSettings

LOGARITHMIC = ("lr", "weight_decay")  # settings whose order of magnitude matters


@dataclass(frozen=True)
class Search:
    """The search of a tuning job.

    Attributes:
        objective: Training metric to optimise.
        trainings: Number of trainings in total; None for a grid, which runs every combination.
        at_once: Number of trainings that run at the same time.
        strategy: Bayesian, Random, Hyperband or Grid.
        stop_early: Whether to stop trainings that are unlikely to become the best.
        seed: Random seed of the search, None for none.
        max_hours: Longest time of the whole search, h; 0 for no limit.
        stop_after: The search ends after this many trainings in a row without improvement; 0 for no limit.
        target_score: The search ends when a training reaches this objective, None for no target.
    """

    objective: str
    trainings: int | None
    at_once: int
    strategy: str
    stop_early: bool
    seed: int | None
    max_hours: float = 0.0
    stop_after: int = 0
    target_score: float | None = None


def tuning_request(job: Job, config: Request) -> Request:
    """Returns the CreateHyperParameterTuningJob request.

    Args:
        job: The training; its values of varied settings are ignored.
        config: HyperParameterTuningJobConfig.
    """
    names = [entry["Name"] for entries in config["ParameterRanges"].values() for entry in entries]
    static = {name: value for name, value in {**job.settings, **job.entry}.items() if name not in names}
    definition = {
        "StaticHyperParameters": static,
        **training_definition(job),
        **without_empty(Environment=dict(job.environment)),
    }
    definition.pop("CheckpointConfig", None)  # trainings would share it, and resume from each other's checkpoints
    machine = definition.pop("ResourceConfig")
    machine.pop("KeepAlivePeriodInSeconds", None)
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": {**definition, "ResourceConfig": machine},
        **without_empty(Tags=tags(job.account)),
    }


def tuning_config(ranges: Request, search: Search) -> Request:
    """Returns HyperParameterTuningJobConfig.

    Args:
        ranges: ParameterRanges, from parameter_ranges.
        search: Objective, strategy and limits.

    Raises:
        InputError: The objective is not a training metric, or a grid has ranges of numbers (API reference,
            HyperParameterTuningJobConfig, Strategy).
    """
    objective, strategy = search.objective, search.strategy
    metrics = [metric.name for metric in metrics_of_line()]
    if objective not in metrics:
        raise InputError(
            f"--objective {objective}: expected one of {listing(metrics)}{did_you_mean(objective, metrics)}"
        )
    if strategy == "Grid" and set(ranges) != {"CategoricalParameterRanges"}:
        raise InputError(
            "--strategy Grid: --ranges must contain lists of values; a list of numbers must have at least 3, "
            "because two numbers are read as a range [low, high]"
        )
    return {
        "Strategy": strategy,
        "HyperParameterTuningJobObjective": {
            "Type": "Minimize" if EPOCH_METRICS[objective].higher_is_better is False else "Maximize",
            "MetricName": objective,
        },
        "ResourceLimits": {
            **without_empty(MaxNumberOfTrainingJobs=search.trainings),
            "MaxParallelTrainingJobs": search.at_once,
            **without_empty(MaxRuntimeInSeconds=round(search.max_hours * 3600)),
        },
        "ParameterRanges": ranges,
        "TrainingJobEarlyStoppingType": "Auto" if search.stop_early else "Off",
        **without_empty(TuningJobCompletionCriteria=_completion_criteria(search)),
        **({} if search.seed is None else {"RandomSeed": search.seed}),
    }


def _completion_criteria(search: Search) -> Request:
    """Returns TuningJobCompletionCriteria, which end a search before all its trainings have run."""
    criteria: Request = {}
    if search.stop_after:
        criteria["BestObjectiveNotImproving"] = {"MaxNumberOfTrainingJobsNotImproving": search.stop_after}
    if search.target_score is not None:
        criteria["TargetObjectiveMetricValue"] = search.target_score
    return criteria


def check_objective(objective: str, criteria: Iterable[str]) -> None:
    """Raises InputError if the trainings do not log the objective.

    Args:
        objective: A training metric.
        criteria: The values of best_criterion in the trainings.
    """
    if objective in EPOCH_METRICS and not all(reported(objective, criterion) for criterion in criteria):
        needed = EPOCH_METRICS[objective].criterion
        raise InputError(
            f"--objective {objective}: training logs this metric only with --best_criterion {needed}; set both flags"
        )


def parameter_ranges(varied: Mapping[str, Any], base: TrainSettings | None = None, isolated: bool = False) -> Request:
    """Returns ParameterRanges for the flag --ranges.

    Args:
        varied: {setting: [low, high]} for a range of numbers, {setting: [value, ...]} for a list of values. Three or
            more numbers, and values of settings that are not numbers, are always a list of values.
        base: The settings that all trainings share; None for the defaults.
        isolated: Whether the trainings have no network access.

    Raises:
        InputError: Names, bounds or values are invalid, or training refuses combinations of the values. The message
            lists all of them.
    """
    integer: list[Request] = []
    continuous: list[Request] = []
    categorical: list[Request] = []
    hints = typing.get_type_hints(TrainSettings)
    problems: list[str] = []
    values_by_name: dict[str, Sequence[Any]] = {}
    for name, values in varied.items():
        # read the values as training does
        decoded, wrong = _decode_values(name, values)
        problems += wrong
        if wrong:
            continue
        values_by_name[name] = decoded
        # two numbers are a range, anything else a list of values
        hint = hints[name]
        if hint not in (int, float, float | None) or len(decoded) != 2:
            categorical.append({"Name": name, "Values": [to_text(value) for value in decoded]})
            continue
        low, high = decoded
        if low >= high:
            problems.append(f"ranges: {name}: {low} must be less than {high}")
            continue
        scaling = "Logarithmic" if name in LOGARITHMIC and low > 0 else "Auto"
        entry = {"Name": name, "MinValue": to_text(low), "MaxValue": to_text(high), "ScalingType": scaling}
        (integer if hint is int else continuous).append(entry)
    if not varied:
        problems.append(
            "ranges: missing; name the settings to vary, as in --ranges '{lr: [0.0001, 0.01], loss: [focal, "
            "cross_entropy]}'"
        )
    if not problems:
        ranges = [entry["Name"] for entry in (*integer, *continuous)]
        problems = refused_combinations(values_by_name, ranges, base or TrainSettings(), isolated)
    if problems:
        raise InputError("tuning:\n" + "\n".join(f"  {problem}" for problem in problems))
    return without_empty(
        IntegerParameterRanges=integer, ContinuousParameterRanges=continuous, CategoricalParameterRanges=categorical
    )


def _decode_values(name: str, values: Any) -> tuple[Sequence[Any], list[str]]:
    """Returns the values of a setting as training reads them, and their errors."""
    names = [field.name for field in dataclasses.fields(TrainSettings)]
    if name not in names:
        return [], [f"ranges: {name}: no such setting{did_you_mean(name, names)}"]
    if not isinstance(values, (list, tuple)) or len(values) < 2:
        return [], [f"ranges: {name}: expected [low, high] or a list of values, not {values!r}"]
    if name in (*TRAIN.folders, *TRAIN.files, *TRAIN.local):
        return [], [f"ranges: {name}: local paths cannot be varied"]
    decoded: list[Any] = []
    problems: list[str] = []
    for value in values:
        read, wrong = decode_layer(TrainSettings, Layer(f"ranges: {name}", {name: value}))
        decoded += read.values()
        problems += wrong
    return decoded, problems
