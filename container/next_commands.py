"""The command that follows a job, which its log ends with: inference after training, evaluation after inference."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from container.project_root import PROJECT_ROOT

PLACEHOLDER = "FOLDER"  # stands for a folder that nothing names
EVAL_FOLDERS = ("eval", "test")  # names of folders of images to predict, next to the training images
TRUTH_FOLDERS = ("gt", "ground_truth")  # names of folders of true labels, next to the images to predict


def inference_command(model: Path, train_dir: Path, eval_dir: str | None) -> str:
    """The command that predicts with a model.

    Args:
        model: The saved model.
        train_dir: The training images.
        eval_dir: The folder of images that the settings name for inference.
    """
    has_splits = (train_dir / "train").is_dir()  # then train_dir contains a folder for each split, perhaps test
    images = eval_dir or _sibling(train_dir / "train" if has_splits else train_dir, EVAL_FOLDERS)
    return _command("inference.py", "--eval_dir", images, "--model_dir", str(model))


def evaluation_command(predictions: Path, default_name: str, eval_dir: Path, labelled: Path | None = None) -> str:
    """The command that scores predictions.

    Args:
        predictions: The file of the predictions.
        default_name: The name that evaluation expects in the folder of the predictions.
        eval_dir: The predicted images.
        labelled: The folder of the predicted images if it also has their labels, otherwise None. The report then shows
            the images too.
    """
    truth = _sibling(eval_dir, TRUTH_FOLDERS) if labelled is None else str(labelled)
    flags = ["--ground_truth_dir", truth, "--output_data_dir", str(predictions.parent)]
    command = _command("evaluation.py", *flags, *(["--pictures", str(labelled)] if labelled else []))
    return command if predictions.name == default_name else f"{command} --answers {shlex.quote(predictions.name)}"


def _sibling(folder: Path, names: tuple[str, ...]) -> str:
    """The first folder with one of these names next to a folder; PLACEHOLDER if there is none."""
    siblings = (folder.parent / name for name in names)
    return next((str(path) for path in siblings if path.is_dir() and path != folder), PLACEHOLDER)


def _command(script: str, *flags: str) -> str:
    """A command for the shell, from the current folder."""
    is_here = (Path(os.getcwd()) / script).resolve() == PROJECT_ROOT / script
    return shlex.join(["python", script if is_here else str(PROJECT_ROOT / script), *flags])
