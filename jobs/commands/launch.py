"""Starts a job on the backend that --on selects: the common part of train, inference, inference_TTA and evaluation."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.aws.earlier_outputs import find_output
from jobs.backends import docker, local_process, sagemaker
from jobs.commands.dry_run import check_or_print
from jobs.spec.console import print_line
from jobs.spec.flag_groups import DOCKER, HERE, SAGEMAKER
from jobs.spec.flags import REPLICATED
from jobs.spec.job import Job
from jobs.spec.job_from_flags import JobFromFlags, read_job
from jobs.storage.distribution import distributed, require_parts
from jobs.storage.s3 import S3Uri
from jobs.storage.script_mode import SOURCE_ARCHIVE, pack_source, toolkit_hyperparameters
from jobs.storage.upload import upload_folder
from model.errors import ExitCode


def launch(name: str, argv: Sequence[str], usage: str) -> int:
    """Reads a subcommand's command line, runs or starts the job, and returns the exit code.

    Args:
        name: The subcommand: train, inference, inference_TTA or evaluation.
        argv: The command line.
        usage: The text that --help prints above the flags.
    """
    command = read_job(name, argv, usage, find_output)
    warn_not_sent(command)
    flags = command.flags
    job, source = with_source(command.job, flags)
    distribution = getattr(flags, "distribution", REPLICATED)
    if flags.dry_run:
        job = distributed(job, distribution, None)
        check_or_print(flags, [sagemaker.job_request(sagemaker.plan_inputs(job)[0])], name=None)
        return ExitCode.DONE
    clients = Clients(flags.region, flags.profile)
    results = Path(flags.results)
    sagemaker.require_free_name(results, job.name)
    if flags.on != SAGEMAKER:
        return run_on_this_machine(job, flags, results, clients)
    # on SageMaker: divide the images among machines, upload the source, then start the job
    job = distributed(job, distribution, clients)
    require_parts(job, clients)
    if source is not None:
        upload_source(source, clients, flags.kms_key)
    return sagemaker.run(job, results, clients, flags.wait, flags.delete, print_line)


def run_on_this_machine(job: Job, flags: Any, results: Path, clients: Clients) -> int:
    """Runs a job with --on here or docker to its end.

    Args:
        job: The job.
        flags: The launcher's flags.
        results: Folder with the results of all jobs.
        clients: Clients of the AWS account, for inputs in S3.

    Returns:
        Its exit code.
    """
    if flags.on == HERE:
        return local_process.run(job, results, clients, print_line)
    assert flags.on == DOCKER
    return docker.run(job, results, clients, flags.shm_size, flags.gpus, print_line)


def with_source(job: Job, flags: Any) -> tuple[Job, str | None]:
    """Returns the job with the hyperparameters of script mode, and the S3 URI of its source. Without --script_mode
    returns the unchanged job and None."""
    if not getattr(flags, "script_mode", False):
        return job, None
    source = f"{job.s3_folder}/source/{SOURCE_ARCHIVE}"
    return replace(job, entry=toolkit_hyperparameters(job, source, flags.region)), source


def upload_source(source: str, clients: Clients, kms_key: str | None) -> None:
    """Packs and uploads the project's source for script mode, and prints what the container will install.

    Args:
        source: S3 URI of sourcedir.tar.gz.
        clients: Clients of the AWS account.
        kms_key: KMS key that encrypts the upload, None for none.
    """
    with tempfile.TemporaryDirectory(prefix="rarebird-") as folder:
        required = pack_source(Path(folder) / SOURCE_ARCHIVE)
        prefix = S3Uri.parse(source.removesuffix(SOURCE_ARCHIVE))
        upload_folder(clients.s3, Path(folder) / SOURCE_ARCHIVE, prefix, kms_key=kms_key)
    print(f"the container installs these packages if they are missing: {', '.join(required)}")


def warn_not_sent(command: JobFromFlags) -> None:
    """Prints to stderr the settings that are not sent as they were typed.

    These are settings that name folders of this machine (the job uses its own /opt/ml), settings that are too long for
    the request, and outputs that are written to the job's own output folder instead.
    """
    names = [name for name in command.not_sent if name != "config"]
    if names:
        print(f"not sent, the job uses its own folders: {', '.join(names)}", file=sys.stderr)
    for each in command.job.inputs:
        if each.content is not None:
            print(
                f"too long for the request, sent as a file (input {each.name}): {', '.join(each.content)}",
                file=sys.stderr,
            )
    folder = Path(command.flags.results) / command.job.name / command.job.type.output
    for name, (value, file) in command.moved.items():
        print(f"--{name} {value}: jobs write to their own folder; the result will be {folder / file}", file=sys.stderr)
