"""Runs subcommands with AWS, docker and processes replaced by objects that record their calls."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.aws.clients import Clients
from jobs.aws.follower import Follower
from jobs.aws.job_kinds import ENDPOINT
from jobs.backends.child_processes import HostCommand
from jobs.spec.record import JobRecord
from tests.jobs.conftest import BUCKET, IMAGE, ROLE, run_jobs, saved_model

REMOTE = "s3://b/in"  # a folder in S3 with an image
ENDED = {
    **{f"{kind}JobStatus": "Completed" for kind in ("Training", "Processing", "Transform", "HyperParameterTuning")},
    "PipelineExecutionArn": "arn:p",
    "ModelPackageArn": "arn:m",
}
ANSWERS: dict[str, Any] = {  # answers by method; ENDED for other methods
    "get_caller_identity": {"Arn": "arn:me"},
    "get_role": {"Role": {"Arn": "arn:role", "AssumeRolePolicyDocument": "sagemaker.amazonaws.com"}},
    "get_bucket_location": {"LocationConstraint": "eu-west-1"},
    "describe_images": {"imageDetails": []},
    "filter_log_events": {"events": []},
    "delete_objects": {},
    "describe_endpoint": {"EndpointStatus": "InService", "EndpointConfigName": "before"},
    "describe_endpoint_config": {"ProductionVariants": [{"VariantName": "all", "InstanceType": "ml.m5.xlarge"}]},
    "describe_scalable_targets": {"ScalableTargets": []},
    "invoke_endpoint": {
        "Body": SimpleNamespace(read=lambda: b'{"probabilities": [1.0], "labels": ["a"], "predicted_label": "a"}')
    },
}
STARTS = ("create_endpoint", "update_endpoint")
SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}
EVALUATION = {"rarebird": {"accuracy": SCORE, "macro_f1": SCORE}, "multiclass_classification_metrics": {}}


class Recorder:
    """Records the calls of subcommands in order. extra_objects: whether S3 has objects that are not uploaded."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.extra_objects = False

    def client(self, clients: Clients, service: str, attempts: int = 5) -> RecordedClient:
        return RecordedClient(self, (service, clients.region, clients.profile))

    def record(self, name: str, answer: Any = "") -> Any:
        """Returns a function that records its arguments."""

        def called(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, [str(each) for each in arguments], named))
            return answer

        return called

    def follow(self, follower: Follower) -> dict[str, Any]:
        """Returns an endpoint in service with the last requested configuration; interrupts other jobs."""
        self.calls.append(
            ("follow", follower.kind.name, follower.name, follower.clients.region, follower.clients.profile)
        )
        if follower.kind is not ENDPOINT:
            raise KeyboardInterrupt
        config = next(call[-1]["EndpointConfigName"] for call in reversed(self.calls) if call[1] in STARTS)
        return {"EndpointStatus": "InService", "EndpointConfigName": config}

    def run_hosts(self, commands: Mapping[str, HostCommand], log: Path, _: Any) -> dict[str, int]:
        """Records each host's command, variables, links and config files; writes the results of a job."""
        for host, command in commands.items():
            base = log.parent / "ml" / host
            variables = {name: value for name, value in command.variables.items() if os.environ.get(name) != value}
            variables.pop("MASTER_PORT", None)  # of a free port
            links = {str(path.relative_to(base)): os.readlink(path) for path in base.rglob("*") if path.is_symlink()}
            resources = [path.read_text() for path in sorted(base.rglob("resourceconfig.json"))]
            self.calls.append(("host", host, list(command.arguments), variables, links, resources))
            if (base / "model").is_dir():
                saved_model(base / "model")
            for path, text in (("output/output.csv", ""), ("evaluation/evaluation.json", json.dumps(EVALUATION))):
                if (base / "processing" / path).parent.is_dir():
                    (base / "processing" / path).write_text(text)
        return dict.fromkeys(commands, 0)


