"""Experiment files: settings of train.py by name, in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from model.errors import InputError, did_you_mean


def read_yaml(path: Path) -> Any:
    """The content of a YAML file that a person names.

    Raises:
        ValueError: The file is missing or no YAML; the message begins with its path and has the nearest name.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        siblings = [entry.name for entry in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise ValueError(f"{path}: {error.strerror}{did_you_mean(path.name, siblings)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: invalid YAML: {' '.join(str(error).split())}") from None


def read_experiment(path: Path) -> dict[str, Any]:
    """Reads the settings of an experiment file, unchecked and in any spelling. An empty file has none.

    Raises:
        InputError: The file is missing or not a YAML mapping.
    """
    try:
        content = read_yaml(path)
    except ValueError as error:
        raise InputError(f"config {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"config {path}: expected settings by name, not {type(content).__name__}")
    return {str(key): value for key, value in content.items()}
