"""Fixtures of the launcher's tests: a fictitious account, a moto server instead of AWS, stubbed answers."""

from __future__ import annotations

import functools
import json
import os
import shlex
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer

from container.environment import Environment
from jobs.__main__ import SUBCOMMANDS
from jobs.aws.clients import Clients
from jobs.requests.validation import check_request, operation
from jobs.storage.s3 import S3Uri, list_objects
from model.artifacts.archive import pack
from model.subcommands import run_subcommand

ROOT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker-Execution"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rarebird:abc1234"
BUCKET = "rarebird-test"
REGISTRY_ACCOUNT = ("--bucket", BUCKET, "--image", IMAGE)  # register has no --role
ACCOUNT = ("--role", ROLE, *REGISTRY_ACCOUNT)
SESSIONS: dict[Any, Any] = {}  # of Clients in this process, by region, profile and environment
CLIENTS: dict[Any, Any] = {}
MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
)  # of a container image


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hides credentials, region, profile and instance metadata of this machine from tests."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # cache of the hashes of uploads
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture
def dry_run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `python -m jobs SUBCOMMAND FLAGS --dry_run` for SageMaker: exit code, stdout and stderr."""

    def run(command: str, *flags: str) -> tuple[int, str, str]:
        capsys.readouterr()
        account = REGISTRY_ACCOUNT if command == "register" else ACCOUNT
        code = run_jobs(command, *account, "--on", "sagemaker", "--dry_run", *flags)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def valid_requests(dry_run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns the requests of a dry run by method; checks that botocore and we accept them, without a network."""

    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("a dry run must not use the network")

    def run(command: str, flags: str, method: str = "") -> dict[str, dict[str, Any]]:
        monkeypatch.setattr(socket.socket, "connect", no_network)
        code, out, err = dry_run(command, *shlex.split(flags.replace("{configs}", str(ROOT / "configs"))))
        assert code == 0, err
        content = json.loads(out)
        requests = {method: content} if method else {name.replace("-", "_"): value for name, value in content.items()}
        for name, request in requests.items():
            assert not ParamValidator().validate(request, operation(name).input_shape).has_errors()
            assert check_request(name, request) == []
        return requests

    return run


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a moto server."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@functools.cache
def shared_client(service: str, *options: tuple[str, str]) -> Any:
    """A boto3 client that all tests of this process share, since creating one takes long."""
    return boto3.client(service, **dict(options))


def share_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets all tests share the sessions and clients of Clients with the same region, profile and environment."""

    def key(clients: Clients) -> tuple[Any, ...]:
        variables = {name: value for name, value in Environment().variables.items() if name.startswith("AWS_")}
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):  # other paths in each test
            if not os.path.exists(variables[name]):
                del variables[name]
        return clients.region, clients.profile, *sorted(variables.items())

    def session(clients: Clients) -> Any:
        if key(clients) not in SESSIONS:
            SESSIONS[key(clients)] = real_session(clients)
        return SESSIONS[key(clients)]

    def client(clients: Clients, service: str, attempts: int = 5) -> Any:
        whole_key = (service, attempts, *key(clients))
        if whole_key not in CLIENTS:
            CLIENTS[whole_key] = real_client(clients, service, attempts)
        return CLIENTS[whole_key]

    real_session, real_client = Clients.__dict__["session"].func, Clients.client
    monkeypatch.setattr(Clients, "session", property(session))
    monkeypatch.setattr(Clients, "client", client)


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch, no_account: None) -> Callable[[str], Any]:
    """Empties the server and creates a bucket; subcommands use this server. Returns a function that creates clients."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("jobs.aws.follower.POLL_SECONDS", 0.0)
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).read()
    share_clients(monkeypatch)
    bucket_client().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return boto3.client


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of five images and a hidden one."""
    folder = tmp_path / "train"
    for name in ("a/1.jpg", "a/2.jpg", "b/착용 3.jpg", "a.jpg", "a-b.jpg", ".hidden/4.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 50)
    return folder


@pytest.fixture
def stubbed(no_account: None) -> Iterator[Any]:
    """Clients for which the test queues answers: (clients, stub of sagemaker, stub of logs)."""
    options = (("aws_access_key_id", "x"), ("aws_secret_access_key", "x"), ("region_name", "eu-west-1"))
    clients = Clients()
    clients.__dict__["sagemaker"] = shared_client("sagemaker", *options)
    clients.__dict__["logs"] = shared_client("logs", *options)
    with Stubber(clients.sagemaker) as sagemaker, Stubber(clients.logs) as logs:
        yield clients, sagemaker, logs


def run_jobs(command: str, *flags: str) -> int:
    """Runs `python -m jobs COMMAND FLAGS` in this process."""
    return run_subcommand("jobs", SUBCOMMANDS, [command, *flags])


def bucket_client() -> Any:
    """Returns a client of the moto server for the bucket."""
    return shared_client("s3", ("endpoint_url", os.environ["AWS_ENDPOINT_URL"]))


def keys(prefix: str = "") -> list[str]:
    """Returns the keys in the bucket."""
    return [item.key for item in list_objects(bucket_client(), S3Uri(BUCKET, prefix))]


def saved_model(folder: Path) -> Path:
    """Writes the smallest set of files that is a valid saved model."""
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    (folder / "settings.yaml").write_text("model: resnet10t\nepochs: 3\n")
    (folder / "labels.json").write_text(json.dumps({"attributes": [{"name": "mask", "values": ["worn", "none"]}]}))
    (folder / "preprocessing.json").write_text("{}")
    (folder / "metrics.json").write_text('{"finished": true}')
    return folder


def write_training_results(job: str, folder: Path, **archives: Path) -> None:
    """Writes the results of a training to S3, and lines to its log."""
    s3, logs = bucket_client(), shared_client("logs", ("endpoint_url", os.environ["AWS_ENDPOINT_URL"]))
    for name, content in archives.items():
        archive = folder / f"{name}.tar.gz"
        pack(content, archive, lead="data/" if name == "output" else "")
        s3.upload_file(str(archive), BUCKET, f"rarebird/{job}/output/{name}.tar.gz")
    group, stream = "/aws/sagemaker/TrainingJobs", f"{job}/algo-1-1700000000"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    lines = ["started", "epoch=1 val_f1=0.5000; val_acc=0.6000; lr=0.001; pictures_per_second=9.0;", "saved model"]
    logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": line} for line in lines]
    )
