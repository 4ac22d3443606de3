"""Jobs followed to their end, against answers of SageMaker that botocore's Stubber checks."""

import datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from container.job_types import TRAIN
from jobs.aws import clients as aws
from jobs.aws.clients import Clients, call, explained
from jobs.aws.follow import Follower, LogTail, ending, is_capacity
from jobs.aws.job_kinds import ENDPOINT, TRAINING
from jobs.backends.sagemaker import run, send, wait_for
from jobs.spec.job import Account, Input, Job
from jobs.spec.metrics import MetricTable
from jobs.spec.record import find_record, records
from model.errors import Failure, InputError

START = datetime.datetime(2026, 11, 21, 9, tzinfo=datetime.UTC)
NAME = "exp-1"
LEAST = {
    "TrainingJobName": NAME,
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "OutputDataConfig": {"S3OutputPath": "s3://b"},
}


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Clients whose answers the test queues: (clients, stubs of sagemaker and of logs)."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-west-1"}
    clients = Clients()
    clients.__dict__["sagemaker"] = boto3.client("sagemaker", **keys)
    clients.__dict__["logs"] = boto3.client("logs", **keys)
    stubs = Stubber(clients.sagemaker), Stubber(clients.logs)
    for stub in stubs:
        stub.activate()
    return clients, *stubs


def described(status: str, secondary: str, *transitions: str, **more: Any) -> dict[str, Any]:
    changes = [
        {"Status": name, "StartTime": START + datetime.timedelta(seconds=at), "StatusMessage": f"message {name}"}
        for at, name in enumerate(transitions)
    ]
    return {
        "TrainingJobName": NAME,
        "TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{NAME}",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary,
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1},
        "CreationTime": START,
        "SecondaryStatusTransitions": changes,
        **more,
    }


def describe(stub: Stubber, *arguments: Any, **more: Any) -> None:
    stub.add_response("describe_training_job", described(*arguments, **more), {"TrainingJobName": NAME})


def no_log(stub: Stubber, times: int) -> None:
    for _ in range(times):
        stub.add_client_error("describe_log_streams", "ResourceNotFoundException")


def follower(clients: Clients, **more: Any) -> tuple[Follower, list[str]]:
    told: list[str] = []
    return Follower(clients, TRAINING, NAME, told.append, sleep=lambda _: None, **more), told


def test_a_spot_job_that_is_interrupted_and_restarted(stubbed):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "InProgress", "Starting", "Starting")
    describe(sagemaker, "InProgress", "Interrupted", "Starting", "Training", "Interrupted")
    describe(sagemaker, "InProgress", "Restarting", "Starting", "Training", "Interrupted", "Restarting", "Training")
    end = described(
        "Completed",
        "Completed",
        *("Starting", "Training", "Interrupted", "Restarting", "Training", "Uploading", "Completed"),
        TrainingStartTime=START,
        TrainingEndTime=START + datetime.timedelta(seconds=1000),
        TrainingTimeInSeconds=1000,
        BillableTimeInSeconds=300,
    )
    sagemaker.add_response("describe_training_job", end, {"TrainingJobName": NAME})
    no_log(logs, 7)
    watched, told = follower(clients)
    description = watched.to_the_end()
    assert [line.split("] ")[1].split(":")[0] for line in told] == [
        *("Starting", "Training", "Interrupted", "Restarting", "Training", "Uploading", "Completed")
    ]
    assert any("taken away" in line for line in told)
    code, lines = ending(TRAINING, NAME, description, [])
    assert code == 0
    assert "duration: 1,000 s" in lines and "billable: 300 s, spot saved 70%" in lines
    sagemaker.assert_no_pending_responses()


def test_a_failed_job_tells_its_reason_and_last_lines_and_is_no_success(stubbed, tmp_path):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "Failed", "Failed", "Training", "Failed", FailureReason="AlgorithmError: no class b, exit 2")
    logs.add_response("describe_log_streams", {"logStreams": [{"logStreamName": f"{NAME}/algo-1-17"}]}, ANY_REQUEST)
    events = {"events": [{"message": "line 1"}, {"message": "error: no class b"}], "nextForwardToken": "f/1"}
    logs.add_response("get_log_events", events, ANY_EVENTS)
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/1"}, {**ANY_EVENTS, "nextToken": "f/1"})
    no_log(logs, 3)
    watched, told = follower(clients)
    watched.clients.logs.get_log_events = vanishing(watched.clients.logs.get_log_events, 2)
    code, _ = wait_for(watched, tmp_path)
    text = "\n".join(told)
    assert code == 1
    assert "FailureReason: AlgorithmError: no class b, exit 2" in text
    assert text.rindex("error: no class b") > text.index("the last lines of its log:")


