"""Checks of a job's inputs that need neither torch nor pandas nor numpy: which are missing.

job_script.check_command_line runs them before a script imports these libraries. The job itself checks everything.
"""

from __future__ import annotations

from pathlib import Path

from container.locations import NAME_A_MODEL, Locations
from model.artifacts.discovery import find_model, newest_model
from model.artifacts.files import is_saved_model
from model.artifacts.metadata import read_settings_and_metrics
from model.errors import InputError, nearest_path
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings


def check_training(locations: Locations, settings: TrainSettings) -> None:
    """InputError if a channel of the training is missing."""
    locations.refuse_links(settings.follow_links)
    _require("train_dir", locations.train_dir(settings.train_dir))
    validation = locations.channel("validation", settings.validation_dir)
    if validation is not None:
        _require("validation_dir", validation)


def check_inference(locations: Locations, settings: InferenceSettings) -> None:
    """InputError if the model or the channel `eval` is missing."""
    locations.refuse_links(settings.follow_links)
    model = None
    if not settings.models:
        model = locations.saved_model_dir(settings.model_dir) or newest_model(locations.models_dir(None), NAME_A_MODEL)
        if not model.exists():
            find_model(model)  # raises the error that names the nearest folder
    channel = locations.channel("eval", settings.eval_dir)
    if channel is not None:
        _require("eval_dir", channel)
    elif model is not None and not settings.pictures and is_saved_model(model):
        try:
            remembered = read_settings_and_metrics(model)[0].eval_dir
        except InputError:
            return  # the job reports what is wrong with the model
        locations.required_channel("eval", None, "inference.py", remembered)


def check_evaluation(locations: Locations, settings: EvaluationSettings) -> None:
    """InputError if the ground truth is missing."""
    _require("ground_truth_dir", locations.ground_truth_dir(settings.ground_truth_dir), "file or folder")


def _require(name: str, path: Path, kind: str = "folder") -> None:
    """Raises InputError if there is nothing at a path.

    Args:
        name: The setting that names it.
        path: The path.
        kind: What the message calls it.
    """
    if path.exists():
        return
    raise InputError(f"{name} {path}: there is no such {kind}{nearest_path(path)}")
