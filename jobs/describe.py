"""From a command's flags to the one description of a job."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from container.environment import Environment
from jobs.description import (
    EVALUATION,
    INFERENCE,
    INFERENCE_TTA,
    NAME_LENGTH,
    TRAIN,
    TUNE,
    Account,
    Input,
    Job,
    own_checkpoints,
    unique_name,
)
from jobs.flags import SAGEMAKER, EvaluationFlags, LaunchFlags, ProcessFlags, TrainFlags, read_flags, require
from jobs.hyperparameters import CLASSES, check_inputs, read_settings, split_settings
from jobs.records import find_record, records, refuse_several
from model.settings import InputError

FLAGS: dict[str, type] = {
    TRAIN: TrainFlags,
    INFERENCE: ProcessFlags,
    INFERENCE_TTA: ProcessFlags,
    EVALUATION: EvaluationFlags,
}
NEEDED = {
    TRAIN: {"train": "--data"},
    INFERENCE: {"eval": "--data", "model": "--model_dir"},
    INFERENCE_TTA: {"eval": "--data", "model": "--model_dir"},
    EVALUATION: {"ground_truth": "--ground_truth_dir", "predictions": "--output_data_dir"},
}
MADE_BY = {"model": (TRAIN, TUNE), "predictions": (INFERENCE, INFERENCE_TTA)}  # whose `latest` an input means
TRACKING = ("WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY")
CHANNEL = {TRAIN: "train", INFERENCE: "eval", INFERENCE_TTA: "eval"}  # that --data names


@dataclass(frozen=True)
class Described:
    """flags: the launcher's; job: sources of its inputs are as they were given; settings: the job's own object; left:
    names of settings that have no place in the job."""

    flags: Any
    job: Job
    settings: Any
    left: list[str]


def describe(what: str, argv: Sequence[str], usage: str, flags_class: type | None = None) -> Described:
    """The job that a command means. InputError tells what is wrong with flags, settings and inputs."""
    read: tuple[Any, list[str]] = read_flags(flags_class or FLAGS[what], argv, usage, CLASSES[what])
    flags, words = read
    settings = read_settings(what, words)
    texts, inputs, left = split_settings(what, settings)
    to_sagemaker = flags.on == SAGEMAKER or flags.dry_run
    if to_sagemaker:
        require(flags, "role", "bucket", "image")
    inputs = _named_inputs(what, flags, inputs)
    check_inputs(inputs, NEEDED[what])
    account = flags.account()
    stem = getattr(settings, "name", what) if what == TRAIN else what
    name = flags.job_name or unique_name(stem)
    if not re.fullmatch(rf"[a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{NAME_LENGTH - 1}}}", name):
        raise InputError(f"--job_name {name!r}: expected letters, digits and single dashes, at most {NAME_LENGTH}")
    job = Job(
        what=what,
        name=name,
        settings=texts,
        inputs=tuple(inputs),
        machine=flags.machine(),
        limits=flags.limits(),
        account=account,
        compress=getattr(flags, "compress", True),
        environment={
            **(tracking() if what == TRAIN and to_sagemaker else {}),
            **{key: str(value) for key, value in flags.environment.items()},
        },
    )
    checkpoints = getattr(flags, "checkpoints", None)
    if what == TRAIN and to_sagemaker:
        job = replace(job, checkpoints=checkpoints or (own_checkpoints(job) if flags.spot else None))
    else:
        job = replace(job, checkpoints=checkpoints)
    return Described(flags, job, settings, left)


def tracking() -> dict[str, str]:
    """What a training on SageMaker is told of Weights & Biases; the key is not, for whoever may see the request could
    read it. Here and in the image the job has it from the environment."""
    variables = Environment().variables
    return {name: variables[name] for name in TRACKING if variables.get(name)}


def _named_inputs(what: str, flags: LaunchFlags, inputs: Sequence[Input]) -> list[Input]:
    """Inputs with what the launcher's own flags say of them, and with jobs' names followed to what they made."""
    found = {given.name: given for given in inputs}
    data = getattr(flags, "data", "")
    if data:
        channel = CHANNEL[what]
        if channel in found:
            raise InputError(f"--data and --{channel}_dir both name the channel {channel}; give one of them")
        found = {channel: Input(channel, data), **found}
    mode = getattr(flags, "mode", "File")
    return [
        replace(
            given,
            source=produced(given.source, given.name, flags),
            mode=mode if given.name in ("train", "validation") else "File",
        )
        for given in found.values()
    ]


def produced(source: str, wanted: str, flags: Any) -> str:
    """source, or where a job of that name left its model, answers or evaluation (wanted: the input that asks): on this
    machine where its results are, else in S3. Of a search it is its best training's, once that is fetched. InputError
    where that job failed, or several begin so."""
    if source.startswith("s3://") or not source or Path(source).exists() or "/" in source:
        return source
    results, made_by = Path(flags.results), MADE_BY.get(wanted)
    record = find_record(results, source, made_by)
    if record is None:
        if made_by:
            refuse_several(results, source, records(results, made_by))
        return source
    if record.failed:
        raise InputError(f"{wanted}: {record.what} {record.name} {record.state}; nothing is taken from it")
    folder = {"model": "model", "predictions": "output", "evaluation": "evaluation"}.get(wanted, "output")
    here = record.folder / folder
    if here.is_dir() and (flags.on != SAGEMAKER or record.on != SAGEMAKER):
        return str(here)
    if record.what == TUNE and not here.is_dir():
        raise InputError(f"{wanted}: python -m jobs fetch {record.name} brings the best model of the search first")
    return record.places.get(folder, str(here))


def s3_place(account: Account, source: str, below: str = "data") -> str:
    """Where a local folder or file goes in S3: the same place for the same path, so that only changes are sent. Two
    machines with the same path share it."""
    path = Path(source).resolve()
    mark = hashlib.blake2b(str(path).encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-") or "data"
    return f"{account.root}/{below}/{stem}-{mark}/"


def with_s3_inputs(job: Job) -> Job:
    """The same job with the places in S3 that its local inputs have there once they are sent."""
    placed = [
        given if given.is_remote else replace(given, source=s3_place(job.account, given.source)) for given in job.inputs
    ]
    return replace(job, inputs=tuple(placed))


def local_inputs(job: Job) -> list[tuple[Input, str]]:
    """The inputs that have to be sent, each with its place in S3."""
    return [(given, s3_place(job.account, given.source)) for given in job.inputs if not given.is_remote]
