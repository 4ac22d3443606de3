"""Whether a training job has left a model: without one it has failed, whatever its exit code says.

Looks at files alone, without torch.
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
    """The folders in which a run of this name, or of the name with a number behind it, puts its model."""
    models = locations.models_dir(settings.model_dir)
    if locations.is_packed(models) or not models.is_dir():
        return [models]
    return [folder for folder in models.iterdir() if re.fullmatch(rf"{re.escape(settings.name)}\d*", folder.name)]


def fingerprints(folders: Iterable[Path]) -> dict[Path, Fingerprint]:
    """By folder, the fingerprint of the model or ensemble in it; folders without one are left out. A model that is
    saved later has another fingerprint, whatever the clock of the file system says."""
    by_folder = {}
    for folder in folders:
        file = last_written(folder)
        if file.is_file():
            stat = file.stat()
            by_folder[folder] = (file.name, stat.st_mtime_ns, stat.st_ino)
    return by_folder


def newest(folders: Iterable[Path], before: Mapping[Path, Fingerprint]) -> Path | None:
    """The folder whose model was saved last, of those whose fingerprint is not the one before; None if all are."""
    saved = {folder: mark for folder, mark in fingerprints(folders).items() if mark != before.get(folder)}
    return max(saved, key=lambda folder: saved[folder][1], default=None)


def require_model(
    code: int,
    reason: str,
    status: ExitStatus,
    settings: TrainSettings,
    locations: Locations,
    before: Mapping[Path, Fingerprint],
) -> tuple[int, str]:
    """Corrects the exit code and the reason of a training's failure by whether it has saved a model: if it was stopped
    after that it has not failed, and it has failed without one.

    Args:
        code: The exit code so far.
        reason: The reason of the failure so far.
        status: How the job's process ended.
        settings: The training's settings.
        locations: Where the training put its model.
        before: The fingerprints of the models that lay there before the training.
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
