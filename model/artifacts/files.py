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
# Absent where an earlier version saved the model, or its images were checked by their headers alone
LEARNT_FROM = "learnt_from.npz"
ENSEMBLE = "ensemble.json"

# Names of the file that holds the network, one for each backend (model.prediction.backends.BACKENDS). A folder with one
# of them is a saved model; if it has several, the first is used.
NETWORK_FILES = [WEIGHTS]
NEEDED = (SETTINGS, LABELS, PREPROCESSING, METRICS)  # the other files without which a saved model cannot be loaded


def network_file(folder: Path) -> str | None:
    """Name of the file that holds the network of the saved model in folder; None if there is none."""
    return next((name for name in NETWORK_FILES if (folder / name).is_file()), None)


def is_saved_model(folder: Path) -> bool:
    """Whether a saved model lies in folder itself, whole or not."""
    return network_file(folder) is not None and (folder / SETTINGS).is_file()


def is_ensemble(folder: Path) -> bool:
    """Whether folder is an ensemble of models."""
    return (folder / ENSEMBLE).is_file()


def needed_files() -> list[str]:
    """Names of the files without which a saved model cannot be loaded, as an error message lists them."""
    return [" or ".join(NETWORK_FILES), *NEEDED]


def missing_files(folder: Path) -> list[str]:
    """Those of needed_files that a saved model in folder lacks; empty for a model that is whole."""
    network, *others = needed_files()
    missing = [name for name in others if not (folder / name).is_file()]
    return missing if network_file(folder) else [network, *missing]


def last_written(folder: Path) -> Path:
    """The file that completes what lies in folder: a model or an ensemble is saved once this file is there."""
    return folder / (ENSEMBLE if is_ensemble(folder) else METRICS)
