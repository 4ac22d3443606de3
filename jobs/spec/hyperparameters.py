"""A job's own settings as the text that SageMaker sends, and the local files among them as inputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from container.job_types import TRAIN, JobType
from container.opt_ml import OptMl
from container.settings_layers import read
from jobs.spec.inputs import Input
from model.errors import InputError
from model.settings.fields import Layer, as_dict, build


def to_text(value: Any) -> str:
    """A setting as one line of text that model.settings.fields.decode reads back."""
    if isinstance(value, str) and "\n" not in value and not value.startswith('"') and value == value.strip():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def read_settings(job_type: JobType[Any], flags: Sequence[str]) -> Any:
    """The settings that `python SCRIPT FLAGS` has here: flags over SM_HP_* and .env over the experiment file."""
    return read(job_type, list(flags), job_type.name)[0]


def split_settings(job_type: JobType[Any], settings: Any) -> tuple[dict[str, str], list[Input], list[str]]:
    """Splits a job's settings into what is sent as text, what is sent as an input, and what is not sent.

    Args:
        settings: An object of the job type's settings class.

    Returns:
        The settings that differ from their defaults, as text; the inputs that some of them name; the names of those
        that are not sent, since they only mean something on this machine.

    Raises:
        InputError: Text would not mean the same setting in the job.
    """
    default = job_type.default_settings
    differing = {name: value for name, value in as_dict(settings).items() if value != getattr(default, name)}
    inputs: list[Input] = []
    sent: dict[str, Any] = {}
    not_sent: list[str] = []
    for name, value in differing.items():
        if name in job_type.folders:
            inputs.append(Input(job_type.folders[name], str(value)))
        elif name in job_type.files and value is not None:
            file = Input.of_setting(name, str(value))
            inputs.append(file)
            sent[name] = str(path_in_job(job_type, file))
        elif name in job_type.local:
            not_sent.append(name)
        else:
            sent[name] = value
    texts = {name: to_text(value) for name, value in sent.items()}
    read_back = build(job_type.settings, [Layer("default {}", job_type.defaults), Layer("hyperparameter {}", texts)])
    for name, value in sent.items():
        if getattr(read_back, name) != value:
            raise InputError(f"--{name} {value!r} cannot be sent: as text it would mean {getattr(read_back, name)!r}")
    return texts, inputs, not_sent


def path_in_job(job_type: JobType[Any], file: Input) -> Path:
    """Where a job finds an input below /opt/ml: a file in the input's folder, or that folder."""
    opt_ml = OptMl()
    folder = opt_ml.channel(file.name) if job_type is TRAIN else opt_ml.processing_input(file.name)
    return folder / Path(file.source).name if file.is_file else folder
