"""Reads settings.yaml and metrics.json of a saved model. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from model.artifacts.files import METRICS, SETTINGS
from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings


def read_settings_and_metrics(folder: Path) -> tuple[TrainSettings, dict[str, Any]]:
    """The settings and the metrics of the saved model in a folder. InputError if a file is unreadable."""
    return (
        build(TrainSettings, [Layer(f"{folder / SETTINGS}: {{}}", _read_yaml(folder / SETTINGS))]),
        read_json_object(folder / METRICS),
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """As load_json_object, but all errors are InputErrors whose message starts with the name of the file."""
    try:
        return load_json_object(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}") from None
    except TypeError as error:
        raise InputError(f"{path.name}: {error}") from None


def load_json_object(path: Path) -> dict[str, Any]:
    """Content of a JSON file. OSError or ValueError if it is unreadable, TypeError if it is not an object."""
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError(f"expected a JSON object, not {type(content).__name__}")
    return content


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: expected a mapping of settings, not {type(content).__name__}")
    return content
