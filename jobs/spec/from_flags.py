"""From a command's flags to the one description of a job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from container.environment import Environment
from container.job_types import EVALUATION, INFERENCE, INFERENCE_TTA, TRAIN, JobType
from jobs.spec.flags import SAGEMAKER, EvaluationFlags, ProcessFlags, TrainFlags, read_flags, require
from jobs.spec.hyperparameters import read_settings, split_settings
from jobs.spec.inputs import _named_inputs, check_inputs
from jobs.spec.job import NAME_LENGTH, Job, own_checkpoints, unique_name
from model.errors import InputError

FLAGS: dict[str, type] = {  # of the launcher, by the job type's name
    TRAIN.name: TrainFlags,
    INFERENCE.name: ProcessFlags,
    INFERENCE_TTA.name: ProcessFlags,
    EVALUATION.name: EvaluationFlags,
}
TRACKING = ("WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY")


@dataclass(frozen=True)
class Described:
    """flags: the launcher's; job: sources of its inputs are as they were given; settings: the job's own object; left:
    names of settings that have no place in the job."""

    flags: Any
    job: Job
    settings: Any
    left: list[str]


def describe(job_type: JobType[Any], argv: Sequence[str], usage: str, flags_class: type | None = None) -> Described:
    """The job that a command means. InputError tells what is wrong with flags, settings and inputs."""
    read: tuple[Any, list[str]] = read_flags(flags_class or FLAGS[job_type.name], argv, usage, job_type)
    flags, words = read
    settings = read_settings(job_type, words)
    texts, inputs, left = split_settings(job_type, settings)
    to_sagemaker = flags.on == SAGEMAKER or flags.dry_run
    if to_sagemaker:
        require(flags, "role", "bucket", "image")
    inputs = _named_inputs(job_type, flags, inputs)
    check_inputs(inputs, job_type.required_inputs)
    account = flags.account()
    stem = settings.name if job_type is TRAIN else job_type.name
    name = flags.job_name or unique_name(stem)
    if not re.fullmatch(rf"[a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{NAME_LENGTH - 1}}}", name):
        raise InputError(f"--job_name {name!r}: expected letters, digits and single dashes, at most {NAME_LENGTH}")
    job = Job(
        type=job_type,
        name=name,
        settings=texts,
        inputs=tuple(inputs),
        machine=flags.machine(),
        limits=flags.limits(),
        account=account,
        compress=getattr(flags, "compress", True),
        environment={
            **(tracking() if job_type is TRAIN and to_sagemaker else {}),
            **{key: str(value) for key, value in flags.environment.items()},
        },
    )
    checkpoints = getattr(flags, "checkpoints", None)
    if job_type is TRAIN and to_sagemaker:
        job = replace(job, checkpoints=checkpoints or (own_checkpoints(job) if flags.spot else None))
    else:
        job = replace(job, checkpoints=checkpoints)
    return Described(flags, job, settings, left)


def tracking() -> dict[str, str]:
    """What a training on SageMaker is told of Weights & Biases; the key is not, for whoever may see the request could
    read it. Here and in the image the job has it from the environment."""
    variables = Environment().variables
    return {name: variables[name] for name in TRACKING if variables.get(name)}
