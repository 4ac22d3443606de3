"""Creating all resources or none: they are deleted after an error or Ctrl-C."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobs.aws.clients import Clients
from jobs.commands.creation import DeferredInterrupt
from jobs.storage.upload import upload_folder
from tests.jobs.conftest import ACCOUNT, BUCKET, keys, run_jobs, saved_model

QUOTA = (
    "The account-level service limit 'ml.m5.xlarge for endpoint usage' is 0 Instances, with current utilization of 0 "
    "Instances and a request delta of 1 Instances."
)


def fail(monkeypatch: pytest.MonkeyPatch, operation: str, error: BaseException | None = None) -> list[str]:
    """Makes one operation of AWS fail; moto serves the others. Returns the list of called operations."""
    done: list[str] = []
    client = Clients("eu-west-1").sagemaker
    real = type(client)._make_api_call

    def call(self: Any, name: str, request: Any) -> Any:
        done.append(name)
        if name == operation:
            raise error or ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": QUOTA}}, operation)
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    return done


def resource_names(aws: Any) -> dict[str, list[str]]:
    """Returns the names of the resources on SageMaker."""
    sagemaker = aws("sagemaker")
    return {
        "models": [model["ModelName"] for model in sagemaker.list_models()["Models"]],
        "configurations": [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]],
        "endpoints": [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]],
    }


NOTHING: dict[str, list[str]] = {"models": [], "configurations": [], "endpoints": []}


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_a_refused_deploy_deletes_what_it_created_and_can_be_repeated(operation, aws, tmp_path, monkeypatch, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--job_name", "prod")
    with monkeypatch.context() as patch:
        fail(patch, operation)
        assert run_jobs("deploy", *flags) == 2
    out, err = capsys.readouterr()
    assert "the quota 'ml.m5.xlarge for endpoint usage' is 0" in err and not os.path.exists("results/prod")
    created = {"CreateModel": [], "CreateEndpointConfig": ["model prod"]}.get(
        operation, ["configuration prod", "model prod"]
    )
    uri = f"s3://{BUCKET}/rarebird/prod/model/model.tar.gz"
    assert f"undone, deleted: {', '.join([*created, uri])}" in out
    assert resource_names(aws) == NOTHING and keys("rarebird/prod/") == []
    assert run_jobs("deploy", *flags) == 0
    assert resource_names(aws) == {"models": ["prod"], "configurations": ["prod"], "endpoints": ["prod"]}


@pytest.mark.parametrize(("operation", "deleted"), [("CreateModel", ""), ("CreateEndpointConfig", "model prod")])
def test_resources_of_another_command_are_never_deleted(operation, deleted, aws, monkeypatch, capsys):
    """An existing name is an error; its resource is kept, and resources created before are deleted."""
    flags = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--job_name", "prod")
    assert run_jobs("deploy", *flags) == 0
    taken = ClientError({"Error": {"Code": "ValidationException", "Message": "Cannot create already existing"}}, "x")
    done = fail(monkeypatch, operation, taken)
    assert run_jobs("deploy", *flags, "--results", "elsewhere") == 2
    assert f"undone, deleted: {deleted}\n" in capsys.readouterr().out or not deleted
    assert [name for name in done if name.startswith("Delete")] == (["DeleteModel"] if deleted else [])


def test_a_refused_transform_deletes_its_model(aws, tmp_path, monkeypatch, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--data", f"s3://{BUCKET}/e")
    fail(monkeypatch, "CreateTransformJob")
    assert run_jobs("transform", *flags, "--job_name", "t-1") == 2
    assert "undone, deleted: model t-1, s3://" in capsys.readouterr().out
    assert resource_names(aws) == NOTHING and keys("rarebird/t-1/") == []


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_ctrl_c_waits_for_the_current_request(operation, aws, monkeypatch, capsys):
    """Otherwise its outcome would be unknown. Only after the last request are the resources kept and recorded."""
    real = Clients("eu-west-1").sagemaker._make_api_call.__func__

    def call(self: Any, name: str, request: Any) -> Any:
        if name == operation:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    flags = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--job_name", "prod")
    assert run_jobs("deploy", *flags) == 130
    out = capsys.readouterr().out
    if operation == "CreateEndpoint":
        assert "creating endpoint prod; delete it with: python -m jobs stop prod" in out
        assert resource_names(aws)["endpoints"] == ["prod"] and os.path.isfile("results/prod/job.json")
    else:
        assert "undone, deleted: " in out and resource_names(aws) == NOTHING and not os.path.exists("results/prod")


def test_ctrl_c_during_the_upload_deletes_the_model(aws, tmp_path, monkeypatch):
    """The upload arrives in spite of Ctrl-C: if it stayed, the same command would be an error."""
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--job_name", "prod")
    real = upload_folder

    def interrupted(*arguments: Any, **named: Any) -> Any:
        real(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("jobs.commands.hosted_model.upload_folder", interrupted)
        assert run_jobs("deploy", *flags) == 130
    assert keys("rarebird/prod/") == [] and resource_names(aws) == NOTHING
    assert run_jobs("deploy", *flags) == 0


def test_a_resource_that_cannot_be_deleted_is_a_warning(aws, monkeypatch, capsys):
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DeleteModel")
    fail(monkeypatch, "DeleteModel", denied)
    fail(monkeypatch, "CreateEndpoint")
    flags = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--job_name", "prod")
    assert run_jobs("deploy", *flags) == 2
    out = capsys.readouterr().out
    assert "undone, deleted: configuration prod\n" in out and "warning: not deleted: model prod: access denied" in out


def test_a_second_ctrl_c_interrupts_immediately():
    before = signal.getsignal(signal.SIGINT)  # SIG_IGN if the tests run in the background of a shell
    with pytest.raises(KeyboardInterrupt), DeferredInterrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.pressed
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")
    assert signal.getsignal(signal.SIGINT) is before
