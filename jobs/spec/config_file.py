"""Moves settings that are too long, or too many, for a request to a YAML file, which is sent as the input `config`.

container.settings_layers reads that file like an experiment file.
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

# limits in botocore's model: HyperParameters of a training, ContainerArguments of a processing job
VALUE_LENGTH = 2500  # characters of a hyperparameter
ARGUMENT_LENGTH = 256  # characters of an argument
MOST_HYPERPARAMETERS = 90  # of 100; the rest is for script mode and SageMaker's own
MOST_ARGUMENTS = 49  # flags with values: 98 of 100 arguments, after the job's type


def move_long_settings(
    job_type: JobType[Any], texts: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[dict[str, str], Input | None]:
    """Splits settings into those that fit in a request and those that are sent as a file.

    Args:
        job_type: The type of job, which decides the limits.
        texts: The settings to send, as text.
        values: The same settings, as Python values.

    Returns:
        The settings in the request, as text, and the input with the file (None if all settings are in the request).

    Raises:
        InputError: A setting would have another value when read from the file.
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
            raise InputError(
                f"--{name} {value!r} cannot be sent in a config file: its value would be read back as "
                f"{getattr(read_back, name)!r}"
            )
    return {name: text for name, text in texts.items() if name not in moved}, file
