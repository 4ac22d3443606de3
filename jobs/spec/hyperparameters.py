"""A job's own settings as the text that SageMaker sends, and the local files among them as channels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from container.job_types import JobType
from container.opt_ml import OptMl
from container.settings_layers import read
from jobs.spec.inputs import channel_name, channel_place, is_file
from jobs.spec.job import Input
from model.errors import InputError
from model.settings.fields import Layer, as_dict, build


def text_of(value: Any) -> str:
    """A setting as one line of text that model.settings.decode.decode reads back."""
    if isinstance(value, str) and "\n" not in value and not value.startswith('"') and value == value.strip():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def read_settings(job_type: JobType[Any], flags: Sequence[str]) -> Any:
    """The settings that `python SCRIPT FLAGS` has here: flags over SM_HP_* and .env over the experiment file."""
    return read(job_type, list(flags), job_type.name)[0]


def split_settings(
    job_type: JobType[Any], settings: Any, base: Path | None = None
) -> tuple[dict[str, str], list[Input], list[str]]:
    """What is sent of settings: those that differ from their defaults as text, the inputs that some of them name, and
    the settings that have no place in the job, which a caller tells. base: of the tree that the job will see.

    InputError where the text would not mean the same settings in the job.
    """
    tree = OptMl(base) if base else OptMl()
    default = job_type.default_settings
    differing = {name: value for name, value in as_dict(settings).items() if value != getattr(default, name)}
    inputs: list[Input] = []
    sent: dict[str, Any] = {}
    left: list[str] = []
    for name, value in differing.items():
        if name in job_type.folders:
            inputs.append(Input(job_type.folders[name], str(value)))
        elif name in job_type.files and value is not None:
            place = channel_place(tree, job_type, name)
            inputs.append(Input(channel_name(name), str(value)))
            sent[name] = str(place / Path(str(value)).name) if is_file(str(value)) else str(place)
        elif name in job_type.local:
            left.append(name)
        else:
            sent[name] = value
    texts = {name: text_of(value) for name, value in sent.items()}
    read_back = build(job_type.settings, [Layer("default {}", job_type.defaults), Layer("hyperparameter {}", texts)])
    for name, value in sent.items():
        if getattr(read_back, name) != value:
            raise InputError(f"--{name} {value!r} cannot be sent: as text it would mean {getattr(read_back, name)!r}")
    return texts, inputs, left
