"""Requests from descriptions, against botocore's model; wrong descriptions are refused with the field named."""

import dataclasses
import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.validate import ParamValidator

from container.job_types import EVALUATION, INFERENCE, TRAIN
from jobs.requests.train_and_process import processing_request, training_request
from jobs.requests.validation import check_request, compiled, operation, service
from jobs.spec.flags import (
    DeployFlags,
    EvaluationFlags,
    ProcessFlags,
    RegisterFlags,
    TrainFlags,
    TransformFlags,
    TuneFlags,
)
from jobs.spec.hyperparameters import read_settings, split_settings, text_of
from jobs.spec.job import Account, Input, Job, Limits, Machine, unique_name
from jobs.spec.metrics import metric_definitions
from model.errors import InputError
from model.metrics.epoch_metrics import METRIC_LINE
from model.settings.fields import Layer, as_dict, build
from model.settings.train import TrainSettings
from tests.jobs.conftest import ACCOUNT, IMAGE, ROLE

ACCOUNTED = Account(ROLE, IMAGE, "rarebird-test")
TRAINING = Job(TRAIN, "exp-1", {"epochs": "3"}, (Input("train", "s3://rarebird-test/data"),), account=ACCOUNTED)
EVALUATING = dataclasses.replace(TRAINING, type=EVALUATION, settings={}, inputs=(Input("predictions", "s3://b/a"),))
FULL = dataclasses.replace(
    ACCOUNTED,
    tags={"team": "Bildverständnis", "kosten stelle": "a=b+c@d"},
    subnets=("subnet-1a2b3c4d",),
    security_groups=("sg-1a2b3c4d",),
    kms_key="arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    isolated=True,
    encrypt_traffic=True,
)

GOOD = {
    "the least": ("train", "--data s3://b/train"),
    "all of training": (
        "train",
        "--data s3://b/train --validation_dir s3://b/val --instance ml.g5.12xlarge --instances 4 --volume_gb 200 "
        "--spot --max_run 3600 --max_wait 7200 --attempts 3 --tags '{team: Bildverständnis, cost: a=b}' "
        "--subnets subnet-1a2b --security_groups sg-1 sg-2 --kms_key alias/mine --isolated --encrypt_traffic "
        "--mode FastFile --compress false --checkpoints s3://b/kept --job_name exp-1 "
        "--environment '{WANDB_MODE: offline}' --epochs 3 --lr 0.01 --input_size 128 96 --augmentation none "
        "--loss cross_entropy --attributes '{kind: {column: 종류, values: [착용샷]}}'",
    ),
    "a warm pool": ("train", "--data s3://b/train --keep_alive 3600"),
    "an experiment": ("train", "--data s3://b/train --config {configs}/mask-resnet18.yaml"),
    "another experiment": ("train", "--data s3://b/train --config {configs}/tagging-airush.yaml"),
    "weights in S3": ("train", "--data s3://b/train --weights s3://b/w/mobilenet.safetensors"),
    "inference": ("inference", "--data s3://b/eval --model_dir s3://b/m/model.tar.gz --num_tta 4"),
    "inference on hosts": ("inference", "--data s3://b/eval --model_dir s3://b/m/ --instances 8 --isolated"),
    "inference_TTA": ("inference_TTA", "--eval_dir s3://b/eval --model_dir s3://b/m/ --num_tta 8"),
    "evaluation": (
        "evaluation",
        "--ground_truth_dir s3://b/gt --output_data_dir s3://b/a --pictures s3://b/eval --kms_key alias/k "
        "--subnets s-1 --security_groups sg-1 --tags '{a: b}' --gmean_classes '[\"none/male\"]'",
    ),
}


