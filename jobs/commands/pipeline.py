"""Train, predict, evaluate, and register the model if its score passes the gate: on this machine, in Docker
containers or as a SageMaker pipeline.

    python -m jobs pipeline --data data/train --eval_data data/eval --truth data/gt --gate 0.5 --low_gate 0.45
    python -m jobs pipeline --on sagemaker --data s3://... --eval_data s3://... --truth s3://... --gate 0.5 --wait

The gate is the lowest macro F1 of a model that is registered; --low_gate also requires a lowest value for the lower end
of its confidence interval. With --on here or docker a model that passes is recorded in RESULTS/JOB/registered.json. On
SageMaker the pipeline named JOB is created or updated and started; --wait follows it and downloads the results. The
exit code is 3 if the model does not pass.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from container.job_types import EVALUATION, INFERENCE, JobType
from jobs.aws.clients import Clients
from jobs.aws.earlier_outputs import find_output
from jobs.aws.job_kinds import PIPELINE
from jobs.backends.sagemaker import (
    create,
    follow_command,
    plan_inputs,
    require_free_name,
    save_record,
    upload_inputs,
)
from jobs.commands.dry_run import check_or_print
from jobs.commands.launch import run_on_this_machine, warn_not_sent
from jobs.commands.register import create_group, read_evaluation
from jobs.requests.common import Request, tags, without_empty
from jobs.requests.pipeline import Chain, Gate, pipeline_definition, step_requests
from jobs.requests.registry import group_request
from jobs.results.pipeline_run import FOLDER_ENDINGS, RUN, PipelineFollower, follow_pipeline
from jobs.spec.command_line import require
from jobs.spec.flag_groups import SAGEMAKER
from jobs.spec.inputs import Input, is_remote
from jobs.spec.job import Job
from jobs.spec.job_from_flags import read_job
from jobs.spec.record import read_record
from jobs.spec.results_folder import ResultsFolder
from model.atomic_write import write_json
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    command = read_job("pipeline", argv, __doc__ or "", find_output)
    warn_not_sent(command)
    flags = command.flags
    for name in ("eval_data", "truth"):
        source = getattr(flags, name)
        if not source or (not is_remote(source) and not Path(source).is_dir()):
            raise InputError(f"--{name} {source!r}: expected an existing folder or an s3:// prefix")
    if flags.on == SAGEMAKER or flags.dry_run:
        return on_sagemaker(flags, command.job)
    results, clients = Path(flags.results), Clients(flags.region, flags.profile)
    return run_chain(flags, command.job, results, lambda job: run_on_this_machine(job, flags, results, clients))


def run_chain(flags: Any, training: Job, results: Path, run: Callable[[Job], int]) -> int:
    """Runs training, inference and evaluation on this machine, then checks the gate.

    Args:
        flags: The launcher's flags.
        training: The first job.
        results: Folder with the results of all jobs.
        run: Runs a job and returns its exit code.

    Returns:
        The exit code of the first job that fails. If none fails: DONE or NOT_PASSED, as the gate decides.
    """
    for ending in FOLDER_ENDINGS.values():
        require_free_name(results, f"{training.name}{ending}")
    folder = ResultsFolder(results / training.name)
    answers = ResultsFolder(results / f"{training.name}-answers")
    scores = ResultsFolder(results / f"{training.name}-scores")
    steps: list[tuple[ResultsFolder, JobType[Any], tuple[Input, ...]]] = [
        (answers, INFERENCE, (Input("eval", flags.eval_data), Input("model", str(folder.model)))),
        (scores, EVALUATION, (Input("ground_truth", flags.truth), Input("predictions", str(answers.output)))),
    ]
    # train, predict, evaluate; stop at the first failure
    code = run(training)
    for step, job_type, inputs in steps:
        if code:
            return code
        job = replace(training, type=job_type, name=step.path.name, settings={}, inputs=inputs, checkpoints=None)
        code = run(replace(job, machine=replace(training.machine, count=1, spot=False)))
    if code:
        return code
    # register the model if it passes the gate
    passed, verdict = check_gate(read_evaluation(scores.scores), Gate(flags.gate, flags.low_gate))
    print(verdict)
    if not passed:
        return ExitCode.NOT_PASSED
    registered = folder.path / "registered.json"
    write_json(registered, {"model": str(folder.model), "evaluation": str(scores.scores), "gate": verdict})
    print(f"registered: {registered}")
    return ExitCode.DONE


def check_gate(evaluation: dict[str, Any], gate: Gate) -> tuple[bool, str]:
    """Returns whether a model passes the gate, and a sentence that says so.

    A model whose score has no interval does not pass a gate that requires one.

    Args:
        evaluation: Content of evaluation.json.
        gate: The scores to reach.
    """
    score = evaluation["rarebird"]["macro_f1"]
    low = score["low"]
    passed = score["value"] >= gate.macro_f1 and (gate.low <= 0 or (low is not None and low >= gate.low))
    interval = "no interval" if low is None else f"interval from {low:.4f}"
    result = "passes" if passed else "does not pass"
    return passed, (
        f"macro F1 {score['value']:.4f}, {interval}: {result} the gate (macro F1 {gate.macro_f1:g}, interval from "
        f"{gate.low:g})"
    )


def on_sagemaker(flags: Any, job: Job) -> int:
    """Creates or updates the pipeline and starts an execution; follows it with --wait. Returns the exit code."""
    require(flags, "role", "bucket", "image")
    if flags.cache_days and flags.spot and not flags.checkpoints:
        raise InputError(
            "cache_days and spot: each execution gets its own checkpoint prefix, so that its training never has the "
            "settings of an earlier one; set --checkpoints to a fixed s3:// prefix"
        )
    # build the definition, with all inputs in S3
    clients = Clients(flags.region, flags.profile)
    size_clients = None if flags.dry_run else clients
    training, uploads = plan_inputs(job, size_clients)
    later = replace(
        job, type=INFERENCE, inputs=tuple(Input(name, getattr(flags, name)) for name in ("eval_data", "truth"))
    )
    later, later_uploads = plan_inputs(later, size_clients)
    images, truth = later.inputs
    definition = pipeline_definition(
        Chain(
            training=training,
            eval_data=images.source,
            truth=truth.source,
            gate=Gate(flags.gate, flags.low_gate),
            group=flags.group,
            approval=flags.approval,
            cache_days=flags.cache_days,
        )
    )
    # check or print the requests
    request = pipeline_request(job, definition)
    group = group_request(flags.group, job.account)
    also_checked = [*step_requests(definition), ("create_model_package_group", group)]
    if check_or_print(flags, [("create_pipeline", request)], also_checked, name=job.name, replaces=PIPELINE):
        return ExitCode.DONE
    for ending in filter(None, FOLDER_ENDINGS.values()):
        # without a record these are the results of an earlier execution, which may be replaced
        if read_record(Path(flags.results) / f"{job.name}{ending}") is not None:
            require_free_name(Path(flags.results), f"{job.name}{ending}")
    # upload, create or update the pipeline, and start an execution
    upload_inputs(job, [*uploads, *later_uploads], clients, flags.delete, print)
    create_group(clients, group)
    create_or_update(clients, request)
    start = {"PipelineName": job.name, "ClientRequestToken": str(uuid.uuid4())}
    arn = create(clients, "start_pipeline_execution", start, print)["PipelineExecutionArn"]
    results = Path(flags.results)
    save_record(clients, PIPELINE, "pipeline", results / job.name, request, {RUN: arn})
    print(f"started pipeline {job.name}; {follow_command(job.name)}")
    if not flags.wait:
        return ExitCode.DONE
    return follow_pipeline(PipelineFollower(clients, PIPELINE, job.name, arn=arn), results)


def pipeline_request(job: Job, definition: Request) -> Request:
    """Returns the CreatePipeline request; the pipeline has the name of the training job."""
    return {
        "PipelineName": job.name,
        "PipelineDefinition": json.dumps(definition),
        "ClientRequestToken": str(uuid.uuid4()),
        "RoleArn": job.account.role,
        **without_empty(Tags=tags(job.account)),
    }


def create_or_update(clients: Clients, request: Request) -> None:
    """Creates a pipeline, or updates the definition, role and tags of the existing pipeline of that name."""
    try:
        create(clients, "create_pipeline", request, print)
        return
    except InputError as error:
        if "already exist" not in str(error):
            raise
    changes = {name: request[name] for name in ("PipelineName", "PipelineDefinition", "RoleArn")}
    arn = create(clients, "update_pipeline", changes, print)["PipelineArn"]
    if "Tags" in request:
        create(clients, "add_tags", {"ResourceArn": arn, "Tags": request["Tags"]}, print)
    print(f"updated the existing pipeline {request['PipelineName']}")
