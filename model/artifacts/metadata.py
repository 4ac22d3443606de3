"""What a saved model tells of itself in readable files, read without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from model.artifacts.files import METRICS, SETTINGS
from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings


def read_records(folder: Path) -> tuple[TrainSettings, dict[str, Any]]:
    """The settings and the metrics of a saved model, without its weights. InputError where they cannot be read."""
    return (
        build(TrainSettings, [Layer(f"{folder / SETTINGS}: {{}}", _read_yaml(folder / SETTINGS))]),
        read_json(folder / METRICS),
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. InputError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: expected a JSON object, not {type(content).__name__}")
    return content


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: expected settings by name, not {type(content).__name__}")
    return content