@pytest.mark.parametrize("named", GOOD)
def test_requests_pass_botocores_own_check_and_ours(named, dry_run, monkeypatch):
    def no_network(*_, **__):
        raise AssertionError("a dry run must not use the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    verb, flags = GOOD[named]
    configs = Path(__file__).resolve().parents[2] / "configs"
    code, out, err = dry_run(verb, *shlex.split(flags.replace("{configs}", str(configs))))
    assert code == 0, err
    request = json.loads(out)
    method = "create_training_job" if verb == "train" else "create_processing_job"
    assert not ParamValidator().validate(request, operation(method).input_shape).has_errors()
    assert check_request(method, request) == []


def test_hyperparameters_are_the_settings_that_differ(dry_run):
    code, out, _ = dry_run(
        "train", "--data", "s3://b/t", "--epochs", "10", "--lr", "0.01", "--input_size", "64", "--augmentation", "none"
    )
    assert code == 0
    assert json.loads(out)["HyperParameters"] == {"lr": "0.01", "input_size": "[64]", "augmentation": "{}"}


def test_a_dry_run_takes_no_region_and_tells_all_that_is_missing(capsys):
    from jobs.__main__ import SUBCOMMANDS
    from model.subcommands import run_subcommand

    assert run_subcommand("jobs", SUBCOMMANDS, ["train", "--data", "s3://b/t", "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert "--role" in err and "--bucket" in err and "--image" in err and "SAGEMAKER_ROLE" in err


def test_dotenv_names_the_account_and_flags_win(capsys):
    from jobs.__main__ import SUBCOMMANDS
    from model.subcommands import run_subcommand

    Path(".env").write_text(f"SAGEMAKER_ROLE={ROLE}\nSAGEMAKER_BUCKET=from-file\nSAGEMAKER_IMAGE={IMAGE}\n")
    flags = ["train", "--data", "s3://b/t", "--dry-run", "--bucket", "from-flag", "--prefix", "a/b"]
    assert run_subcommand("jobs", SUBCOMMANDS, flags) == 0
    request = json.loads(capsys.readouterr().out)
    assert request["RoleArn"] == ROLE
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://from-flag/a/b"


def test_keys_of_the_environment_win_over_a_profile_of_dotenv(monkeypatch):
    from jobs.aws.clients import Clients
    from jobs.spec.flags import AccountFlags, filled

    Path(".env").write_text("AWS_PROFILE=from-file\n")
    assert filled(AccountFlags()).profile == "from-file"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    flags = filled(AccountFlags())
    assert flags.profile == ""
    assert Clients("eu-west-1", flags.profile).session.get_credentials().access_key == "of-the-environment"
    monkeypatch.setenv("AWS_PROFILE", "of-the-environment")
    assert filled(AccountFlags()).profile == "of-the-environment"


def test_a_training_is_told_of_tracking_but_not_the_key(dry_run, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_API_KEY", "WANDB_DIR"):
        monkeypatch.setenv(name, name.lower())
    flags = ("--data", "s3://b/t", "--environment", "{WANDB_PROJECT: named, A: 1}")
    told = json.loads(dry_run("train", *flags)[1])["Environment"]
    assert told == {"WANDB_MODE": "wandb_mode", "WANDB_PROJECT": "named", "A": "1"}
    assert "Environment" not in json.loads(dry_run("evaluation", *EVALUATED)[1])


EVALUATED = ("--ground_truth_dir", "s3://b/gt", "--output_data_dir", "s3://b/a")


def test_a_folder_in_S3_is_not_its_neighbour(dry_run):
    """s3://b/train as a prefix is s3://b/train2/ too."""
    flags = ("--data", "s3://b/train", "--validation_dir", "s3://b/val/", "--weights", "s3://b/w.safetensors")
    channels = json.loads(dry_run("train", *flags)[1])["InputDataConfig"]
    sources = {channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in channels}
    assert sources == {"train": "s3://b/train/", "validation": "s3://b/val/", "weights": "s3://b/w.safetensors"}
    inputs = json.loads(dry_run("evaluation", *EVALUATED)[1])["ProcessingInputs"]
    assert {given["S3Input"]["S3Uri"] for given in inputs} == {"s3://b/gt/", "s3://b/a/"}
    pictures = json.loads(dry_run("transform", "--data", "s3://b/e", "--model_dir", "s3://b/m/model.tar.gz")[1])
    assert '"s3://b/e/"' in json.dumps(pictures["create-transform-job"])


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--job_name under_score", "--job_name"),
        (f"--job_name {'a' * 64}", "--job_name"),
        ("--role nobody", "RoleArn (--role)"),
        ("--instance m5", "ResourceConfig.InstanceType (--instance)"),
        ("--spot --max_run 100 --max_wait 50", "StoppingCondition.MaxWaitTimeInSeconds (--max_wait)"),
        ("--max_wait 50", "belongs to spot training"),
        ("--spot --keep_alive 60", "a warm pool cannot be of spot instances"),
        ("--keep_alive 21601", "ResourceConfig.KeepAlivePeriodInSeconds (--keep_alive): 21601 is above 21600"),
        ("--attempts 31", "RetryStrategy.MaximumRetryAttempts (--attempts): 31 is above 30"),
        ("--tags '{\"a#b\": c}'", "Tags[0].Key (--tags)"),
        ("--kms_key 'a b'", "OutputDataConfig.KmsKeyId (--kms_key)"),
        ("--subnets s-1", "VpcConfig.SecurityGroupIds (--security_groups)"),
        ("--environment '{1A: b}'", "Environment.1A"),
        (f"--attributes '{{kind: [{', '.join(f'value{n}' for n in range(400))}]}}'", "HyperParameters.attributes"),
        (f"--image {'x' * 256}", "AlgorithmSpecification.TrainingImage (--image)"),
        ("--validation_dir nowhere", "validation: nowhere: there is no such file or folder"),
        ("--epochs many", "--epochs = 'many': expected a whole number"),
        ("--epoks 3", "nearest: epochs"),
        ("--train_dir s3://b/c", "both name the channel train"),
        ("--checkpoints folder", "CheckpointConfig.S3Uri"),
        ("--script_mode --isolated", "installs from the network"),
    ],
)
def test_wrong_descriptions_are_refused_with_the_field_named(flags, told, dry_run):
    code, out, err = dry_run("train", "--data", "s3://b/t", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert told in err


def test_every_machine_is_sent_all_and_hosts_divide_the_rows_themselves(dry_run):
    flags = ("inference", "--data", "s3://b/eval", "--model_dir", "s3://b/m/", "--instances", "8")
    code, out, _ = dry_run(*flags)
    dealt = [given["S3Input"]["S3DataDistributionType"] for given in json.loads(out)["ProcessingInputs"]]
    assert code == 0 and dealt == ["FullyReplicated"] * 2
    code, _, err = dry_run(*flags, "--sharded")
    assert code == 2 and "--sharded: there is no such flag" in err


def test_an_instance_type_that_botocore_does_not_know_is_a_warning(dry_run):
    code, out, err = dry_run("train", "--data", "s3://b/t", "--instance", "ml.p9.48xlarge")
    assert code == 0
    assert json.loads(out)["ResourceConfig"]["InstanceType"] == "ml.p9.48xlarge"
    assert err.startswith("warning: ResourceConfig.InstanceType (--instance): botocore does not know 'ml.p9.48xlarge'")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"TrainingJobName": 3}, "TrainingJobName (--job_name): expected string, not 3"),
        ({"HyperParameters": {"epochs": 3}}, "HyperParameters.epochs: expected string, not 3"),
        ({"HyperParameters": {f"n{n}": "1" for n in range(101)}}, "has 101 entries, expected at most 100"),
        ({"HyperParameters": {"a": "x" * 2501}}, "has 2,501 characters, expected at most 2,500"),
        ({"HyperParameters": {"a": "x\ny"}}, "does not fit the pattern"),
        ({"InputDataConfig": []}, "has 0 entries, expected at least 1"),
        ({"EnableManagedSpotTraining": "yes"}, "expected boolean"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": True}}, "expected integer, not True"),
        ({"StopingCondition": {}}, "there is no such field; nearest: StoppingCondition"),
    ],
)
def test_what_botocores_check_misses_is_found(change, told):
    with pytest.raises(InputError, match=re.escape(told)):
        check_request("create_training_job", {**training_request(TRAINING), **change})


