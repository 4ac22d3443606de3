"""Converts a job's settings to the text that SageMaker sends, and the local files that they name to inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container.job_types import FILE, TRAIN, JobType
from container.opt_ml import OptMl
from container.settings_layers import read
from jobs.spec.inputs import Input, is_remote
from model.errors import InputError
from model.settings.fields import Layer, as_dict, build, value_text

OWN_OUTPUT = (
    "a job always writes to RESULTS/JOB; on SageMaker it writes to s3://BUCKET/PREFIX/JOB, and the results are then "
    "downloaded to RESULTS/JOB"
)


def to_text(value: Any) -> str:
    """Converts a setting to one line of text that model.settings.fields.decode reads back."""
    if isinstance(value, str) and "\n" not in value and not value.startswith('"') and value == value.strip():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def read_settings(job_type: JobType[Any], flags: Sequence[str]) -> Any:
    """Reads the settings that `python SCRIPT FLAGS` would have on this machine: flags take precedence over SM_HP_* and
    .env, and these over the experiment file."""
    return read(job_type, list(flags), job_type.name)[0]


@dataclass
class SplitSettings:
    """A job's settings, split by how they reach the job.

    Attributes:
        texts: The settings to send, as text.
        values: The same settings, as Python values.
        inputs: The files and folders that settings name, sent as inputs.
        not_sent: Names of settings that only apply to this machine.
        moved: Settings that name an output outside the job's output folder: the original path, and the path in the
            output folder ("" for the folder itself).
    """

    texts: dict[str, str]
    values: dict[str, Any]
    inputs: list[Input]
    not_sent: list[str]
    moved: dict[str, tuple[str, str]]


def split_settings(
    job_type: JobType[Any], settings: Any, resolve: Callable[[str, str], str] = lambda source, _: source
) -> SplitSettings:
    """Splits the settings of a job that differ from their defaults.

    Args:
        job_type: The type of job.
        settings: An object of the job type's settings class.
        resolve: Returns the path or S3 URI of a source, which may name a job; called with the source and the input's
            name.

    Raises:
        InputError: Settings cannot be used in a launched job, or would have another value when read from text.
    """
    default = job_type.default_settings
    differing = {name: value for name, value in as_dict(settings).items() if value != getattr(default, name)}
    sent: dict[str, Any] = {}
    split = SplitSettings({}, sent, [], [], {})
    problems: list[str] = []
    for name, value in differing.items():
        if name in job_type.refused:
            problems.append(f"{name} {value_text(value)}: {job_type.refused[name]}")
        elif name in job_type.local:
            split.not_sent.append(name)
        elif name in job_type.folders:
            folder = Input(job_type.folders[name], resolve(str(value), job_type.folders[name]))
            split.inputs.append(folder)
            if folder.is_file and name in job_type.tables:
                sent[name] = str(path_in_job(job_type, folder))
        elif name in job_type.files:
            sent[name] = _send_files(job_type, name, value, resolve, split.inputs)
        elif name in job_type.outputs:
            file = Path(value).name if job_type.outputs[name] == FILE else ""
            if is_remote(value) or file == "..":
                problems.append(f"{name} {value}: expected a local {job_type.outputs[name]}; {OWN_OUTPUT}")
                continue
            if file:
                sent[name] = file
            if file != value:
                split.moved[name] = (value, file)
        else:
            sent[name] = value
    if problems:
        raise InputError("settings:\n" + "\n".join(f"  {problem}" for problem in problems))
    split.texts = _as_texts(job_type, sent)
    return split


def _as_texts(job_type: JobType[Any], sent: Mapping[str, Any]) -> dict[str, str]:
    """Converts settings to text. Raises InputError if a setting would be read back as another value."""
    texts = {name: to_text(value) for name, value in sent.items()}
    read_back = build(job_type.settings, [Layer("default {}", job_type.defaults), Layer("hyperparameter {}", texts)])
    for name, value in sent.items():
        if getattr(read_back, name) != value:
            raise InputError(
                f"--{name} {value!r} cannot be sent as text: it would be read back as {getattr(read_back, name)!r}"
            )
    return texts


def _send_files(
    job_type: JobType[Any], name: str, value: Any, resolve: Callable[[str, str], str], inputs: list[Input]
) -> Any:
    """Adds the files that a setting names to the inputs; returns the setting with the paths in the job."""
    if isinstance(value, list):  # PATH[:WEIGHT], one input each
        paths = []
        for number, item in enumerate(value, 1):
            source, weight = split_weight(item)
            each = Input.for_setting(f"{name}-{number}", resolve(source, job_type.jobs.get(name, name)))
            inputs.append(each)
            paths.append(f"{path_in_job(job_type, each)}{weight}")
        return paths
    if value == job_type.words.get(name):
        return value
    if name in job_type.inside and not is_remote(value) and not Path(value).exists() and not Path(value).is_absolute():
        return value  # a file in the data
    is_csv = value.lower().endswith(".csv")
    if name in job_type.beside and is_csv:
        if Path(value).name == value:
            return value
        folder, _, file = value.rpartition("/")
        each = Input.for_setting(name, f"{folder}/")
        inputs.append(each)
        return str(path_in_job(job_type, each) / file)
    each = Input.for_setting(name, resolve(value, job_type.jobs.get(name, name)))
    inputs.append(each)
    return str(path_in_job(job_type, each))


def split_weight(text: str) -> tuple[str, str]:
    """Splits PATH[:WEIGHT] into PATH and :WEIGHT ("" without one), like model.paths.parse_weighted; PATH may be an S3
    URI."""
    path, colon, weight = text.rpartition(":")
    is_weighted = colon and not Path(text).exists() and re.fullmatch(r"[0-9.eE+-]+", weight)
    return (path, f":{weight}") if is_weighted else (text, "")


def path_in_job(job_type: JobType[Any], file: Input) -> Path:
    """Returns the path of an input in the job, below /opt/ml: a file in the input's folder, or that folder."""
    opt_ml = OptMl()
    folder = opt_ml.channel(file.name) if job_type is TRAIN else opt_ml.processing_input(file.name)
    return folder / Path(file.source).name if file.is_file else folder
