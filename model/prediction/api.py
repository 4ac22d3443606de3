"""`model.prediction.predict`, prediction from Python: a saved model's folder and images in, a DataFrame out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from model.artifacts.ensemble import Ensemble, answering_decision, load, saved_models
from model.artifacts.saved_model import SavedModel
from model.decisions import Decision
from model.errors import InputError
from model.images.decode import Source
from model.images.tta import Views
from model.labels import Scheme
from model.prediction.backends import make_backend
from model.prediction.predictor import EnsemblePredictor, Predictor


def predict(
    model: str | Path,
    pictures: Sequence[Source],
    *,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    batch_size: int = 64,
    device: str = "auto",
    precision: str = "auto",
) -> pd.DataFrame:
    """Predicts images with a saved model or an ensemble.

    Args:
        model: the saved model's or ensemble's folder.
        images: images as paths, bytes or PIL images.
        num_tta, tta_mode, seed, batch_size, device, precision: the settings of inference of the same names.

    Returns:
        One row per image, in order: `picture` (its path, else its number), `class` (Int64, missing where it could not
        be read), `name` of the class, each attribute by name where there are several, `error` (empty where it could be
        read), and for each class a column of probabilities (float32) by the class's name.

    Raises:
        InputError: the model cannot be loaded, or an argument is invalid.
    """
    if isinstance(pictures, (str, bytes, Path)):
        raise InputError(f"images: expected a list of images, as in [{str(pictures)[:40]!r}], not one")
    if tta_mode not in ("soft", "vote") or num_tta < 1:
        raise InputError(f"tta_mode is soft or vote and num_tta at least 1, not {tta_mode!r} and {num_tta}")
    saved = load(Path(model))
    predictor = make_predictor(saved, num_tta=num_tta, tta_mode=tta_mode, seed=seed, device=device, precision=precision)
    probabilities = np.full((len(pictures), saved.scheme.num_classes), np.nan, np.float32)
    errors = [""] * len(pictures)
    for answers in predictor.predict_images(pictures, batch_size):
        probabilities[answers.rows] = answers.probabilities
        for row, reason in answers.unreadable.items():
            errors[row] = reason
    names = [str(source) if isinstance(source, (str, Path)) else str(row) for row, source in enumerate(pictures)]
    return _answer_frame(names, probabilities, errors, saved.scheme, predictor.decision)


def make_predictor(
    saved: SavedModel | Ensemble,
    *,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> EnsemblePredictor:
    """Reads the networks of a loaded model or ensemble and places them on their hardware, ready to predict.

    The arguments are the settings of inference of the same names.

    Raises:
        InputError: A network cannot be read, or the arguments do not fit.
    """
    predictors, views_vote = [], tta_mode == "vote" and num_tta > 1
    for model in saved_models(saved):
        views = Views(model.pipeline, num_tta, fixed=not views_vote, seed=seed)
        predictors.append(Predictor(make_backend(model, device, precision), views, model.decision))
    combine = partial(saved.combine_probabilities, views_vote=views_vote) if isinstance(saved, Ensemble) else next
    return EnsemblePredictor(predictors, saved.scheme, combine, answering_decision(saved, views_vote))


def _answer_frame(
    names: Sequence[str], probabilities: np.ndarray, errors: Sequence[str], scheme: Scheme, decision: Decision
) -> pd.DataFrame:
    """The DataFrame that predict returns.

    Args:
        names: of the images.
        probabilities: float32 (N, C), a row of NaN for an image that could not be read.
        errors: why each image could not be read, "" where it could.
        scheme: labels of the classes.
        decision: decides the class of each image.
    """
    is_read = ~np.isnan(probabilities).any(axis=1)
    classes = np.full(len(probabilities), -1, np.int64)
    classes[is_read] = decision.classes(probabilities[is_read])
    frame = pd.DataFrame({"picture": list(names), "class": pd.array(classes, dtype="Int64")})
    frame.loc[~is_read, "class"] = pd.NA
    frame["name"] = [scheme.class_names[code] if known else "" for code, known in zip(classes, is_read)]
    if len(scheme.attributes) > 1:
        codes = scheme.split(classes)
        for attribute in scheme.attributes:
            values = [attribute.values[code] if known else "" for code, known in zip(codes[attribute.name], is_read)]
            frame[attribute.name] = values
    frame["error"] = list(errors)
    return pd.concat([frame, pd.DataFrame(probabilities, columns=scheme.class_names)], axis=1)
