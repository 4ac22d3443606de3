"""The chain in one command: train, answer, evaluate, and register the model only where its score and the lower end of
its interval pass the gate. Here, in the image, or as a SageMaker Pipeline.

    python -m jobs pipeline --data data/train --eval_data data/eval --truth data/gt --gate 0.5 --low_gate 0.45
    python -m jobs pipeline --on sagemaker --data s3://... --eval_data s3://... --truth s3://... --gate 0.5 --wait

Here and in the image a model that passes is told in RESULTS/JOB/registered.json. On SageMaker the pipeline of that name
is made, or changed where it is there, and a run of it started; --wait follows that and fetches what it made. A model
that does not pass ends the command with exit code 3.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from container.job_types import EVALUATION, INFERENCE, TRAIN, JobType
from jobs.aws.clients import Clients
from jobs.aws.job_kinds import PIPELINE
from jobs.commands.launch import tell_left
from jobs.commands.register import make_group, read_evaluation
from jobs.requests.hosting import group_request
from jobs.requests.pipeline import definition, step_requests
from jobs.results.pipeline_run import RUN, RunFollower, follow_run
from jobs.spec.flags import HERE, SAGEMAKER, TrainFlags, require
from jobs.spec.from_flags import describe
from jobs.spec.inputs import s3_place, with_s3_inputs
from jobs.spec.job import Input, Job
from model.atomic_write import write_json
from model.errors import ExitCode, InputError
from model.evaluation.files import EVALUATION_JSON
from model.settings.fields import setting

Place = Callable[[Job], int]


@dataclass(frozen=True)
class PipelineFlags(TrainFlags):
    eval_data: str = setting("", "folder or s3:// prefix of the pictures to answer", section="Chain")
    truth: str = setting("", "folder or s3:// prefix of their gt.csv")
    gate: float = setting(0.0, "least macro F1 of a model that is registered", low=0, high=1)
    low_gate: float = setting(0.0, "least lower end of its interval", low=0, high=1)
    group: str = setting("rarebird", "group of the model's versions in the registry")
    approval: str = setting(
        "PendingManualApproval", "status there", choices=("PendingManualApproval", "Approved", "Rejected")
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from super().contradictions()
        if self.script_mode:
            yield "script_mode: a chain runs in our image, which answers and evaluates too; only train and tune take it"
        if not self.compress and (self.on == SAGEMAKER or self.dry_run):
            yield "compress false: a pipeline hands the model on as model.tar.gz"


def main(argv: Sequence[str]) -> int:
    described = describe(TRAIN, argv, __doc__ or "", PipelineFlags)
    flags, job = described.flags, described.job
    tell_left(described)
    for name in ("eval_data", "truth"):
        source = getattr(flags, name)
        if not source or (not source.startswith("s3://") and not Path(source).is_dir()):
            raise InputError(f"--{name} {source!r}: expected a folder or an s3:// prefix")
    if flags.on == SAGEMAKER or flags.dry_run:
        return on_sagemaker(flags, job)
    return on_this_machine(flags, job)


def on_this_machine(flags: Any, job: Job) -> int:
    """The chain job by job; the exit code of the first that fails."""
    from jobs.backends import docker
    from jobs.backends import local_process as here
    from jobs.backends.local_run import tell_line

    results, clients = Path(flags.results), Clients(flags.region, flags.profile)

    def run(step: Job) -> int:
        if flags.on == HERE:
            return here.run(step, results, clients, tell_line)
        return docker.run(step, results, clients, flags.shm_size, flags.gpus, tell_line)

    return chain(flags, job, results, run)


def chain(flags: Any, job: Job, results: Path, run: Place) -> int:
    folder = results / job.name
    steps: dict[str, tuple[JobType[Any], tuple[Input, ...]]] = {
        "answers": (INFERENCE, (Input("eval", flags.eval_data), Input("model", str(folder / "model")))),
        "scores": (
            EVALUATION,
            (Input("ground_truth", flags.truth), Input("predictions", str(results / f"{job.name}-answers" / "output"))),
        ),
    }
    code = run(job)
    for name, (job_type, inputs) in steps.items():
        if code:
            return code
        step = replace(job, type=job_type, name=f"{job.name}-{name}", settings={}, inputs=inputs, checkpoints=None)
        code = run(replace(step, machine=replace(job.machine, count=1, spot=False)))
    if code:
        return code
    path = results / f"{job.name}-scores" / "evaluation" / EVALUATION_JSON
    passed, told = gate(read_evaluation(path), flags.gate, flags.low_gate)
    print(told)
    if not passed:
        return ExitCode.NOT_PASSED
    write_json(folder / "registered.json", {"model": str(folder / "model"), "evaluation": str(path), "gate": told})
    print(f"registered: {folder / 'registered.json'}")
    return 0


def gate(evaluation: dict[str, Any], least: float, least_low: float) -> tuple[bool, str]:
    """Whether a model's macro F1 and the lower end of its interval are high enough, and a sentence that tells it.
    Without an interval a gate for it is not passed."""
    score = evaluation["rarebird"]["macro_f1"]
    low = score["low"]
    passed = score["value"] >= least and (least_low <= 0 or (low is not None and low >= least_low))
    interval = "no interval" if low is None else f"interval from {low:.4f}"
    word = "passes" if passed else "does not pass"
    return passed, f"macro F1 {score['value']:.4f}, {interval}: {word} the gate {least:g}, from {least_low:g}"


def on_sagemaker(flags: Any, job: Job) -> int:
    """Makes or updates the pipeline and starts it; it goes on by itself."""
    from jobs.backends import sagemaker
    from jobs.requests.train_and_process import as_json, given, tags
    from jobs.storage.s3 import parse
    from jobs.storage.upload import send_folder

    require(flags, "role", "bucket", "image")
    remote = {}
    for name in ("eval_data", "truth"):
        source = getattr(flags, name)
        remote[name] = source if source.startswith("s3://") else s3_place(job.account, source)
    placed = with_s3_inputs(job)
    made = definition(
        placed, remote["eval_data"], remote["truth"], flags.group, flags.gate, flags.low_gate, flags.approval
    )
    request = {
        "PipelineName": placed.name,
        "PipelineDefinition": json.dumps(made),
        "ClientRequestToken": str(uuid.uuid4()),
        "RoleArn": job.account.role,
        **given(Tags=tags(job.account)),
    }
    group = group_request(flags.group, job.account)
    own = [("create_model_package_group", group), ("create_pipeline", request)]
    sagemaker.checked([*step_requests(made["Steps"]), *own])
    if flags.dry_run:
        print(as_json([("create_pipeline", request)]))
        return 0
    clients = Clients(flags.region, flags.profile)
    sagemaker.send_inputs(job, clients, flags.delete, print)
    for name, place in remote.items():
        if place != getattr(flags, name):
            source = Path(getattr(flags, name))
            sent = send_folder(clients.s3, source, parse(place), delete=flags.delete, kms_key=flags.kms_key)
            print(f"{name}: {sent}")
    make_group(clients, group)
    make_or_change(clients, request)
    start = {"PipelineName": placed.name, "ClientRequestToken": str(uuid.uuid4())}
    arn = sagemaker.send(clients, "start_pipeline_execution", start, print)["PipelineExecutionArn"]
    results = Path(flags.results)
    sagemaker.remember(clients, PIPELINE, "pipeline", placed.name, results, request, {RUN: arn})
    print(f"started pipeline {placed.name}; {sagemaker.how_to_come_back(placed.name)}")
    if not flags.wait:
        return 0
    return follow_run(RunFollower(clients, PIPELINE, placed.name, arn=arn), results)


def make_or_change(clients: Clients, request: dict[str, Any]) -> None:
    """Makes a pipeline; one of that name gets this definition, role and tags."""
    from jobs.backends.sagemaker import send

    try:
        send(clients, "create_pipeline", request, print)
        return
    except InputError as error:
        if "already exist" not in str(error):
            raise
    new = {name: request[name] for name in ("PipelineName", "PipelineDefinition", "RoleArn")}
    arn = send(clients, "update_pipeline", new, print)["PipelineArn"]
    if "Tags" in request:
        send(clients, "add_tags", {"ResourceArn": arn, "Tags": request["Tags"]}, print)
    print(f"pipeline {request['PipelineName']} was there; it has this definition now")
