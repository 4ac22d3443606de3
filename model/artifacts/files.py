"""Names of the files in a saved model's folder, and what a folder holds: a saved model, an ensemble, or neither."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = "model.safetensors"
SETTINGS = "settings.yaml"
LABELS = "labels.json"
PREPROCESSING = "preprocessing.json"
METRICS = "metrics.json"
CARD = "README.md"
DECISION = "decision.json"  # absent where an earlier version saved the model: the most probable class
ENSEMBLE = "ensemble.json"
NEEDED = (WEIGHTS, SETTINGS, LABELS, PREPROCESSING, METRICS)  # files without which a saved model cannot be loaded


def is_saved_model(folder: Path) -> bool:
    """Whether a saved model lies in folder itself, whole or not."""
    return (folder / WEIGHTS).is_file() and (folder / SETTINGS).is_file()


def is_ensemble(folder: Path) -> bool:
    """Whether folder is an ensemble of models."""
    return (folder / ENSEMBLE).is_file()


def missing_files(folder: Path) -> list[str]:
    """Names of the files that a saved model in folder lacks; empty for a model that is whole."""
    return [name for name in NEEDED if not (folder / name).is_file()]


def last_written(folder: Path) -> Path:
    """The file that completes what lies in folder: a model or an ensemble is saved once this file is there."""
    return folder / (ENSEMBLE if is_ensemble(folder) else METRICS)
