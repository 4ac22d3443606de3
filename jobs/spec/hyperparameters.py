"""A job's own settings as the text that SageMaker sends, and the local files among them as channels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from container.layout import Layout
from container.settings_layers import read
from jobs.spec.inputs import FILES, FOLDERS, channel_name, channel_place, is_file
from jobs.spec.job import EVALUATION, INFERENCE, INFERENCE_TTA, TRAIN, Input
from model.errors import InputError
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, as_dict, build, differences
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings

CLASSES: dict[str, type] = {
    TRAIN: TrainSettings,
    INFERENCE: InferenceSettings,
    INFERENCE_TTA: InferenceSettings,
    EVALUATION: EvaluationSettings,
}
DEFAULTS: dict[str, dict[str, Any]] = {INFERENCE_TTA: {"num_tta": 4}}  # inference_TTA.py's own
PLACES = ("config", "model_dir", "eval_dir", "output_data_dir", "checkpoint_dir")  # that the job finds in its own tree


def text_of(value: Any) -> str:
    """A setting as one line of text that model.settings.decode.decode reads back."""
    if isinstance(value, str) and "\n" not in value and not value.startswith('"') and value == value.strip():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def read_settings(what: str, flags: Sequence[str]) -> Any:
    """The settings that `python WHAT.py FLAGS` has here: flags over SM_HP_* and .env over the experiment file."""
    settings: Any = read(CLASSES[what], list(flags), what, **DEFAULTS.get(what, {}))[0]
    return settings


def split_settings(what: str, settings: Any, base: Path | None = None) -> tuple[dict[str, str], list[Input], list[str]]:
    """What is sent of settings: those that differ from their defaults as text, the inputs that some of them name, and
    the settings that have no place in the job, which a caller tells. base: of the tree that the job will see.

    InputError where the text would not mean the same settings in the job.
    """
    tree = Layout(base) if base else Layout()
    differing = differences(settings)
    if what in DEFAULTS:
        default = replace(type(settings)(), **DEFAULTS[what])
        differing = {key: value for key, value in as_dict(settings).items() if value != getattr(default, key)}
    inputs: list[Input] = []
    sent: dict[str, Any] = {}
    left: list[str] = []
    for name, value in differing.items():
        if name in FOLDERS[what]:
            inputs.append(Input(FOLDERS[what][name], str(value)))
        elif name in FILES[what] and value is not None:
            place = channel_place(tree, what, name)
            inputs.append(Input(channel_name(name), str(value)))
            sent[name] = str(place / Path(str(value)).name) if is_file(str(value)) else str(place)
        elif name in PLACES:
            left.append(name)
        else:
            sent[name] = value
    texts = {name: text_of(value) for name, value in sent.items()}
    defaults = [Layer("default {}", DEFAULTS[what])] if what in DEFAULTS else []
    read_back = build(type(settings), [*defaults, Layer("hyperparameter {}", texts)])
    for name, value in sent.items():
        if getattr(read_back, name) != value:
            raise InputError(f"--{name} {value!r} cannot be sent: as text it would mean {getattr(read_back, name)!r}")
    return texts, inputs, left
