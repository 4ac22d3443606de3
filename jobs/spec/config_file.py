"""Settings that are too long, or too many, for a request go along as a file in the input `config`.

container.settings_layers reads it there as it reads an experiment file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from container.job_types import TRAIN, JobType
from container.settings_layers import CONFIG, CONFIG_CHANNEL
from jobs.spec.inputs import Input
from model.errors import InputError
from model.settings.fields import Layer, build

# botocore's model: HyperParameters of a training, ContainerArguments of a processing job
VALUE_LENGTH = 2500  # characters of a hyperparameter
ARGUMENT_LENGTH = 256  # characters of an argument
MOST_HYPERPARAMETERS = 90  # of 100, the others for those of script mode and of SageMaker itself
MOST_ARGUMENTS = 49  # flags with their values; the job's name comes before them


def move_long_settings(
    job_type: JobType[Any], texts: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[dict[str, str], Input | None]:
    """Splits settings into those that a request takes and those of a file.

    Args:
        texts: The settings to send, as text.
        values: The same, as they are.

    Returns:
        The settings that stay, as text, and the input with the file of the others; None where all stay.

    Raises:
        InputError: The file would not mean the same settings.
    """
    longest, most = (VALUE_LENGTH, MOST_HYPERPARAMETERS) if job_type is TRAIN else (ARGUMENT_LENGTH, MOST_ARGUMENTS)
    moved = {name: values[name] for name, text in texts.items() if len(text) > longest}
    if len(texts) - len(moved) > most:
        moved = dict(values)
    if not moved:
        return dict(texts), None
    file = Input(CONFIG_CHANNEL, CONFIG.name, content=moved)
    layers = [Layer("default {}", job_type.defaults), Layer(f"{CONFIG}: {{}}", yaml.safe_load(file.text))]
    read_back = build(job_type.settings, layers)
    for name, value in moved.items():
        if getattr(read_back, name) != value:
            raise InputError(f"--{name} {value!r} cannot be sent: in a file it would mean {getattr(read_back, name)!r}")
    return {name: text for name, text in texts.items() if name not in moved}, file
