"""Where models lie on the disk: a saved model or an ensemble, told by the files in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from model.errors import InputError, did_you_mean, listing

WEIGHTS = "model.safetensors"
SETTINGS = "settings.yaml"
LABELS = "labels.json"
PREPROCESSING = "preprocessing.json"
METRICS = "metrics.json"
CARD = "README.md"
NEEDED = (WEIGHTS, SETTINGS, LABELS, PREPROCESSING, METRICS)
ENSEMBLE = "ensemble.json"


def is_saved_model(folder: Path) -> bool:
    """Whether a saved model lies in folder itself."""
    return (folder / WEIGHTS).is_file() and (folder / SETTINGS).is_file()


def is_ensemble(folder: Path) -> bool:
    """Whether folder is an ensemble of models."""
    return (folder / ENSEMBLE).is_file()


def is_finished(folder: Path) -> bool:
    """Whether what a finished run saved lies in folder: a model or an ensemble."""
    if not is_ensemble(folder) and not is_saved_model(folder):
        return False
    try:
        return bool(json.loads((folder / _last_written(folder)).read_text(encoding="utf-8"))["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def find_model(folder: Path) -> Path:
    """folder, where a saved model or an ensemble lies in it, else the one below it. InputError where there is none,
    or several."""
    if is_ensemble(folder) or is_saved_model(folder):
        return folder
    if not folder.is_dir():
        beside = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise InputError(f"model {folder}: there is no such folder{did_you_mean(folder.name, beside)}")
    below = models_below(folder)
    if len(below) == 1:
        return below[0]
    if below:
        raise InputError(
            f"model {folder}: {len(below)} saved models lie below it, name one of them: "
            + listing(path.relative_to(folder) for path in below)
        )
    there = listing(sorted(entry.name for entry in folder.iterdir())) or "nothing"
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    raise InputError(
        f"model {folder}: no saved model lies in it or below it; {listing(missing)} are missing, it holds {there}"
    )


def models_below(folder: Path) -> list[Path]:
    """Folders of the saved models and ensembles below folder, an ensemble's own members left out."""
    ensembles = [path.parent for path in folder.rglob(ENSEMBLE)]
    models = [path.parent for path in folder.rglob(WEIGHTS) if is_saved_model(path.parent)]
    found = [
        path
        for path in (*ensembles, *models)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not any(ensemble in path.parents for ensemble in ensembles)
    ]
    return sorted(found)


def newest_model(runs: Path) -> Path:
    """The finished run in a folder of runs that was saved last. InputError where there is none."""
    finished = [folder for folder in runs.iterdir() if is_finished(folder)] if runs.is_dir() else []
    if not finished:
        raise InputError(
            f"no model is named and no finished run lies in {runs}: set SM_CHANNEL_MODEL or --model_dir to a saved "
            "model's folder, as in SM_CHANNEL_MODEL=runs/exp python inference.py"
        )
    return max(finished, key=lambda folder: (folder / _last_written(folder)).stat().st_mtime_ns)


def _last_written(folder: Path) -> str:
    return ENSEMBLE if is_ensemble(folder) else METRICS