ANY_REQUEST = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": f"{NAME}/"}
ANY_EVENTS = {"logGroupName": ANY, "logStreamName": ANY, "startFromHead": True, "limit": ANY}


def vanishing(method: Any, after: int) -> Any:
    """The method; after so many calls its log stream is gone."""
    from botocore.exceptions import ClientError

    calls = []

    def called(**request: Any) -> Any:
        calls.append(request)
        if len(calls) > after:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "GetLogEvents")
        return method(**request)

    return called


@pytest.mark.parametrize(
    ("secondary", "told_word"),
    [("Stopped", "Stopped"), ("MaxWaitTimeExceeded", "--max_wait"), ("MaxRuntimeExceeded", "--max_run")],
)
def test_a_stopped_job_is_no_success(secondary, told_word, stubbed, tmp_path, monkeypatch):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "Stopping", "Stopping", "Stopping")
    describe(sagemaker, "Stopped", secondary, "Stopping", secondary)
    no_log(logs, 5)
    fetched = []
    monkeypatch.setattr("jobs.backends.sagemaker.fetch", lambda *arguments: fetched.append(arguments))
    watched, told = follower(clients)
    code, _ = wait_for(watched, tmp_path)
    assert code == 1 and told_word in "\n".join(told)
    assert len(fetched) == 1  # SageMaker keeps the model of a stopped job


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(stubbed, tmp_path):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "InProgress", "Training", "Training")
    no_log(logs, 1)
    watched, told = follower(clients)

    def pressed(_: float) -> None:
        raise KeyboardInterrupt

    watched.sleep = pressed
    assert wait_for(watched, tmp_path)[0] == 130
    assert f"python -m jobs logs {NAME}" in told[-1]


def test_a_throttling_storm_is_waited_out(stubbed):
    clients, sagemaker, logs = stubbed
    for _ in range(aws.TRIES - 1):
        sagemaker.add_client_error("describe_training_job", "ThrottlingException", "Rate exceeded")
    describe(sagemaker, "Completed", "Completed")
    no_log(logs, 4)
    pauses: list[float] = []
    watched, told = follower(clients)
    watched.sleep = pauses.append
    watched.to_the_end()
    assert len(pauses) >= aws.TRIES - 1 and max(pauses) <= aws.LONGEST_PAUSE
    assert sum("tried again" in line for line in told) == aws.TRIES - 1
    for first, later in zip(range(3), range(3, 6)):
        assert pauses[later] > pauses[first]


def test_throttling_without_end_is_a_failure(stubbed):
    clients, sagemaker, _ = stubbed
    for _ in range(aws.TRIES):
        sagemaker.add_client_error("describe_training_job", "ThrottlingException", "Rate exceeded")
    with pytest.raises(Failure, match="still throttles"):
        follower(clients)[0].describe()


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredTokenException", "The security token is expired", "have expired"),
        ("UnrecognizedClientException", "bad", "does not know these credentials"),
        ("AccessDeniedException", "not authorized to perform: sagemaker:CreateTrainingJob", "not allowed"),
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.g5.xlarge for training job usage' is 0 Instances, with current "
            "utilization of 0 Instances and a request delta of 1 Instances.",
            "the quota 'ml.g5.xlarge for training job usage' is 0; ask for more in Service Quotas",
        ),
        ("ResourceInUse", "Training job names must be unique", "the name is taken"),
        ("ValidationException", "RoleArn: no such role", "RoleArn: no such role"),
    ],
)
def test_errors_of_a_start_are_told_in_words_and_not_tried_again(code, message, told, stubbed):
    clients, sagemaker, _ = stubbed
    sagemaker.add_client_error("create_training_job", code, message)
    with pytest.raises(InputError, match=told):
        send(clients, "create_training_job", LEAST, print)
    sagemaker.assert_no_pending_responses()


