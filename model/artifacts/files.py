"""Names of the files of saved models and ensembles, and whether a folder is one. No imports of other libraries."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = "model.safetensors"
SETTINGS = "settings.yaml"
LABELS = "labels.json"
PREPROCESSING = "preprocessing.json"
METRICS = "metrics.json"
CARD = "README.md"
DECISION = "decision.json"  # missing in models of early versions, which predict the most probable class
# Missing in models of early versions, and if only the headers of the images were checked
LEARNT_FROM = "learnt_from.npz"
ENSEMBLE = "ensemble.json"
EPOCHS = "epochs"  # subfolder with the weights of the last epochs (setting keep_epochs)

# Names of the file with the network, one per backend (model.prediction.backends.BACKENDS). A folder with one of them is
# a saved model; if it has more than one, the first is used.
NETWORK_FILES = [WEIGHTS]
NEEDED = (SETTINGS, LABELS, PREPROCESSING, METRICS)  # the other files that are needed to load a saved model


def network_file(folder: Path) -> str | None:
    """Name of the file with the network in a saved model's folder; None if there is none."""
    return next((name for name in NETWORK_FILES if (folder / name).is_file()), None)


def is_saved_model(folder: Path) -> bool:
    """Whether a folder is a saved model, complete or not."""
    return network_file(folder) is not None and (folder / SETTINGS).is_file()


def is_ensemble(folder: Path) -> bool:
    """Whether a folder is an ensemble."""
    return (folder / ENSEMBLE).is_file()


def needed_files() -> list[str]:
    """Names of the files that are needed to load a saved model, for error messages."""
    return [" or ".join(NETWORK_FILES), *NEEDED]


def missing_files(folder: Path) -> list[str]:
    """The needed_files that are missing in a folder; empty for a complete model."""
    network, *others = needed_files()
    missing = [name for name in others if not (folder / name).is_file()]
    return missing if network_file(folder) else [network, *missing]


def last_written(folder: Path) -> Path:
    """The file that is written last: a model or an ensemble with it is complete."""
    return folder / (ENSEMBLE if is_ensemble(folder) else METRICS)
