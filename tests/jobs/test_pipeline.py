"""The chain, its gate and its definition; script mode."""

import json
import shlex
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container.job_types import EVALUATION, INFERENCE, TRAIN, JobType
from jobs.commands.pipeline import chain, gate
from jobs.requests.pipeline import step_names
from jobs.requests.validation import check_request
from jobs.spec.job import Job
from jobs.storage.script_mode import BROUGHT, pack_source, requirements


def evaluation(value: float, low: float | None) -> dict[str, object]:
    score = {"value": value, "low": low, "high": None if low is None else 1.0}
    return {"rarebird": {"macro_f1": score, "accuracy": score}, "multiclass_classification_metrics": {}}


@pytest.mark.parametrize(
    ("value", "low", "least", "least_low", "passed"),
    [
        (0.5, 0.4, 0.5, 0.4, True),
        (0.499, 0.4, 0.5, 0.4, False),
        (0.5, 0.39, 0.5, 0.4, False),
        (0.5, None, 0.5, 0.0, True),
        (0.5, None, 0.5, 0.1, False),
    ],
)
def test_the_gate_asks_for_the_score_and_its_interval(value, low, least, least_low, passed):
    assert gate(evaluation(value, low), least, least_low)[0] is passed


class Flags:
    eval_data, truth, gate, low_gate = "eval", "gt", 0.5, 0.4


@pytest.mark.parametrize(("value", "code"), [(0.6, 0), (0.45, 3)])
def test_the_chain_registers_only_what_passes(value, code, tmp_path):
    ran: list[Job] = []

    def run(job: Job) -> int:
        ran.append(job)
        if job.type == EVALUATION:
            folder = tmp_path / job.name / "evaluation"
            folder.mkdir(parents=True)
            (folder / "evaluation.json").write_text(json.dumps(evaluation(value, 0.42)))
        return 0

    assert chain(Flags, Job(TRAIN, "exp-1"), tmp_path, run) == code
    assert [job.type for job in ran] == [TRAIN, INFERENCE, EVALUATION]
    assert ran[1].inputs[1].source == str(tmp_path / "exp-1" / "model")
    assert (tmp_path / "exp-1" / "registered.json").is_file() is (code == 0)


@pytest.mark.parametrize("failing", [TRAIN, INFERENCE, EVALUATION])
def test_the_chain_ends_where_a_job_fails(failing, tmp_path):
    ran: list[JobType] = []

    def run(job: Job) -> int:
        ran.append(job.type)
        return 5 if job.type == failing else 0

    assert chain(Flags, Job(TRAIN, "exp-1"), tmp_path, run) == 5
    assert ran[-1] == failing


