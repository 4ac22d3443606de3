"""Starting, following and fetching jobs, with answers of SageMaker from botocore's Stubber."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from container.job_types import TRAIN
from jobs.aws.clients import Clients
from jobs.aws.job_kinds import ENDPOINT, PIPELINE, TRAINING
from jobs.backends.sagemaker import create, follow_and_fetch, require_free_name, run, save_record
from jobs.spec.inputs import Input
from jobs.spec.job import Account, Job
from jobs.spec.record import JobRecord, find_record, read_records
from jobs.spec.results_folder import ResultsFolder
from model.errors import Failure, InputError
from tests.jobs.stubs import (
    FIRST_READ,
    LEAST,
    NAME,
    describe,
    event,
    follower,
    no_log,
)


def test_a_failed_job_prints_its_reason_and_last_lines(stubbed, tmp_path):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "Failed", "Failed", "Training", "Failed", FailureReason="AlgorithmError: no class b, exit 2")
    events = [event(1, "line 1"), event(2, "error: no class b")]
    logs.add_response("filter_log_events", {"events": events}, FIRST_READ)
    no_log(logs, 3)
    watched, lines = follower(clients)
    code, _ = follow_and_fetch(watched, ResultsFolder(tmp_path))
    text = "\n".join(lines)
    assert code == 1
    assert "FailureReason: AlgorithmError: no class b, exit 2" in text
    assert text.rindex("error: no class b") > text.index("last lines of its log:")


@pytest.mark.parametrize(
    ("secondary", "word"),
    [("Stopped", "Stopped"), ("MaxWaitTimeExceeded", "--max_wait"), ("MaxRuntimeExceeded", "--max_run")],
)
def test_a_stopped_job_has_exit_code_1(secondary, word, stubbed, tmp_path, monkeypatch):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "Stopping", "Stopping", "Stopping")
    describe(sagemaker, "Stopped", secondary, "Stopping", secondary)
    no_log(logs, 5)
    fetched = []
    monkeypatch.setattr("jobs.backends.sagemaker.fetch", lambda *arguments: fetched.append(arguments))
    watched, lines = follower(clients)
    code, _ = follow_and_fetch(watched, ResultsFolder(tmp_path))
    assert code == 1 and word in "\n".join(lines)
    assert len(fetched) == 1  # SageMaker stores the model of a stopped job


def test_ctrl_c_leaves_the_job_running_and_prints_how_to_follow_it(stubbed, tmp_path):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "InProgress", "Training", "Training")
    no_log(logs, 1)
    watched, lines = follower(clients)

    def pressed(_: float) -> None:
        raise KeyboardInterrupt

    watched.sleep = pressed
    assert follow_and_fetch(watched, ResultsFolder(tmp_path))[0] == 130
    assert f"python -m jobs logs {NAME}" in lines[-1]


def test_a_start_whose_answer_was_lost_is_not_an_error(stubbed, monkeypatch):
    clients, sagemaker, _ = stubbed
    monkeypatch.setattr("jobs.aws.calls.FIRST_PAUSE", 0.0)
    sagemaker.add_client_error("create_training_job", "InternalFailure", "try later", 500)
    sagemaker.add_client_error("create_training_job", "ResourceInUse", "exists")
    lines: list[str] = []
    assert create(clients, "create_training_job", LEAST, lines.append) == {}
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("kind", "stopped", "replaces", "is_free"),
    [
        (TRAINING, False, None, False),
        (TRAINING, False, TRAINING, False),
        (TRAINING, False, PIPELINE, False),
        (PIPELINE, False, ENDPOINT, False),
        (PIPELINE, False, PIPELINE, True),
        (ENDPOINT, False, None, False),
        (ENDPOINT, False, ENDPOINT, True),
        (ENDPOINT, True, None, True),  # a deleted endpoint
        (TRAINING, True, None, False),  # a stopped training has a model
    ],
)
def test_a_record_is_replaced_only_by_an_update_of_the_same_kind(kind, stopped, replaces, is_free, tmp_path):
    JobRecord("exp", "train", kind.name, "sagemaker", "2026", tmp_path / "exp", stopped=stopped).save()
    require_free_name(tmp_path, "exp-2", replaces)
    with (
        nullcontext()
        if is_free
        else pytest.raises(InputError, match=r"exp already exists \(it belongs to train exp\); use another --job_name")
    ):
        require_free_name(tmp_path, "exp", replaces)


def test_the_record_of_another_job_is_never_overwritten(tmp_path):
    request: dict[str, str] = {}
    save_record(Clients("eu-west-1"), TRAINING, "train", tmp_path / "exp", request, {})
    before = (tmp_path / "exp" / "job.json").read_bytes()
    with pytest.raises(
        Failure, match=r"endpoint exp was started, but its record could not be written: .*exp already exists"
    ):
        save_record(Clients("eu-west-1"), ENDPOINT, "deploy", tmp_path / "exp", request, {})
    assert (tmp_path / "exp" / "job.json").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "stem"), [("faces", "faces"), ("my-exp-a-b", "my-exp-a-b"), ("exp-20261121-093000-1a2b", "exp")]
)
def test_a_restarted_job_is_found_by_its_first_name(name, stem, tmp_path, monkeypatch):
    ends = [{"FailureReason": "CapacityError: none free"}, {}]
    monkeypatch.setattr("jobs.backends.sagemaker.create", lambda *_: {})
    monkeypatch.setattr("jobs.backends.sagemaker.check_requests", lambda _: None)
    monkeypatch.setattr(
        "jobs.backends.sagemaker.follow_and_fetch", lambda *_: (1 if len(ends) == 2 else 0, ends.pop(0))
    )
    monkeypatch.setattr("jobs.backends.sagemaker.CAPACITY_PAUSE", 0.0)
    account = Account(bucket="b", role=LEAST["RoleArn"])
    job = Job(TRAIN, name, {}, (Input("train", "s3://b/x"),), account=account)
    clients = Clients("eu-west-1")
    assert run(job, tmp_path, clients, True, False, lambda _: None) == 0
    second = next(record for record in read_records(tmp_path) if record.name != name)
    assert second.name.startswith(f"{stem}-2") and not second.restarted_as
    for query in (name, name[:3], "latest"):
        record = find_record(tmp_path, query)
        assert record is not None and record.name == second.name


@pytest.mark.parametrize(
    ("first", "method", "code", "message", "is_done"),
    [
        (
            "InternalFailure",
            "create_endpoint",
            "ValidationException",
            'Cannot create already existing endpoint "x"',
            True,
        ),
        ("InternalFailure", "update_endpoint", "ValidationException", 'Cannot update in-progress endpoint "x"', True),
        ("InternalFailure", "create_endpoint", "ValidationException", "Could not find configuration", False),
        ("ThrottlingException", "create_endpoint", "ValidationException", "Cannot create already existing", False),
        ("ThrottlingException", "create_endpoint", "ResourceInUse", "exists", False),
    ],
)
def test_an_existing_name_is_accepted_only_if_an_earlier_attempt_may_have_succeeded(
    first, method, code, message, is_done, stubbed, monkeypatch
):
    """Otherwise a running endpoint would lose its model, or another user's endpoint would be taken for this one."""
    clients, sagemaker, _ = stubbed
    monkeypatch.setattr("jobs.aws.calls.FIRST_PAUSE", 0.0)
    sagemaker.add_client_error(method, first, "try later", 500)
    sagemaker.add_client_error(method, code, message)
    request = {"EndpointName": "prod", "EndpointConfigName": "prod"}
    with nullcontext() if is_done else pytest.raises(InputError):
        assert create(clients, method, request, lambda _: None) == {}
