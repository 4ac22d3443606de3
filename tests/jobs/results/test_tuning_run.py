"""Following tuning jobs to their end, with answers of SageMaker from botocore's Stubber."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from jobs.aws.job_kinds import TUNING
from jobs.backends.sagemaker import follow_and_fetch
from jobs.results.tuning_run import TuningFollower, failed_trainings, progress_line, summary_lines
from jobs.spec.results_folder import ResultsFolder
from tests.jobs.stubs import START

SEARCH = {"HyperParameterTuningJobName": "search"}
PAGE = {**SEARCH, "MaxResults": 100}
ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
MAXIMIZE = {"Type": "Maximize", "MetricName": "val_f1"}


def training(number: int, value: float | None, status: str = "Completed", **more: Any) -> dict[str, Any]:
    """Returns the summary of a training."""
    metric = {"FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "val_f1", "Value": value}}
    return {
        "TrainingJobName": f"t{number}",
        "TrainingJobArn": f"{ARN}:training-job/t{number}",
        "CreationTime": START,
        "TrainingJobStatus": status,
        "TunedHyperParameters": {"lr": f"0.{number}", "loss": '"focal"'},
        **({} if value is None else metric),
        **more,
    }


def described(status: str, best: float | None, seconds: int = 0, budget: int = 0, **counters: int) -> dict[str, Any]:
    """Returns the description of a tuning job. counters: number of its trainings by status."""
    limits = {"MaxParallelTrainingJobs": 2, "MaxNumberOfTrainingJobs": 20}
    return {
        **SEARCH,
        "HyperParameterTuningJobArn": f"{ARN}:hyper-parameter-tuning-job/search",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": MAXIMIZE,
            "ResourceLimits": {**limits, **({"MaxRuntimeInSeconds": budget} if budget else {})},
        },
        "HyperParameterTuningJobStatus": status,
        "CreationTime": START,
        "TrainingJobStatusCounters": counters,
        "ObjectiveStatusCounters": {},
        **({} if best is None else {"BestTrainingJob": training(1, best)}),
        **({"ConsumedResources": {"RuntimeInSeconds": seconds}} if seconds else {}),
    }


def followed(clients: Any, sagemaker: Stubber, looks: list[Any], trainings: list[Any]) -> tuple[Any, list[str]]:
    """Returns a follower that gets these descriptions, then these trainings in two pages, and the lines it prints."""
    for look in looks:
        sagemaker.add_response("describe_hyper_parameter_tuning_job", look, SEARCH)
    method = "list_training_jobs_for_hyper_parameter_tuning_job"
    sagemaker.add_response(method, {"TrainingJobSummaries": trainings[:1], "NextToken": "t"}, PAGE)
    sagemaker.add_response(method, {"TrainingJobSummaries": trainings[1:]}, {**PAGE, "NextToken": "t"})
    lines: list[str] = []
    return TuningFollower(clients, TUNING, "search", lines.append, sleep=lambda _: None), lines


def test_progress_is_printed_when_it_changes_and_the_best_trainings_at_the_end(stubbed, tmp_path, monkeypatch):
    clients, sagemaker, _ = stubbed
    fetched: list[Any] = []
    monkeypatch.setattr("jobs.backends.sagemaker.fetch", lambda *arguments: fetched.append(arguments))
    running = described("InProgress", 0.7, Completed=1, InProgress=2)
    looks = [described("InProgress", None), running, running, described("Completed", 0.8125, Completed=3, Stopped=1)]
    trainings = [training(1, 0.7), training(2, 0.8125), training(3, 0.75, "Stopped"), training(4, None, "Stopped")]
    watched, lines = followed(clients, sagemaker, looks, trainings)
    assert follow_and_fetch(watched, ResultsFolder(tmp_path))[0] == 0
    assert lines[:4] == [
        "[search] InProgress",
        "[search] 2 running, 1 done, 0 failed of 20; best val_f1=0.7000 (t1)",
        "[search] Completed",
        "[search] 0 running, 3 done, 0 failed, 1 stopped of 20; best val_f1=0.8125 (t1)",
    ]
    table = [line.split() for line in lines[5:]]
    assert table[0] == ["training", "val_f1", "loss", "lr", "status"]
    assert table[2:] == [
        ["t2", "0.8125", "focal", "0.2", "Completed"],
        ["t3", "0.7500", "focal", "0.3", "Stopped"],
        ["t1", "0.7000", "focal", "0.1", "Completed"],
    ]
    assert len(fetched) == 1
    sagemaker.assert_no_pending_responses()


def test_a_search_with_mostly_failed_trainings_has_exit_code_1_and_a_model(stubbed, tmp_path, monkeypatch):
    clients, sagemaker, _ = stubbed
    fetched: list[Any] = []
    monkeypatch.setattr("jobs.backends.sagemaker.fetch", lambda *arguments: fetched.append(arguments))
    reason = "AlgorithmError: sampler none has strength 0,\nexit code: 2"
    trainings = [training(1, 0.5), *(training(number, None, "Failed", FailureReason=reason) for number in range(2, 8))]
    looks = [described("Completed", 0.5, Completed=2, NonRetryableError=17, RetryableError=1)]
    watched, lines = followed(clients, sagemaker, looks, trainings)
    assert follow_and_fetch(watched, ResultsFolder(tmp_path))[0] == 1
    assert lines[-1] == "18 of 20 trainings failed"
    failures = "6 failed: AlgorithmError: sampler none has strength 0, exit code: 2 (t2, t3, t4, t5, t6 and 1 more)"
    assert lines[-2] == failures
    assert len(fetched) == 1


@pytest.mark.parametrize(("failed", "code"), [(2, 0), (3, 1)])
def test_at_most_half_of_the_trainings_may_fail(failed, code, stubbed):
    clients, sagemaker, _ = stubbed
    watched, _ = followed(clients, sagemaker, [], [training(1, 0.5)])
    search = described("Completed", 0.5, Completed=2, NonRetryableError=failed)
    assert watched.outcome(search)[0] == code


@pytest.mark.parametrize(("seconds", "code"), [(7200, 0), (7199, 1)])
def test_a_search_that_reached_its_time_limit_is_done(seconds, code, stubbed):
    clients, sagemaker, _ = stubbed
    watched, _ = followed(clients, sagemaker, [], [training(1, 0.5)])
    search = described("Stopped", 0.5, seconds, 7200, Completed=2, Stopped=1)
    ended, lines = watched.outcome(search)
    assert ended == code
    assert any("--max_hours" in line for line in lines) is (code == 0)


def test_trainings_that_end_without_the_objective_count_as_failed():
    search = described("Completed", None, Completed=3, NonRetryableError=1)
    search["ObjectiveStatusCounters"] = {"Succeeded": 1, "Failed": 3}
    assert failed_trainings(search) == 3
    lines = summary_lines(search, [training(1, None, ObjectiveStatus="Failed")])
    assert lines == ["1 ended without val_f1 (t1)"]


def test_the_table_of_a_minimised_objective_is_ascending_and_limited():
    search = described("Completed", None, Completed=12)
    search["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"] = {**MAXIMIZE, "Type": "Minimize"}
    lines = summary_lines(search, [training(number, number / 20) for number in range(12, 0, -1)])
    assert [line.split()[0] for line in lines[2:12]] == [f"t{number}" for number in range(1, 11)]
    assert lines[12:] == ["and 2 more"]


def test_missing_permission_to_list_trainings_is_a_warning(stubbed):
    clients, sagemaker, _ = stubbed
    sagemaker.add_client_error("list_training_jobs_for_hyper_parameter_tuning_job", "AccessDeniedException", "no")
    lines: list[str] = []
    watched = TuningFollower(clients, TUNING, "search", lines.append, sleep=lambda _: None)
    code, ending = watched.outcome(described("Completed", 0.5, Completed=2))
    assert code == 0 and any(
        "the trainings cannot be listed: trainings of search: access denied" in each for each in ending
    )


def test_a_search_without_counters_has_no_progress():
    assert progress_line({"HyperParameterTuningJobStatus": "InProgress"}) == ""