def test_the_definition_is_a_pipeline_of_four_steps(dry_run: Callable[..., tuple[int, str, str]]):
    flags = "--data s3://b/t --eval_data s3://b/e --truth s3://b/g --gate 0.5 --low_gate 0.45 --epochs 2 --job_name p-1"
    code, out, err = dry_run("pipeline", *shlex.split(flags))
    assert code == 0, err
    request = json.loads(out)
    assert check_request("create_pipeline", request) == []
    made = json.loads(request["PipelineDefinition"])
    assert step_names(made["Steps"]) == ["Train", "Answer", "Evaluate", "Gate", "Register"]
    train, answer, evaluate, gated = made["Steps"]
    assert "TrainingJobName" not in train["Arguments"] and train["Arguments"]["HyperParameters"] == {"epochs": "2"}
    sources = {given["InputName"]: given["S3Input"]["S3Uri"] for given in answer["Arguments"]["ProcessingInputs"]}
    assert sources == {"eval": "s3://b/e/", "model": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
    answers = answer["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert evaluate["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"] == answers
    assert evaluate["DependsOn"] == ["Answer"]  # the place of its answers is a text, which makes no dependency
    assert [condition["RightValue"] for condition in gated["Arguments"]["Conditions"]] == [0.5, 0.45]


CHAIN = "--data s3://b/t --eval_data s3://b/e --truth s3://b/g --job_name p-1"


def defined(dry_run: Callable[..., tuple[int, str, str]], flags: str) -> dict[str, dict[str, Any]]:
    """A definition's steps by name, those behind the gate too."""
    code, out, err = dry_run("pipeline", *shlex.split(f"{CHAIN} {flags}"))
    assert code == 0, err
    steps = json.loads(json.loads(out)["PipelineDefinition"])["Steps"]
    return {step["Name"]: step for step in [*steps, *steps[-1]["Arguments"]["IfSteps"]]}


def test_without_a_gate_for_the_interval_its_lower_end_is_not_asked_for(dry_run):
    conditions = defined(dry_run, "--gate 0.5")["Gate"]["Arguments"]["Conditions"]
    assert [told["LeftValue"]["Std:JsonGet"]["Path"] for told in conditions] == ["rarebird.macro_f1.value"]


def test_only_the_training_takes_several_machines(dry_run):
    steps = defined(dry_run, "--instances 4")
    assert steps["Train"]["Arguments"]["ResourceConfig"]["InstanceCount"] == 4
    for name in ("Answer", "Evaluate"):
        assert steps[name]["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1


def test_each_run_of_a_pipeline_on_spot_has_checkpoints_of_its_own(dry_run):
    place = defined(dry_run, "--spot")["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"]
    assert {"Get": "Execution.PipelineExecutionId"} in place["Std:Join"]["Values"]
    kept = defined(dry_run, "--spot --checkpoints s3://b/kept")["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"]
    assert kept == "s3://b/kept"


def test_tags_reach_the_pipeline_and_its_steps(dry_run):
    steps = defined(dry_run, "--tags '{team: vision}'")
    for name in ("Train", "Answer", "Evaluate"):
        assert steps[name]["Arguments"]["Tags"] == [{"Key": "team", "Value": "vision"}]
    assert "Tags" not in steps["Register"]["Arguments"]  # AWS: a version has its group's


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--script_mode", "only train and tune take it"),
        ("--compress false", "hands the model on as model.tar.gz"),
        ("--group a_b", "ModelPackageGroupName (--group)"),
        ("--instance ml.x", "(--instance)"),
        (f"--eval_data s3://b/{'a' * 1024}", "ProcessingInputs[0].S3Input.S3Uri"),
    ],
)
def test_every_step_is_checked_before_anything_is_sent(flags, told, dry_run):
    code, out, err = dry_run("pipeline", *shlex.split(CHAIN), *flags.split(" "))
    assert (code, out) == (2, "")
    assert told in err


def test_the_parts_of_the_chain_have_to_be_named(dry_run: Callable[..., tuple[int, str, str]]):
    code, _, err = dry_run("pipeline", "--data", "s3://b/t", "--eval_data", "nowhere", "--truth", "s3://b/g")
    assert code == 2 and "--eval_data 'nowhere'" in err


def test_script_mode_never_installs_torch_again(tmp_path):
    archive = tmp_path / "sourcedir.tar.gz"
    wanted = pack_source(archive)
    root = Path(__file__).resolve().parents[2]
    assert wanted == requirements(root) and any(line.startswith("timm") for line in wanted)
    assert not any(line.split(">")[0] in BROUGHT for line in wanted)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        told = tar.extractfile("requirements.txt")
        assert told is not None and told.read().decode().split("\n")[:-1] == wanted
    assert {"train.py", "container/entrypoint.py", "model/settings/train.py"} <= set(names)
    assert not any("__pycache__" in name or name.startswith(("tests", ".git")) for name in names)


def test_script_mode_tells_the_toolkit_where_the_code_is(dry_run: Callable[..., tuple[int, str, str]]):
    flags = ("--data", "s3://b/t", "--script_mode", "--job_name", "s-1", "--region", "eu-west-1", "--epochs", "2")
    code, out, err = dry_run("train", *flags)
    assert code == 0, err
    told = json.loads(out)["HyperParameters"]
    assert told["epochs"] == "2" and told["sagemaker_program"] == '"train.py"'
    assert told["sagemaker_submit_directory"] == '"s3://rarebird-test/rarebird/s-1/source/sourcedir.tar.gz"'
