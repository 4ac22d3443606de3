"""Reads a command line and builds the description of the job."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from container.environment import Environment
from container.job_types import TRAIN, JobType
from jobs.spec.command_line import read_flags, require
from jobs.spec.config_file import move_long_settings
from jobs.spec.earlier_jobs import Lookup, resolve_source
from jobs.spec.flag_groups import SAGEMAKER, RunFlags
from jobs.spec.flags import JOB_SETTINGS
from jobs.spec.hyperparameters import read_settings, split_settings
from jobs.spec.inputs import Input, check_inputs
from jobs.spec.isolation import isolation_problem
from jobs.spec.job import NAME_LENGTH, Job, unique_name
from model.errors import InputError

JOB_NAME = rf"[a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{NAME_LENGTH - 1}}}"  # pattern of TrainingJobName
WANDB_VARIABLES = ("WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY")  # sent to SageMaker, unlike the secret API key


@dataclass(frozen=True)
class JobFromFlags:
    """A job and the command line that it was read from.

    Attributes:
        flags: The launcher's flags.
        job: The job; its inputs are not uploaded yet.
        settings: The job's settings object.
        not_sent: Names of settings that only apply to this machine.
        moved: Settings that name an output outside the job's output folder: see SplitSettings.
    """

    flags: Any
    job: Job
    settings: Any
    not_sent: list[str]
    moved: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def read_job(command: str, argv: Sequence[str], usage: str, lookup: Lookup | None = None) -> JobFromFlags:
    """Reads a command line.

    Args:
        command: The subcommand, a key of JOB_SETTINGS.
        argv: The flags of launcher and job.
        usage: The text that --help prints above the flags.
        lookup: Looks up jobs on SageMaker that were started on other machines.

    Raises:
        InputError: Flags, settings or inputs are invalid.
    """
    # read the flags of launcher and job, and split the job's settings by how they are sent
    job_type = JOB_SETTINGS[command]
    flags, job_argv = read_flags(command, argv, usage)
    settings = read_settings(job_type, job_argv)
    split = split_settings(job_type, settings, lambda source, name: resolve_source(source, name, flags, lookup))
    problem = isolation_problem(settings) if job_type is TRAIN and getattr(flags, "isolated", False) else None
    if problem and not getattr(flags, "ranges", None):  # a search checks every combination of its settings later
        raise InputError(problem)
    texts, config = move_long_settings(job_type, split.texts, split.values)
    if config is not None:
        split.inputs.append(config)
    # complete and check account and inputs
    for_sagemaker = flags.on == SAGEMAKER or flags.dry_run
    if for_sagemaker:
        require(flags, "role", "bucket", "image")
    inputs = complete_inputs(job_type, flags, split.inputs)
    check_inputs(inputs, job_type.required_inputs, job_type.replaced_by)
    job = Job(
        type=job_type,
        name=job_name(job_type, flags, settings),
        settings=texts,
        inputs=tuple(inputs),
        machine=flags.machine(),
        limits=flags.limits(),
        account=flags.account(),
        checkpoints=getattr(flags, "checkpoints", None),
        compress=getattr(flags, "compress", True),
        live_curves=getattr(flags, "live_curves", False),
        environment={
            **(wandb_variables() if job_type is TRAIN and for_sagemaker else {}),
            **{key: str(value) for key, value in flags.environment.items()},
        },
    )
    if job.is_training and for_sagemaker and not job.checkpoints:
        job = replace(job, checkpoints=job.default_checkpoints)
    return JobFromFlags(flags, job, settings, split.not_sent, split.moved)


def job_name(job_type: JobType[Any], flags: RunFlags, settings: Any) -> str:
    """Returns --job_name, or a unique name if it is empty.

    Args:
        job_type: The type of job.
        flags: The launcher's flags.
        settings: The job's settings; a training's unique name begins with its setting `name`.

    Raises:
        InputError: AWS would not accept the name.
    """
    name = flags.job_name or unique_name(settings.name if job_type is TRAIN else job_type.name)
    if not re.fullmatch(JOB_NAME, name):
        raise InputError(f"--job_name {name!r}: expected at most {NAME_LENGTH} letters, digits and dashes between them")
    return name


def complete_inputs(job_type: JobType[Any], flags: Any, inputs: Sequence[Input]) -> list[Input]:
    """Returns the inputs that settings name, and the input of the launcher's flag --data.

    Args:
        job_type: The type of job.
        flags: The launcher's flags.
        inputs: The inputs that settings name.

    Raises:
        InputError: A setting and --data set the same input.
    """
    by_name = {each.name: each for each in inputs}
    data = getattr(flags, "data", "")
    if data:
        name = job_type.data
        if name in by_name:
            raise InputError(f"--data and --{name}_dir both set the channel {name}; use only one of them")
        by_name = {name: Input(name, resolve_source(data, name, flags)), **by_name}
    mode = getattr(flags, "mode", "File")
    return [replace(each, mode=mode if each.name in ("train", "validation") else "File") for each in by_name.values()]


def wandb_variables() -> dict[str, str]:
    """Returns the environment variables of Weights & Biases that are sent to a training on SageMaker.

    The API key is not sent, since everyone who may see the request could read it. A job on this machine inherits all
    variables.
    """
    variables = Environment().variables
    return {name: variables[name] for name in WANDB_VARIABLES if variables.get(name)}