def test_a_start_that_was_heard_though_its_answer_was_lost_is_no_fault(stubbed, monkeypatch):
    clients, sagemaker, _ = stubbed
    monkeypatch.setattr("jobs.aws.clients.FIRST_PAUSE", 0.0)
    sagemaker.add_client_error("create_training_job", "InternalFailure", "try later", 500)
    sagemaker.add_client_error("create_training_job", "ResourceInUse", "exists")
    request = {"TrainingJobName": NAME, "RoleArn": "arn:aws:iam::123456789012:role/x"}
    told: list[str] = []
    assert (
        send(clients, "create_training_job", {**request, "OutputDataConfig": {"S3OutputPath": "s3://b"}}, told.append)
        == {}
    )
    assert len(told) == 1


def test_a_broken_connection_is_tried_again():
    from botocore.exceptions import EndpointConnectionError

    calls = []

    def method() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise EndpointConnectionError(endpoint_url="https://x")
        return "answer"

    assert call(method, sleep=lambda _: None) == "answer"
    assert isinstance(explained(EndpointConnectionError(endpoint_url="https://x"), "x"), Failure)


def test_streams_of_several_machines_are_told_apart_and_may_vanish(stubbed):
    clients, _, logs = stubbed
    streams = [{"logStreamName": f"{NAME}/algo-{host}-1"} for host in (1, 2)]
    logs.add_response("describe_log_streams", {"logStreams": streams[:1], "nextToken": "n"}, ANY_REQUEST)
    logs.add_response("describe_log_streams", {"logStreams": streams[1:]}, {**ANY_REQUEST, "nextToken": "n"})
    logs.add_response("get_log_events", {"events": [{"message": "a\nb"}], "nextForwardToken": "f/1"}, ANY_EVENTS)
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/1"}, {**ANY_EVENTS, "nextToken": "f/1"})
    logs.add_client_error("get_log_events", "ResourceNotFoundException")
    tail = LogTail(clients.logs, "/aws/sagemaker/TrainingJobs", f"{NAME}/")
    assert list(tail.lines()) == ["algo-1: a", "algo-1: b"]
    no_log(logs, 1)  # the group is gone; the streams are asked for all the same
    logs.add_response("get_log_events", {"events": [{"message": "c"}], "nextForwardToken": "f/2"},
                      {**ANY_EVENTS, "nextToken": "f/1"})  # fmt: skip
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/2"}, {**ANY_EVENTS, "nextToken": "f/2"})
    logs.add_client_error("get_log_events", "ResourceNotFoundException")
    assert list(tail.lines()) == ["algo-1: c"]


def test_an_endpoint_is_waited_for(stubbed):
    clients, sagemaker, logs = stubbed
    stream, group = "all/i-0123abc", {"logGroupName": f"/aws/sagemaker/Endpoints/{NAME}"}
    asked = {**group, "logStreamName": stream, "startFromHead": True, "limit": ANY}
    least = {
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{NAME}",
        "CreationTime": START,
        "LastModifiedTime": START,
    }
    for status in ("Creating", "InService"):
        sagemaker.add_response("describe_endpoint", {**least, "EndpointStatus": status}, {"EndpointName": NAME})
    logs.add_client_error("describe_log_streams", "ResourceNotFoundException", expected_params=group)
    logs.add_response("describe_log_streams", {"logStreams": [{"logStreamName": stream}]}, group)
    logs.add_response("get_log_events", {"events": [{"message": "up"}], "nextForwardToken": "f/1"}, asked)
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/1"}, {**asked, "nextToken": "f/1"})
    no_log(logs, 3)
    told: list[str] = []
    watched = Follower(clients, ENDPOINT, NAME, told.append, sleep=lambda _: None)
    watched.clients.logs.get_log_events = vanishing(watched.clients.logs.get_log_events, 2)
    assert ending(ENDPOINT, NAME, watched.to_the_end(), [])[0] == 0
    assert told == [f"[{NAME}] Creating", f"[{NAME}] InService", "up"]


