"""Finds saved models and ensembles: in a folder, the only one below it, or the newest run."""

from __future__ import annotations

import json
from pathlib import Path

from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import ENSEMBLE, METRICS, SETTINGS, is_ensemble, is_saved_model, last_written, missing_files
from model.errors import InputError, listing, nearest_path


def is_finished(folder: Path) -> bool:
    """Whether a folder contains a model or ensemble whose training was not stopped early."""
    try:
        if is_ensemble(folder):
            return read_ensemble_file(folder).finished
        return is_saved_model(folder) and bool(json.loads((folder / METRICS).read_text(encoding="utf-8"))["finished"])
    except (InputError, OSError, ValueError, KeyError, TypeError):
        return False


def find_model(folder: Path) -> Path:
    """The folder if it is a saved model or an ensemble; otherwise the only one below it.

    Raises:
        InputError: There is no such folder, no model in or below it, or more than one below it.
    """
    if is_ensemble(folder) or is_saved_model(folder):
        return folder
    if not folder.is_dir():
        raise InputError(f"model {folder}: there is no such folder{nearest_path(folder)}")
    below = models_below(folder)
    if len(below) == 1:
        return below[0]
    if below:
        raise InputError(
            f"model {folder}: contains {len(below)} saved models; choose one of them: "
            + listing(path.relative_to(folder) for path in below)
        )
    entries = listing(sorted(entry.name for entry in folder.iterdir())) or "nothing"
    raise InputError(
        f"model {folder}: neither this folder nor its subfolders contain a saved model; missing: "
        f"{listing(missing_files(folder))}; the folder contains {entries}"
    )


def models_below(folder: Path) -> list[Path]:
    """Folders of the saved models and ensembles below a folder, without hidden folders and members of ensembles."""
    ensembles = [path.parent for path in folder.rglob(ENSEMBLE)]
    models = [path.parent for path in folder.rglob(SETTINGS) if is_saved_model(path.parent)]
    return sorted(
        path
        for path in (*ensembles, *models)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not any(ensemble in path.parents for ensemble in ensembles)
    )


def newest_model(runs: Path, hint: str = "") -> Path:
    """The finished run that was saved last.

    Args:
        runs: Folder with a subfolder per run.
        hint: How to name a model, for the end of the error message.

    Raises:
        InputError: There is no finished run.
    """
    finished = [folder for folder in runs.iterdir() if is_finished(folder)] if runs.is_dir() else []
    if not finished:
        raise InputError(f"no model was given, and {runs} contains no finished run{hint and ': '}{hint}")
    return max(finished, key=lambda folder: last_written(folder).stat().st_mtime_ns)