class RecordedClient:
    """A boto3 client that records its calls."""

    def __init__(self, recorder: Recorder, client_key: tuple[str, str, str]):
        self.recorder, self.client_key = recorder, client_key

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any, **request: Any) -> Any:
            request.pop("Body", None)
            self.recorder.calls.append((self.client_key, method, arguments, request))
            if method == "download_file":
                Path(arguments[2]).write_bytes(b"")
            if method == "describe_repositories":
                return {"repositories": [{"repositoryUri": request["repositoryNames"][0]}]}
            if method.startswith("list_"):
                return {name: [] for name in ("TrainingJobSummaries", "ProcessingJobSummaries", "Endpoints")} | {
                    name: [] for name in ("TransformJobSummaries", "HyperParameterTuningJobSummaries")
                }
            return ANSWERS.get(method, ENDED)

        return call

    def get_paginator(self, method: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: self.pages(method, request))

    def pages(self, method: str, request: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        self.recorder.calls.append((self.client_key, method, request))
        prefix = request["Prefix"]
        is_upload = "/data/" in prefix or "/pictures/" in prefix
        if prefix == "in/" or (self.recorder.extra_objects and is_upload):
            yield {"Contents": [{"Key": f"{prefix}extra.jpg", "Size": 1, "ETag": '"x"'}]}


def install(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces AWS, docker, processes and random tokens by the recorder. The environment sets the account."""
    for name, value in (("ROLE", ROLE), ("BUCKET", BUCKET), ("IMAGE", IMAGE)):
        monkeypatch.setenv(f"SAGEMAKER_{name}", value)
    monkeypatch.setattr(Clients, "client", lambda clients, *arguments: recorder.client(clients, *arguments))
    monkeypatch.setattr(Clients, "session", property(lambda clients: SimpleNamespace(region_name=clients.region)))
    monkeypatch.setattr(Follower, "follow", lambda follower: recorder.follow(follower))
    monkeypatch.setattr("uuid.uuid4", lambda: "token-of-at-least-32-characters-xxx")
    for module in ("local_process", "docker"):
        monkeypatch.setattr(f"jobs.backends.{module}.run_hosts", recorder.run_hosts)
    for module in ("jobs.backends.docker", "jobs.commands.doctor", "jobs.commands.image"):
        monkeypatch.setattr(f"{module}.engine", recorder.record("engine"))
        monkeypatch.setattr(f"{module}.check_engine", recorder.record("image"), raising=False)
    monkeypatch.setattr("jobs.commands.image.run_in_terminal", recorder.record("run", 0))
    monkeypatch.setattr("jobs.commands.image.log_in", lambda _: None)
    monkeypatch.setattr("jobs.commands.image.commit_tag", lambda _: "abc")
    monkeypatch.setattr(
        "jobs.commands.fetch.fetch", lambda _, kind, __, results, ___: recorder.calls.append((kind.name, results.path))
    )


def write_inputs(folder: Path) -> None:
    """Writes the folders that the command lines name, and records of earlier jobs."""
    for name in ("train", "eval", "gt", "answers", "other", "big"):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.jpg").write_bytes(name.encode())
    for number in (1, 2):
        (folder / "big" / f"{number}.jpg").write_bytes(bytes(700_000))
    saved_model(folder / "model")
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    for results, kinds in (("earlier", ("training", "transform")), ("earlier-2", ("processing",))):
        for number, kind in enumerate(kinds, 1):
            name = f"exp-{number}"
            outputs = {"model": f"s3://b/{results}/{name}/model.tar.gz"}
            JobRecord(name, "train", kind, "sagemaker", f"2026-0{number}", folder / results / name, outputs).save()


def run_recorded(recorder: Recorder, capsys: Any, command: str, argv: Sequence[str]) -> tuple[int, list[Any]]:
    """Runs a subcommand; returns its exit code, and its actions: calls, output, and files that it wrote."""
    for folder in filter(os.path.exists, ("results", "elsewhere", "shards", "shards-2")):
        os.rename(folder, Path(tempfile.mkdtemp(dir="..")) / folder)  # faster than deleting it
    before = set(Path().rglob("*"))
    recorder.calls.clear()
    capsys.readouterr()
    code = run_jobs(command, *argv)
    files = sorted(str(path) for path in set(Path().rglob("*")) - before)
    return code, [list(recorder.calls), *capsys.readouterr(), files]