def test_lines_that_come_after_an_empty_page_are_told(stubbed):
    clients, _, logs = stubbed
    logs.add_response("describe_log_streams", {"logStreams": [{"logStreamName": f"{NAME}/algo-1-1"}]}, ANY_REQUEST)
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/1"}, ANY_EVENTS)
    page = {"events": [{"message": "a"}], "nextForwardToken": "f/2"}
    logs.add_response("get_log_events", page, {**ANY_EVENTS, "nextToken": "f/1"})
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/2"}, {**ANY_EVENTS, "nextToken": "f/2"})
    assert list(LogTail(clients.logs, "/aws/sagemaker/TrainingJobs", f"{NAME}/").lines()) == ["a"]


def test_a_log_that_may_not_be_read_is_told_once(stubbed):
    clients, sagemaker, logs = stubbed
    for _ in range(3):
        describe(sagemaker, "InProgress", "Training", "Training")
    describe(sagemaker, "Completed", "Completed", "Training", "Completed")
    for _ in range(8):
        logs.add_client_error("describe_log_streams", "AccessDeniedException", "no")
    watched, told = follower(clients)
    watched.to_the_end()
    assert sum("the log cannot be read" in line for line in told) == 1


@pytest.mark.parametrize("refused", ["describe_training_job", "describe_log_streams"])
def test_credentials_that_expire_while_following_leave_the_job_and_say_how_to_come_back(refused, stubbed):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "InProgress", "Training", "Training")
    if refused == "describe_training_job":
        no_log(logs, 1)
    (sagemaker if refused == "describe_training_job" else logs).add_client_error(refused, "ExpiredTokenException")
    with pytest.raises(InputError) as told:
        follower(clients)[0].to_the_end()
    assert "have expired" in str(told.value) and "same command" not in str(told.value)
    assert f"{NAME} is not stopped by this; python -m jobs logs {NAME}" in str(told.value)


@pytest.mark.parametrize(
    ("name", "stem"), [("faces", "faces"), ("my-exp-a-b", "my-exp-a-b"), ("exp-20261121-093000-1a2b", "exp")]
)
def test_a_restart_for_want_of_machines_is_found_by_the_first_name(name, stem, tmp_path, monkeypatch):
    ends = [{"FailureReason": "CapacityError: none free"}, {}]
    monkeypatch.setattr("jobs.backends.sagemaker.send", lambda *_: {})
    monkeypatch.setattr("jobs.backends.sagemaker.checked", lambda _: None)
    monkeypatch.setattr("jobs.backends.sagemaker.wait_for", lambda *_: (1 if len(ends) == 2 else 0, ends.pop(0)))
    monkeypatch.setattr("jobs.backends.sagemaker.CAPACITY_PAUSE", 0.0)
    (tmp_path / "elsewhere").mkdir()
    account = Account(bucket="b", role=LEAST["RoleArn"])
    job = Job(TRAIN, name, {}, (Input("train", "s3://b/x"),), account=account)
    clients = Clients("eu-west-1")
    assert run(job, tmp_path, clients, True, False, lambda _: None) == 0
    second = next(record for record in records(tmp_path) if record.name != name)
    assert second.name.startswith(f"{stem}-2") and not second.restarted_as
    for word in (name, name[:3], "latest"):
        found = find_record(tmp_path, word)
        assert found is not None and found.name == second.name


def test_lines_of_metrics_become_a_table():
    table = MetricTable()
    rows = table.row(
        "algo-1: epoch=1 val_f1=0.5000; val_acc=0.6000; train_loss=1.2; lr=1e-05; pictures_per_second=3.0;"
    )
    assert rows is not None and len(rows) == 2
    assert rows[0].split()[:3] == ["epoch", "val_f1", "val_acc"]
    assert rows[1].split() == ["1", "0.5000", "0.6000", "1.2", "1e-05", "3.0"]
    assert len(table.row("epoch=2 val_f1=0.6;") or []) == 1
    assert table.row("epoch=2 step=5 train_loss=1.0; lr=0.1;") is None
    assert table.row("best epoch=1 val_f1=0.5000; val_acc=0.6000;") is None


def test_want_of_capacity_is_known():
    assert is_capacity({"FailureReason": "CapacityError: Unable to provision requested ML compute capacity."})
    assert not is_capacity({"FailureReason": "AlgorithmError"}) and not is_capacity({})
