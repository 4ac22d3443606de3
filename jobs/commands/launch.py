"""A job from a command's flags to the place where it runs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from container.job_types import JobType
from jobs.requests.train_and_process import as_json
from jobs.spec.flags import DOCKER, HERE, SAGEMAKER
from jobs.spec.from_flags import Described, describe
from jobs.spec.inputs import with_s3_inputs
from jobs.spec.job import Job
from jobs.storage.script_mode import SOURCE, entry, pack_source
from model.errors import InputError


def run(job_type: JobType[Any], argv: Sequence[str], usage: str) -> int:
    """The exit code of a verb that starts a job."""
    described = describe(job_type, argv, usage)
    flags, job = described.flags, described.job
    tell_left(described)
    job, source = with_source(job, flags)
    if flags.dry_run:
        from jobs.backends.sagemaker import checked, request_of

        method, request = request_of(with_s3_inputs(job))
        checked([(method, request)])
        print(as_json([(method, request)]))
        return 0
    from jobs.aws.clients import Clients
    from jobs.backends.local_run import tell_line

    clients = Clients(flags.region, flags.profile)
    results = Path(flags.results)
    if source is not None and flags.on != SAGEMAKER:
        raise InputError("--script_mode is for SageMaker; here and on docker the code is at hand")
    if (results / job.name).exists():
        raise InputError(f"{results / job.name} is there already; another --job_name")
    if flags.on == HERE:
        from jobs.backends import local_process as here

        return here.run(job, results, clients, tell_line)
    if flags.on == DOCKER:
        from jobs.backends import docker

        return docker.run(job, results, clients, flags.shm_size, flags.gpus, tell_line)
    from jobs.backends import sagemaker

    if source is not None:
        send_source(source, clients, flags.kms_key)
    return sagemaker.run(job, results, clients, flags.wait, flags.delete, tell_line)


def with_source(job: Job, flags: Any) -> tuple[Job, str | None]:
    """A job in script mode with the place in S3 from which AWS's container takes this folder; others as they are, and
    None."""
    if not getattr(flags, "script_mode", False):
        return job, None
    source = f"{job.folder}/source/{SOURCE}"
    return replace(job, entry=entry(job, source, flags.region)), source


def send_source(place: str, clients: Any, kms_key: str | None) -> None:
    """Packs and sends this folder for script mode, and names what the container will install."""
    from jobs.storage.s3 import parse
    from jobs.storage.upload import send_folder

    with tempfile.TemporaryDirectory(prefix="rarebird-") as made:
        wanted = pack_source(Path(made) / SOURCE)
        send_folder(clients.s3, Path(made) / SOURCE, parse(place.removesuffix(SOURCE)), kms_key=kms_key)
    print(f"the container installs, where it does not have them: {', '.join(wanted)}")


def tell_left(described: Described) -> None:
    """Settings that name places of this machine, which a job has none of."""
    named = [name for name in described.left if name != "config"]
    if named:
        print(f"left to the job's own tree: {', '.join(named)}", file=sys.stderr)
