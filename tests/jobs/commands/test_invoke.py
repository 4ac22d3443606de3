"""Predicting images with endpoints."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobs.aws.clients import Clients
from jobs.commands.invoke import check_sizes
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, keys, run_jobs

DEPLOY = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m")
VERBOSE = {"probabilities": [0.2, 0.8], "labels": ["worn", "none"], "predicted_label": "none"}


@pytest.fixture
def endpoint(aws, monkeypatch) -> Callable[..., list[dict[str, Any]]]:
    """Returns a function that creates the endpoint prod, which gives these answers to requests in order."""
    real = Clients("eu-west-1").sagemaker._make_api_call.__func__
    for name in ("a.jpg", "b.png"):
        Path(name).write_bytes(name.encode())

    def create(kind: str, *answers: Any) -> list[dict[str, Any]]:
        remaining, requests = list(answers), []
        assert run_jobs("deploy", *DEPLOY, "--job_name", "prod", "--kind", kind) == 0

        def call(self: Any, name: str, request: Any) -> Any:
            if not name.startswith("InvokeEndpoint"):
                return real(self, name, request)
            requests.append(request)
            answer = remaining.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if name == "InvokeEndpoint":
                return {"Body": io.BytesIO(json.dumps(answer).encode())}
            key = f"rarebird/prod/async/{len(requests)}.out"
            if answer:
                aws("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(answer).encode())
            return {"OutputLocation": f"s3://{BUCKET}/{key}", "FailureLocation": f"s3://{BUCKET}/failed/{key}"}

        monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
        return requests

    return create


def model_error(status: int, message: str) -> ClientError:
    content = {"Error": {"Code": "ModelError", "Message": f"Received client error ({status})"}}
    return ClientError({**content, "OriginalStatusCode": status, "OriginalMessage": message}, "InvokeEndpoint")


def test_predictions_are_printed_as_by_inference(endpoint, capsys):
    requests = endpoint("realtime", VERBOSE, {**VERBOSE, "predicted_label": "worn"})
    capsys.readouterr()
    assert run_jobs("invoke", "prod", "a.jpg", "b.png") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["picture", "predicted", "probability", "second"]
    assert rows[2:] == [["a.jpg", "none", "80.0%", "worn", "20.0%"], ["b.png", "worn", "20.0%", "none", "80.0%"]]
    assert requests[0] == {
        "EndpointName": "prod",
        "Body": b"a.jpg",
        "ContentType": "application/x-image",
        "Accept": "application/json;verbose",
    }


def test_json_has_one_line_per_image(endpoint, capsys):
    requests = endpoint("multi_model", VERBOSE, model_error(400, '{"error": "cannot be read"}'))
    capsys.readouterr()
    assert run_jobs("invoke", "prod", "a.jpg", "b.png", "--json", "--target_model", "faces.tar.gz") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"picture": "a.jpg", **VERBOSE}, {"picture": "b.png", "error": "cannot be read"}]
    assert {request["TargetModel"] for request in requests} == {"faces.tar.gz"}


def test_an_unreadable_image_shows_the_servers_error(endpoint, capsys):
    endpoint("realtime", model_error(400, '{"error": "cannot be identified as an image"}'))
    capsys.readouterr()
    assert run_jobs("invoke", "prod", "a.jpg") == 1
    out, err = capsys.readouterr()
    assert "(cannot be identified as an image)" in out and "the image was not predicted" in err


def test_an_error_of_the_model_is_a_failure_with_its_message(endpoint, capsys):
    endpoint("realtime", model_error(500, '{"error": "CUDA error"}'))
    assert run_jobs("invoke", "prod", "a.jpg") == 1
    assert (
        "endpoint prod, a.jpg: the model answered 500: CUDA error; see the server's log with: python -m jobs logs prod"
        in capsys.readouterr().err
    )


def test_answers_before_an_error_are_printed(endpoint, capsys):
    endpoint("realtime", VERBOSE, model_error(500, '{"error": "CUDA error"}'))
    capsys.readouterr()
    assert run_jobs("invoke", "prod", "a.jpg", "b.png", "--json") == 1
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [{"picture": "a.jpg", **VERBOSE}] and "b.png" in err


def test_an_asynchronous_endpoint_answers_in_s3(endpoint, capsys):
    requests = endpoint("async", VERBOSE, VERBOSE)
    capsys.readouterr()
    assert run_jobs("invoke", "prod", "a.jpg", "b.png") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == [
        f"a.jpg: s3://{BUCKET}/rarebird/prod/async/1.out",
        f"b.png: s3://{BUCKET}/rarebird/prod/async/2.out",
    ]
    assert out[-1].split() == ["b.png", "none", "80.0%", "worn", "20.0%"]
    uploaded = keys("rarebird/prod/async-input/")
    assert [request["InputLocation"] for request in requests] != [] and len(uploaded) == 2
    assert {request["InputLocation"] for request in requests} == {f"s3://{BUCKET}/{key}" for key in uploaded}
    assert requests[0]["InvocationTimeoutSeconds"] == 3600


def test_timeout_0_only_prints_the_uris_of_the_answers(endpoint, capsys):
    endpoint("async", None)
    capsys.readouterr()
    assert run_jobs("invoke", "prod", "a.jpg", "--timeout", "0") == 0
    assert capsys.readouterr().out == f"a.jpg: s3://{BUCKET}/rarebird/prod/async/1.out\n"


def test_invalid_arguments_are_errors_before_anything_is_sent(endpoint, capsys):
    requests = endpoint("realtime")
    for arguments, message in (
        (("prod",), "expected an endpoint and at least one image"),
        (("prot", "a.jpg"), "no endpoint prot; nearest: prod"),
    ):
        assert run_jobs("invoke", *arguments) == 2
        assert message in capsys.readouterr().err
    Path("folder").mkdir()
    assert run_jobs("invoke", "prod", "a.jpg", "folder", "c.jpg", "d.jpg") == 2
    err = capsys.readouterr().err
    assert "images: 3 problems" in err and "c.jpg" in err and "predict folders" in err
    assert requests == []


@pytest.mark.parametrize(("kind", "most"), [("realtime", 25), ("serverless", 4), ("async", 1024)])
def test_too_large_images_are_an_error_with_the_limit_of_the_endpoint(kind, most, tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(most * 2**20)
    check_sizes([path], kind)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=f"expected at most {most:,}"):
        check_sizes([path], kind)