def test_a_required_field_that_is_missing_is_named():
    request = training_request(TRAINING)
    del request["RoleArn"]
    with pytest.raises(InputError, match=r"RoleArn \(--role\): is required"):
        check_request("create_training_job", request)


def test_all_faults_are_told_at_once():
    wrong = dataclasses.replace(TRAINING, name="a_b", account=dataclasses.replace(ACCOUNTED, role="x"))
    with pytest.raises(InputError) as told:
        check_request("create_training_job", training_request(wrong))
    assert len(str(told.value).splitlines()) == 4  # the role is both too short and of another form


def test_a_full_account_goes_into_training_and_processing():
    for job, method, make in [
        (TRAINING, "create_training_job", training_request),
        (EVALUATING, "create_processing_job", processing_request),
    ]:
        request = make(dataclasses.replace(job, account=FULL))
        assert check_request(method, request) == []
        text = json.dumps(request, ensure_ascii=False)
        for part in ("subnet-1a2b3c4d", "Bildverständnis", "1234abcd", "EnableNetworkIsolation"):
            assert part in text


def test_every_pattern_of_the_service_can_be_read():
    """AWS writes Java's patterns: \\p{L}, surrogate pairs."""
    model = service()
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    for pattern in patterns - {None}:
        compiled(pattern)
    letters = next(pattern for pattern in patterns if pattern and r"\p{L}" in pattern)
    with pytest.raises(re.error):
        re.compile(letters)
    assert compiled(letters).fullmatch("Größe") and not compiled(letters).fullmatch("a\x00b")


