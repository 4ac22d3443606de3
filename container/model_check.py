"""Checks that a training job has saved a model. Without one the job has failed, even if its exit code is 0.

Reads only files and does not import torch.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from container.locations import Locations
from container.supervise import ExitStatus
from model.artifacts.files import last_written
from model.artifacts.verify import model_problem
from model.errors import ExitCode
from model.settings.train import TrainSettings

Fingerprint = tuple[str, int, int]  # name, modification time in ns and inode of the file that is written last


def run_folders(settings: TrainSettings, locations: Locations) -> list[Path]:
    """The folders of the runs with this name, or with this name followed by a number."""
    models = locations.models_dir(settings.model_dir)
    if locations.is_packed(models) or not models.is_dir():
        return [models]
    return [folder for folder in models.iterdir() if re.fullmatch(rf"{re.escape(settings.name)}\d*", folder.name)]


def fingerprints(folders: Iterable[Path]) -> dict[Path, Fingerprint]:
    """The fingerprint of the model or ensemble in each folder; folders without one are skipped. A model that is saved
    later has another fingerprint, even if the clock of the file system is wrong."""
    by_folder = {}
    for folder in folders:
        file = last_written(folder)
        if file.is_file():
            stat = file.stat()
            by_folder[folder] = (file.name, stat.st_mtime_ns, stat.st_ino)
    return by_folder


def newest(folders: Iterable[Path], before: Mapping[Path, Fingerprint]) -> Path | None:
    """The folder with the newest model that was saved since the fingerprints were taken; None if there is none.

    Args:
        folders: The folders of models.
        before: The earlier fingerprints by folder.
    """
    saved = {folder: stamp for folder, stamp in fingerprints(folders).items() if stamp != before.get(folder)}
    return max(saved, key=lambda folder: saved[folder][1], default=None)


def require_model(
    code: int,
    reason: str,
    status: ExitStatus,
    settings: TrainSettings,
    locations: Locations,
    before: Mapping[Path, Fingerprint],
) -> tuple[int, str]:
    """Corrects the exit code of a training and the reason of its failure, depending on whether it has saved a model.

    A training that was stopped after it saved a model succeeded; one that ended without a model failed.

    Args:
        code: The exit code so far.
        reason: The reason of the failure so far.
        status: The exit status of the job's process.
        settings: The training's settings.
        locations: The training's paths.
        before: The fingerprints of the models that existed before the training.

    Returns:
        The exit code and the reason, "" if the training succeeded.
    """
    if code not in (ExitCode.DONE, ExitCode.TERMINATED):
        return code, reason
    folder = newest(run_folders(settings, locations), before)
    problem = model_problem(folder) if folder else f"no model was saved in {locations.models_dir(settings.model_dir)}"
    if problem is None:
        return ExitCode.DONE, ""
    if code == ExitCode.DONE and status.received != signal.SIGTERM:
        return ExitCode.FAULT, f"training ended without a model: {problem}"
    return ExitCode.TERMINATED, reason or f"stopped by SIGTERM before a model could be saved: {problem}"
