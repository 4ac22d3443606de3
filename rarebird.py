"""Rarebird from Python: train, load, predict and evaluate, for notebooks and for Ray and Spark workers.

    result = rarebird.train("data/train", epochs=10)
    model = rarebird.load(result.path)
    frame = model.predict(["a.jpg", "b.png"])
    rarebird.evaluate(frame, "data/gt").scores["macro_f1"]

Settings have the names, defaults and checks of those of the jobs. Invalid settings and input raise InputError. The
import of this module is fast: torch and pandas are imported by the functions that need them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent


@contextmanager
def own_modules() -> Iterator[None]:
    """Imports in this block find the modules next to this file first, also if the working folder has a train.py."""
    for name in ("model", "container", "train", "evaluation"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and ROOT not in Path(file).resolve().parents:
            raise ImportError(f"rarebird needs its own module `{name}`, but {file} is imported; rename that file")
    sys.path.insert(0, str(ROOT))
    try:
        yield
    finally:
        sys.path.remove(str(ROOT))


with own_modules():
    from model import __version__
    from model.errors import ExitCode, InputError

if TYPE_CHECKING:
    import pandas as pd

    from model.evaluation.score_files import Scores
    from model.prediction.api import Images, Model

__all__ = ["Evaluation", "InputError", "Trained", "__version__", "evaluate", "load", "predict", "train"]


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        path: Folder of the saved model or ensemble; None with check_only, which trains nothing.
        scores: On the held-out images: accuracy, macro_f1, gmean_f1 and others; empty if there are no such images.
        report: report.html on the held-out images; None if there is none.
    """

    path: Path | None
    scores: Scores
    report: Path | None


@dataclass(frozen=True)
class Evaluation:
    """Scores of predictions.

    Attributes:
        scores: accuracy, macro_f1, gmean_f1, balanced_accuracy and others.
        per_class: precision, recall and f1 of each class, by its name.
        details: Everything that evaluation.json has under `rarebird`.
        report: report.html; None if no output folder was named.
    """

    scores: Scores
    per_class: dict[str, Scores]
    details: dict[str, Any]
    report: Path | None


def load(path: str | Path, *, device: str = "auto", precision: str = "auto", **unknown: Any) -> Model:
    """Loads a saved model or an ensemble, to predict with it again and again. Load it once per process.

    Args:
        path: Folder of the model, a folder with one model below it, or its model.tar.gz.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        unknown: Raises InputError, which names the nearest setting.

    Returns:
        A model with `predict`, `classes` and `attributes`. Unpickling it loads the model again from its path.

    Raises:
        InputError: There is no such model, or it is damaged.
    """
    with own_modules():
        from model.prediction.api import Model
    return Model(path, device=device, precision=precision, **unknown)


def predict(model: str | Path | Model, images: Images, **settings: Any) -> pd.DataFrame:
    """Predicts images with a saved model or an ensemble.

    Args:
        model: What `load` returned, or a path, which is loaded for this call.
        images: Paths, bytes, PIL images or uint8 arrays, (H, W, 3) in RGB or (H, W) in grey.
        settings: metadata (a table with a row per image, for a model that reads it), num_tta, tta_mode, seed and
            batch_size, and for a path also device and precision.

    Returns:
        One row per image, in order: `picture` (path or number), `class` (number; missing if the image is unreadable),
        `name` of the class, each attribute if there are at least two, `error`, and a probability per class.

    Raises:
        InputError: The model, the images or a setting is invalid.
    """
    with own_modules():
        from model.prediction.api import predict as predict_images
    return predict_images(model, images, **settings)


def train(train_dir: str | Path, **settings: Any) -> Trained:
    """Trains and saves a model, as train.py does: same files, checkpoints and report, and a stopped run resumes.

    SM_* variables, .env and ./config.yaml apply, as in the job. Log lines go to stdout, unless the logger `rarebird`
    has a handler or shows INFO. In the main thread, Ctrl-C writes a checkpoint and raises KeyboardInterrupt.

    Args:
        train_dir: Folder of images and labels.
        settings: Settings of train.py by name, as in `epochs=10, input_size=[224, 224]`.

    Returns:
        The saved model's folder, its scores on the held-out images, and their report.

    Raises:
        InputError: The images, labels or settings are invalid.
    """
    with own_modules():
        from container import settings_layers
        from container.job_types import TRAIN
        from model.evaluation.score_files import scores_of_training
        from model.runtime.log_lines import log_lines

        with log_lines():
            checked, environment = settings_layers.read(TRAIN, _texts({"train_dir": train_dir, **settings}), "")
            import train as job  # imports torch, which takes seconds: after the settings are checked

            ended = job.run_training(checked, environment)
    if ended.exit_code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt("training stopped after a checkpoint; the same call resumes it")
    return Trained(ended.model, scores_of_training(ended.model, ended.report), ended.report)


def evaluate(
    predictions: str | Path | pd.DataFrame,
    truth: str | Path | pd.DataFrame,
    *,
    output: str | Path | None = None,
    **settings: Any,
) -> Evaluation:
    """Scores predictions against the ground truth, with intervals. Images are matched by name.

    Args:
        predictions: Output folder of inference, its output.csv, or what `predict` returned, whose images are named by
            their paths without the folder that all share.
        truth: Folder with gt.csv, a table, a labelled folder, or a DataFrame with the columns of a gt.csv, such as
            ImageID and ans.
        output: Folder for evaluation.json and report.html; None writes no files.
        settings: Settings of evaluation.py by name, as in `pictures="data/eval", group_column="person"`.

    Raises:
        InputError: The predictions, the truth or a setting is invalid.
    """
    with own_modules():
        import evaluation as job
        from model.answers.files import answers_file
        from model.evaluation.files import REPORT_HTML
        from model.evaluation.score_files import scores_among
        from model.evaluation.truth import truth_location
        from model.prediction.frames import prediction_files, truth_file
        from model.settings.evaluation import EvaluationSettings
        from model.settings.fields import Layer, build

    checked = build(EvaluationSettings, [Layer("{}", _texts(settings))])
    with tempfile.TemporaryDirectory(prefix="rarebird-") as temporary:
        is_path = isinstance(predictions, (str, Path))
        answers = answers_file(Path(predictions)) if is_path else prediction_files(predictions, Path(temporary))
        location = truth_location(Path(truth) if isinstance(truth, (str, Path)) else truth_file(truth, Path(temporary)))
        folder = Path(output or temporary)
        compared = job.compared_answers(checked, answers.parent)
        details = job.score(checked, location, answers, folder, compared).to_dict()
    return Evaluation(scores_among(details), details["per_class"], details, folder / REPORT_HTML if output else None)


def _texts(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with paths as text."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