def test_metric_definitions_read_trainings_lines():
    from model.training.tracking.console import metric_line

    entry = {
        "epoch": 3,
        "val_f1": 0.8123,
        "val_acc": 0.9,
        "val_gmean": 0.0,
        "val_loss": 1.25,
        "train_loss": 2.5,
        "lr": 2e-05,
        "pictures_per_second": 57.04,
    }
    line = metric_line(entry)
    found = {told["Name"]: re.search(told["Regex"], line) for told in metric_definitions()}
    assert {name: float(match[1]) for name, match in found.items() if match} == {
        **{name: entry[name] for name in (metric.name for metric in METRIC_LINE)},
        "pictures_per_second": 57.0,
    }


def changed() -> dict[str, object]:
    """Every setting of training with a value that is not its default."""
    choices = {field.name: field.metadata["choices"] for field in dataclasses.fields(TrainSettings)}
    found: dict[str, object] = {}
    for name, value in as_dict(TrainSettings()).items():
        if choices[name]:
            found[name] = next(choice for choice in choices[name] if choice != value)
        elif isinstance(value, bool):
            found[name] = not value
        elif isinstance(value, int):
            found[name] = value + 1 if name != "channels" else 1
        elif isinstance(value, float):
            found[name] = value / 2 + 0.125
        elif name == "sampler_strength":
            found[name] = 0.25
        elif name in ("mean", "std"):
            found[name] = [0.1]
        elif isinstance(value, list):
            found[name] = [24, 40] if name in ("input_size", "hidden_layers", "age_cuts") else ["1", "2"]
        elif isinstance(value, dict):
            found[name] = {"a": {"column": "종류", "values": ['x "y"', "z"]}} if name == "attributes" else {"flip": {}}
        else:
            found[name] = 'a "quoted", odd\nvalue'
    return found


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainSettings)])
def test_a_setting_as_text_is_read_back(name):
    hint = changed()[name]
    settings = dataclasses.replace(TrainSettings(), **{name: hint})
    if list(settings.contradictions()):
        pytest.skip("the value needs another one beside it")
    text = text_of(getattr(settings, name))
    assert "\n" not in text
    assert getattr(build(TrainSettings, [Layer("{}", {name: text})]), name) == getattr(settings, name)


def test_local_files_come_along_as_channels(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    settings = read_settings(TRAIN, ["--weights", str(weights), "--train_dir", "s3://b/t", "--model_dir", "elsewhere"])
    texts, inputs, left = split_settings(TRAIN, settings)
    assert texts == {"weights": "/opt/ml/input/data/weights/w.safetensors"}
    assert {given.name: given.source for given in inputs} == {"train": "s3://b/t", "weights": str(weights)}
    assert left == ["model_dir"]


def test_inference_TTA_sends_only_what_differs_from_its_own_defaults(dry_run):
    flags = ("--data", "s3://b/e", "--model_dir", "s3://b/m")
    _, out, _ = dry_run("inference_TTA", *flags)
    assert json.loads(out)["AppSpecification"]["ContainerArguments"] == ["inference_TTA"]
    _, out, _ = dry_run("inference_TTA", *flags, "--num_tta", "1")
    assert json.loads(out)["AppSpecification"]["ContainerArguments"] == ["inference_TTA", "--num_tta", "1"]


def test_the_launchers_flags_are_none_of_the_jobs():
    pairs = [(TRAIN, TrainFlags), (TRAIN, TuneFlags), (INFERENCE, ProcessFlags), (EVALUATION, EvaluationFlags)]
    for job_type, flags in pairs:
        ours = {field.name for field in dataclasses.fields(flags)}
        assert ours.isdisjoint(field.name for field in dataclasses.fields(job_type.settings))
    for flags in (TransformFlags, DeployFlags, RegisterFlags):
        assert build(flags, []) == flags()


def test_names_are_what_aws_takes_and_differ():
    names = {unique_name("my run_한글 (2)") for _ in range(20)} | {unique_name("x" * 100), unique_name("한글")}
    assert len(names) == 22
    pattern = operation("create_training_job").input_shape.members["TrainingJobName"].metadata["pattern"]
    assert all(compiled(pattern).fullmatch(name) and len(name) <= 63 for name in names)


def test_help_needs_neither_torch_nor_boto3():
    code = (
        "import sys; from model.subcommands import run_subcommand; from jobs.__main__ import SUBCOMMANDS\n"
        "try: run_subcommand('jobs', SUBCOMMANDS, ['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'boto3', 'botocore'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--instance TEXT" in done.stdout and "--epochs N" in done.stdout


def test_limits_and_machine_of_spot():
    job = dataclasses.replace(TRAINING, machine=Machine(spot=True), limits=Limits(max_run=60))
    assert training_request(job)["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    assert ACCOUNT[1] == training_request(job)["RoleArn"]
