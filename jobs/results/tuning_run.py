"""Follows a tuning job: prints the progress of its trainings, and at the end the best ones and why others failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.aws.calls import call, user_error
from jobs.aws.follower import Follower
from model.errors import ExitCode, Failure, InputError, listing
from model.runtime.terminal import shortened, text_table

BEST_ROWS = 10  # trainings in the table
REASON_WIDTH = 200  # longest reason of a failure, characters
PAGE = 100  # trainings per answer, SageMaker's limit
FAILED, COMPLETED = "Failed", "Completed"  # TrainingJobStatus, ObjectiveStatus


@dataclass
class TuningFollower(Follower):
    """Follows a tuning job. Only its trainings have logs, not the tuning job itself.

    Attributes:
        logs: Whether to read a log: never.
        progress: The last printed line of progress.
    """

    logs: bool = False
    progress: str = ""

    def print_changes(self, description: Mapping[str, Any]) -> None:
        """Prints a changed status and a changed line of progress."""
        super().print_changes(description)
        progress = progress_line(description)
        if progress and progress != self.progress:
            self.progress = progress
            self.print_line(f"[{self.name}] {progress}")

    def outcome(self, description: Mapping[str, Any]) -> tuple[int, list[str]]:
        """Returns exit code and lines of Follower.outcome, with the best trainings and the reasons of failures.

        The code is DONE if the search was stopped because its time limit was reached. It is FAULT if most trainings
        failed, even if SageMaker reports success.
        """
        code, lines = super().outcome(description)
        if is_out_of_time(description):
            code = ExitCode.DONE
            lines.append("stopped after --max_hours")
        try:
            lines += summary_lines(description, list(self.trainings()))
        except (InputError, Failure) as error:
            lines.append(f"warning: the trainings cannot be listed: {error}")
        failed, ended = failed_trainings(description), _ended(_counters(description))
        if 2 * failed > ended:
            code = ExitCode.FAULT
            lines.append(f"{failed:,} of {ended:,} trainings failed")
        return code, lines

    def trainings(self) -> Iterator[dict[str, Any]]:
        """Yields the summaries of all trainings. Raises InputError or Failure for errors of AWS."""
        from botocore.exceptions import BotoCoreError, ClientError

        request: dict[str, Any] = {"HyperParameterTuningJobName": self.name, "MaxResults": PAGE}
        method = self.clients.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job
        while True:
            try:
                answer = call(method, sleep=self.sleep, print_line=self.print_line, **request)
            except (ClientError, BotoCoreError) as error:
                raise user_error(error, f"trainings of {self.name}") from error
            yield from answer["TrainingJobSummaries"]
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]


def progress_line(description: Mapping[str, Any]) -> str:
    """Returns `2 running, 5 done, 1 failed of 20; best val_f1=0.8123 (NAME)`; "" before the first training."""
    counters = _counters(description)
    if not any(counters.values()):
        return ""
    counts = [
        f"{counters['InProgress']:,} running",
        f"{counters['Completed']:,} done",
        f"{failed_trainings(description):,} failed",
    ]
    if counters["Stopped"]:
        counts.append(f"{counters['Stopped']:,} stopped")
    limits = description.get("HyperParameterTuningJobConfig", {}).get("ResourceLimits", {})
    most = limits.get("MaxNumberOfTrainingJobs")
    line = ", ".join(counts) + (f" of {most:,}" if most else "")
    best = description.get("BestTrainingJob") or {}
    metric = best.get("FinalHyperParameterTuningJobObjectiveMetric")
    return f"{line}; best {metric['MetricName']}={metric['Value']:.4f} ({best['TrainingJobName']})" if metric else line


def failed_trainings(description: Mapping[str, Any]) -> int:
    """Returns the number of trainings that failed, or ended without reporting the objective."""
    counters = _counters(description)
    without_objective = (description.get("ObjectiveStatusCounters") or {}).get("Failed", 0)  # includes failed trainings
    # stopped trainings may have no objective either, but have not failed
    without_objective = min(without_objective, counters["Completed"] + _errors(counters))
    return max(_errors(counters), without_objective)


def is_out_of_time(description: Mapping[str, Any]) -> bool:
    """Whether SageMaker stopped a tuning job because it reached its time limit."""
    limits = description.get("HyperParameterTuningJobConfig", {}).get("ResourceLimits", {})
    most, used = limits.get("MaxRuntimeInSeconds"), description.get("ConsumedResources", {}).get("RuntimeInSeconds")
    return description.get("HyperParameterTuningJobStatus") == "Stopped" and bool(most and used and used >= most)


def summary_lines(description: Mapping[str, Any], trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the lines of a table of the best trainings with the values that were varied, and the reasons of failures.

    Args:
        description: Description of the tuning job.
        trainings: Summaries of its trainings.
    """
    objective = description.get("HyperParameterTuningJobConfig", {}).get("HyperParameterTuningJobObjective", {})
    scored = [training for training in trainings if "FinalHyperParameterTuningJobObjectiveMetric" in training]
    scored.sort(key=_value, reverse=objective.get("Type") != "Minimize")
    lines = []
    # the best trainings, with the settings that were varied
    if scored:
        varied = sorted({name for training in scored for name in training.get("TunedHyperParameters", {})})
        rows = [
            [
                training["TrainingJobName"],
                f"{_value(training):.4f}",
                *(training.get("TunedHyperParameters", {}).get(name, "").strip('"') for name in varied),
                training["TrainingJobStatus"],
            ]
            for training in scored[:BEST_ROWS]
        ]
        table = text_table(["training", objective.get("MetricName", "objective"), *varied, "status"], rows, right={1})
        lines += table.splitlines()
        if len(scored) > BEST_ROWS:
            lines.append(f"and {len(scored) - BEST_ROWS:,} more")
    # failures, grouped by reason
    names_by_reason: dict[str, list[str]] = defaultdict(list)
    for training in trainings:
        if training["TrainingJobStatus"] == FAILED:
            reason = " ".join(str(training.get("FailureReason") or "no reason reported").split())
            names_by_reason[f"failed: {shortened(reason, REASON_WIDTH)}"].append(training["TrainingJobName"])
        elif training["TrainingJobStatus"] == COMPLETED and training.get("ObjectiveStatus") == FAILED:
            names_by_reason[f"ended without {objective.get('MetricName')}"].append(training["TrainingJobName"])
    for reason, names in sorted(names_by_reason.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(names):,} {reason} ({listing(names, 5)})")
    return lines


def _value(training: Mapping[str, Any]) -> float:
    return float(training["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def _counters(description: Mapping[str, Any]) -> dict[str, int]:
    """Returns the number of trainings by status, 0 if SageMaker reports none."""
    counters = description.get("TrainingJobStatusCounters") or {}
    names = ("InProgress", "Completed", "Stopped", "RetryableError", "NonRetryableError")
    return {name: counters.get(name, 0) for name in names}


def _errors(counters: Mapping[str, int]) -> int:
    return counters["RetryableError"] + counters["NonRetryableError"]


def _ended(counters: Mapping[str, int]) -> int:
    return counters["Completed"] + counters["Stopped"] + _errors(counters)
