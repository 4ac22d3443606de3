"""Every flag of a subcommand has an effect on every backend that uses it, and every other flag is an error."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.spec.account_flags import UploadFlags
from jobs.spec.flag_groups import BACKENDS, DOCKER, HERE, SAGEMAKER, Flags, RequestFlags, backends_of, flag
from jobs.spec.flags import FLAGS, JOB_SETTINGS, BackendFlags, flag_names
from model.settings.cli import help_text
from tests.jobs.conftest import run_jobs
from tests.jobs.recorded_calls import REMOTE, Recorder, install, run_recorded, write_inputs

Run = Callable[[str, str], tuple[int, list[Any]]]

COMMAND_LINES = {  # the required arguments of each subcommand
    "train": "--data train",
    "inference": "--data eval --model_dir model",
    "inference_TTA": "--data eval --model_dir model",
    "evaluation": "--ground_truth_dir gt --output_data_dir answers",
    "transform": "--data eval --model_dir model",
    "tune": "--data train --ranges '{lr: [0.0001, 0.01]}'",
    "deploy": "--model_dir model",
    "invoke": "exp-9 eval/1.jpg",
    "register": "--model_dir model",
    "pipeline": "--data train --eval_data eval --truth gt",
    "status": "exp-1 --results earlier",
    "logs": "exp-1 --results earlier",
    "stop": "exp-1 --results earlier",
    "fetch": "exp-1 --results earlier",
    "list": "",
    "upload": "train",
    "shards": "big --output shards",
    "image": "",
    "doctor": "--region eu-west-1",
}
VALUES = {  # by flag, or subcommand and flag: a value that is neither the default nor in COMMAND_LINES
    "role": "arn:aws:iam::123456789012:role/Other",
    "bucket": "another-bucket",
    "prefix": "p",
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/other:1",
    "region": "eu-west-2",
    "profile": "other",
    "kms_key": "alias/k",
    "subnets": "s-2",
    "security_groups": "g-2",
    "isolated": "true",
    "encrypt_traffic": "true",
    "instance": "ml.c5.xlarge",
    "instances": "2",
    "volume_gb": "50",
    "max_run": "3600",
    "spot": "true",
    "max_wait": "200000",
    "attempts": "2",
    "keep_alive": "60",
    "shm_size": "3g",
    "gpus": "device=0",
    "on": "here",
    "dry_run": "true",
    "wait": "true",
    "results": "elsewhere",
    "job_name": "exp-8",
    "environment": "'{A: b}'",
    "tags": "'{a: b}'",
    "delete": "true",
    "data": "other",
    "distribution": "replicated",
    "mode": "FastFile",
    "checkpoints": "s3://b/kept",
    "compress": "false",
    "script_mode": "true",
    "ranges": "'{lr: [0.001, 0.01]}'",
    "objective": "val_loss",
    "trainings": "5",
    "at_once": "3",
    "strategy": "Random",
    "stop_early": "true",
    "max_hours": "2",
    "stop_after": "4",
    "target_score": "0.9",
    "cache_days": "7",
    "live_curves": "true",
    "eval_data": "other",
    "truth": "other",
    "gate": "0.45",
    "low_gate": "0.3",
    "group": "faces",
    "approval": "Approved",
    "model_dir": "s3://b/m/model.tar.gz",
    "accept": "'application/json;verbose'",
    "content_type": "image/png",
    "max_payload_mb": "9",
    "concurrent": "4",
    "kind": "async",
    "memory_mb": "2048",
    "concurrency": "9",
    "startup": "700",
    "ami_version": "none",
    "update": "true",
    "rollback_alarms": "errors",
    "bake": "60",
    "capture": "20",
    "max_instances": "3",
    "min_instances": "2",
    "scale_target": "7",
    "names": "exp-8 gt/1.jpg",
    "json": "true",
    "target_model": "faces.tar.gz",
    "timeout": "1",
    "evaluation": "evaluation.json",
    "job": "exp-2",
    "yes": "true",
    "follow": "false",
    "all": "true",
    "most": "1",
    "folder": "other",
    "to": "s3://b/x",
    "output": "shards-2",
    "shard_mb": "1",
    "repository": "other",
    "tag": "t",
    "build": "false",
    "base_image": "debian",
    "push": "false",
    **{f"{command} results": "earlier-2" for command in ("status", "logs", "stop", "fetch")},
    **{f"{on} checkpoints": "kept" for on in (HERE, DOCKER)},
    "register results": "earlier-2",
    "doctor region": "eu-west-1",
    "upload role": "arn:aws:iam::210987654321:role/Other",  # another account
}
NEEDED = {  # other flags that a flag requires to have an effect
    "subnets": "--subnets s-1 --security_groups g-1",
    "security_groups": "--subnets s-1 --security_groups g-1",
    "max_wait": "--spot",
    "distribution": "--instances 3",
    "memory_mb": "--kind serverless --model_dir s3://b/m/model.tar.gz",
    "concurrency": "--kind serverless --model_dir s3://b/m/model.tar.gz",
    "ami_version": "--instance ml.g5.xlarge",
    "rollback_alarms": "--update",
    "bake": "--update --rollback_alarms alarms",
    "min_instances": "--max_instances 3",
    "scale_target": "--max_instances 3",
    "upload yes": "--delete",
    "doctor region": "--region eu-central-1",  # the bucket is in another region
    "list region": "--all",
    "list profile": "--all",
    "list most": "--results earlier",
    "list results": "--results earlier",
    "register results": "--model_dir exp-1 --results earlier",
    **{f"{command} isolated": "--pretrained false" for command in ("train", "tune", "pipeline")},  # requires no network
    **{
        f"{on} {name}": f"--{setting} {REMOTE}"
        for on in (HERE, DOCKER)
        for name in ("region", "profile")
        for setting in ("data",)
    },
}
UNCHANGED = {  # flags without effect here, with the reason
    **{f"{on} wait": "a job on this machine is always waited for" for on in (HERE, DOCKER)},
    "invoke timeout": "a real-time endpoint answers at once",
    "upload yes": "without a terminal nothing is asked",
    "stop yes": "exp-1 is no endpoint; without a terminal nothing is asked",
    **{f"{command} on": "says that it runs on SageMaker" for command in ("transform", "tune", "deploy", "register")},
}


def chosen(table: dict[str, str], command: str, name: str, on: str) -> str:
    return next((table[key] for key in (f"{on} {name}", f"{command} {name}", name) if key in table), "")


def command_line(command: str, on: str = SAGEMAKER) -> str:
    """Returns a valid command line of a subcommand for a backend."""
    cls, arguments = FLAGS[command], COMMAND_LINES[command]
    if issubclass(cls, BackendFlags):
        arguments += f" --on {on}"
    if issubclass(cls, RequestFlags):
        arguments += " --job_name exp-9"
    return arguments


def offered() -> list[tuple[str, str, str]]:
    """Returns every flag that a subcommand uses with a backend: (subcommand, backend, flag)."""
    return [
        (command, on, field.name)
        for command, cls in FLAGS.items()
        for on in (BACKENDS if issubclass(cls, BackendFlags) else (SAGEMAKER,))
        for field in dataclasses.fields(cls)
        if on in backends_of(field) and not (field.name == "on" and on == HERE)
    ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def without_flag() -> dict[tuple[str, str, bool], list[Any]]:
    """Results of command lines without the flag that a test adds, so that each is run only once."""
    return {}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def run(inputs: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Run:
    """Runs a subcommand in the folder of the inputs, and records its actions."""
    monkeypatch.chdir(inputs)
    install(recorder, monkeypatch)
    return lambda command, arguments: run_recorded(recorder, capsys, command, shlex.split(arguments))


@pytest.mark.parametrize(("command", "on", "name"), offered())
def test_every_flag_has_an_effect(command, on, name, run, recorder, without_flag):
    arguments = f"{command_line(command, on)} {chosen(NEEDED, command, name, on)}"
    if command == "evaluation" and name in ("region", "profile") and on != SAGEMAKER:
        arguments = arguments.replace("--data", "--output_data_dir")
    recorder.extra_objects = name == "delete"
    key = (command, arguments, recorder.extra_objects)
    if key not in without_flag:
        without_flag[key] = run(command, arguments)[1]
    code, done = run(command, f"{arguments} --{name} {chosen(VALUES, command, name, on)}")
    reason = chosen(UNCHANGED, command, name, on)
    if reason and name == "on":
        assert code == 2 and "expected one of sagemaker" in done[2]
        return
    assert code in (0, 130), done  # 130: interrupted while following
    assert (done == without_flag[key]) is bool(reason)


@pytest.mark.parametrize("command", FLAGS)
def test_flags_of_other_subcommands_are_errors(command, run):
    """One message lists all of them with the subcommands that have them, before anything is done."""
    names = {name for each in FLAGS for name in flag_names(each)} - set(flag_names(command))
    if command in JOB_SETTINGS:
        names -= {field.name for field in dataclasses.fields(JOB_SETTINGS[command].settings)}
    flags = " ".join(f"--{name} {VALUES[name]}" for name in sorted(names))
    code, (calls, out, err, files) = run(command, f"{command_line(command)} {flags}")
    assert (code, calls, out, files) == (2, [], "", [])
    for name in names:
        subcommands = [each for each in FLAGS if name in flag_names(each)]
        assert f"  --{name}: not a flag of {command}, only of " in err
        assert subcommands[0] in err.split(f"--{name}: ")[1]
    assert len(err.splitlines()) == len(names) + 1


@pytest.mark.parametrize("on", [HERE, DOCKER, SAGEMAKER])
@pytest.mark.parametrize("command", [command for command, cls in FLAGS.items() if issubclass(cls, BackendFlags)])
def test_flags_of_other_backends_are_errors(command, on, run):
    fields = [field for field in dataclasses.fields(FLAGS[command]) if on not in backends_of(field)]
    assert fields
    values = {field.name: chosen(VALUES, command, field.name, SAGEMAKER) for field in fields} | {"script_mode": "false"}
    arguments = command_line(command, on)
    flags = " ".join(f"--{field.name} {values[field.name]}" for field in fields)
    code, (calls, out, err, files) = run(command, f"{arguments} {flags}")
    assert (code, calls, out, files) == (2, [], "", [])
    for field in fields:
        assert f"  --{field.name}: not used with --on {on}, only with --on {' or '.join(backends_of(field))}" in err
    assert len(err.splitlines()) == len(fields) + 1
    if on != SAGEMAKER:  # a dry run prints SageMaker's request for any --on
        without_spot = ("keep_alive", "cache_days")
        names = [field.name for field in fields if SAGEMAKER in backends_of(field) and field.name not in without_spot]
        flags = " ".join(f"--{name} {values[name]}" for name in names)
        flags += f" {NEEDED.get(f'{command} isolated', '')}"
        code, (_, out, err, _) = run(command, f"{arguments} {flags} --dry_run")
        assert code == 0 and out.startswith("{"), err


def test_flags_of_local_jobs():
    here = {command: {name for each, on, name in offered() if each == command and on == HERE} for command in FLAGS}
    common = {"dry_run", "wait", "job_name", "environment", "results", "instance", "instances", "region", "profile"}
    assert here["evaluation"] == common
    assert here["train"] == common | {"data", "checkpoints"}
    for command in ("train", "inference", "inference_TTA", "evaluation", "pipeline"):
        docker = {name for each, on, name in offered() if each == command and on == DOCKER}
        assert docker - here[command] == {"on", "image", "isolated", "shm_size", "gpus"}


@pytest.mark.parametrize(
    ("command", "arguments", "refused"),
    [
        ("deploy", "--memory_mb 2048 --concurrency 9", ["memory_mb", "concurrency"]),
        ("deploy", "--kind serverless --instance ml.c5.xlarge --startup 9", ["instance", "startup"]),
        ("tune", "--strategy Grid --trainings 5", ["trainings"]),
        ("list", "--region eu-west-1", ["region"]),
        ("list", "--all --results x", ["results"]),
        ("upload", f"--to s3://b/x --prefix p --role {VALUES['role']}", ["prefix", "role"]),
        ("image", "--push false --tag t", ["tag"]),
        ("image", "--build false --base_image debian", ["base_image"]),
    ],
)
def test_flags_that_another_flag_makes_useless_are_errors(command, arguments, refused, run):
    code, (calls, _, err, _) = run(command, f"{command_line(command)} {arguments}")
    assert (code, calls) == (2, []) and "flags without effect:" in err
    assert [line.split(":")[0].strip(" -") for line in err.splitlines()[1:]] == refused


def test_the_tables_of_this_file_name_existing_flags():
    known = {name for command in FLAGS for name in flag_names(command)}
    for key in (*VALUES, *NEEDED, *UNCHANGED):
        assert key.split(" ")[-1] in known, key


@pytest.mark.parametrize("command", FLAGS)
def test_help_is_grouped_and_has_a_text_per_flag(command):
    cls = FLAGS[command]
    for field in dataclasses.fields(cls):
        text = field.metadata["help"]
        assert (text[0].isupper() or text.startswith("s3://")) and len(text.split()) > 2 and text[-1] != ".", field.name
        # only texts of subcommands with a choice of backends mention one
        assert issubclass(cls, BackendFlags) or not any(f"--on {on}" in text for on in (HERE, DOCKER)), field.name
    if issubclass(cls, BackendFlags):
        texts = " ".join(field.metadata["help"] + field.metadata["unset"] for field in dataclasses.fields(cls))
        assert all(
            text in texts
            for text in ("processes with --on here", "containers with --on docker", "local image rarebird")
        )
    text = help_text(cls, "")
    sections = [name for name in Flags.SECTIONS if f"\n{name}:\n" in f"\n{text}"]
    assert sections == [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]


def test_help_names_the_flags_of_single_backends(capsys):
    for command in ("train", "register"):
        with pytest.raises(SystemExit):
            run_jobs(command, "--help")
        text = " ".join(capsys.readouterr().out.split())
        assert ("Only with --on docker: --shm_size, --gpus." in text) is (command == "train")
        assert ("Only with --on docker or sagemaker:" in text) is (command == "train")


def test_a_flag_applies_to_every_backend_by_default():
    @dataclasses.dataclass
    class Example:
        everywhere: int = flag(1, "Number of things")
        somewhere: list[str] = flag([], "Names of things", on=[DOCKER])

    assert [backends_of(field) for field in dataclasses.fields(Example)] == [BACKENDS, (DOCKER,)]
    assert Example().somewhere == [] and Example().everywhere == 1


def test_an_account_is_built_from_the_flags_of_the_subcommand():
    account = UploadFlags(bucket="b", kms_key="alias/k").account()
    assert (account.bucket, account.prefix, account.kms_key, account.role) == ("b", "rarebird", "alias/k", "")
