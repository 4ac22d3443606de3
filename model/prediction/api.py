"""Prediction from Python: `predict`, and `Model`, a loaded model that predicts again and again.

`model.prediction.predict` and `rarebird.load` are these.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from model.answers.files import ASK_PERSON
from model.artifacts.archive import opened_model
from model.artifacts.ensemble import Ensemble, answering_decision, load, saved_models
from model.artifacts.learned_numbers import combine_numbers, number_names
from model.artifacts.saved_model import SavedModel
from model.attributes import number_column
from model.data.metadata import columns_of, require_columns
from model.data.readers.columns import column_named
from model.decisions import Decision
from model.errors import InputError, listing
from model.images.decode import Source
from model.images.tta import Views
from model.labels import Scheme
from model.network.number_bins import Numbers
from model.prediction.backend import Backend
from model.prediction.backends import make_backend
from model.prediction.frames import NUM_CLASSES
from model.prediction.predictor import EnsemblePredictor, Predictor
from model.settings.fields import Layer, build
from model.settings.prediction import PredictionSettings

log = logging.getLogger("rarebird")

Images = Sequence[Source | np.ndarray]
# Of each image in order: a table, columns, or the values of each image by column
Metadata: TypeAlias = pd.DataFrame | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]


class Model:
    """A saved model or an ensemble in memory, ready to predict.

    Pickling keeps the path and the settings only: the process that unpickles it loads the model again.

    Args:
        path: Folder of the model, a folder with one model below it, or its model.tar.gz.
        device: Setting of inference of the same name.
        precision: Setting of inference of the same name.

    Raises:
        InputError: The model cannot be loaded, or there is no such device or precision.
    """

    def __init__(self, path: str | Path, *, device: str = "auto", precision: str = "auto", **unknown: Any):
        self.path, self._machine = Path(path), {"device": device, "precision": precision}
        check_settings("load", self._machine, unknown)
        with opened_model(self.path) as folder:
            self._saved = load(folder)
            self._backends = [make_backend(model, device, precision) for model in saved_models(self._saved)]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their numbers. Those of several attributes are joined by `/`."""
        return list(self._saved.scheme.class_names)

    @property
    def attributes(self) -> dict[str, list[str]]:
        """The values of each attribute."""
        return {attribute.name: list(attribute.values) for attribute in self._saved.scheme.attributes}

    @property
    def metadata_columns(self) -> list[str]:
        """The columns of metadata that it reads; empty for most models (setting fusion of training)."""
        pipelines = [model.pipeline for model in saved_models(self._saved)]
        return list(dict.fromkeys(name for pipeline in pipelines for name in pipeline.metadata_columns))

    def predict(
        self,
        images: Images,
        *,
        metadata: Metadata | None = None,
        num_tta: int = 1,
        tta_mode: str = "soft",
        seed: int = 0,
        batch_size: int = 64,
        **unknown: Any,
    ) -> pd.DataFrame:
        """Predicts images; see the function predict."""
        chosen: dict[str, Any] = {"num_tta": num_tta, "tta_mode": tta_mode, "seed": seed, "batch_size": batch_size}
        check_settings("Model.predict", chosen, unknown)
        check_images(images)
        records = metadata_by_image(metadata, self.metadata_columns, len(images))
        predictor = combined_predictor(self._saved, self._backends, num_tta, tta_mode, seed)
        probabilities = np.full((len(images), len(self._saved.scheme.class_names)), np.nan, np.float32)
        numbers = {name: np.full(len(images), np.nan, np.float32) for name in predictor.number_names}
        errors = [""] * len(images)
        for answers in predictor.predict_images(images, batch_size, records):
            probabilities[answers.rows] = answers.probabilities
            for name, own in numbers.items():
                own[answers.rows] = answers.numbers[name]
            for row, reason in answers.unreadable.items():
                errors[row] = reason
        names = [str(image) if isinstance(image, (str, Path)) else str(row) for row, image in enumerate(images)]
        return _answer_frame(names, probabilities, errors, self._saved.scheme, predictor.decision, numbers)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Path, dict[str, str]]]:
        return _load, (self.path, self._machine)

    def __repr__(self) -> str:
        return f"<Model {self.path}: {len(self.classes):,} classes; {self._backends[0]}>"


def _load(path: Path, machine: dict[str, str]) -> Model:
    return Model(path, **machine)


def predict(
    model: str | Path | Model,
    pictures: Images,
    *,
    metadata: Metadata | None = None,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    batch_size: int = 64,
    device: str = "auto",
    precision: str = "auto",
    **unknown: Any,
) -> pd.DataFrame:
    """Predicts images with a saved model or an ensemble.

    Args:
        model: A loaded model, or the path of one, which is loaded for this call.
        pictures: Images as paths, bytes, PIL images or uint8 arrays (H, W, 3) in RGB or (H, W) in grey.
        metadata: For a model that was trained with fusion: a DataFrame or a mapping of columns with one value per
            image, or a list with a mapping for each image. None: unknown.
        num_tta: Views of each image whose probabilities are combined; 1 predicts the image only.
        tta_mode: `soft` averages the probabilities of fixed views; `vote` counts the classes of random views.
        seed: Seed of the random views.
        batch_size: Views in a forward pass.
        device: `auto`, `cpu`, `cuda` or `cuda:N`. A loaded model keeps its own.
        precision: `auto`, `fp32`, `bf16` or `fp16`. A loaded model keeps its own.

    Returns:
        One row per image, in order: `picture` (the path; for an image that was not given as a path, its position in the
        list), `class` (Int64, missing if the image is unreadable), `name` of the class, a column per attribute if there
        are at least two, ATTRIBUTE_number (float32) for each attribute that was learned as a distribution, `ask_person`
        (boolean, missing if the image is unreadable) if the model's decision can ask a person, `error` (why the image
        is unreadable, otherwise empty), and a column of probabilities (float32) per class, with the name of the class.

    Raises:
        InputError: The model cannot be loaded, or an argument is invalid.
    """
    chosen: dict[str, Any] = {"num_tta": num_tta, "tta_mode": tta_mode, "seed": seed, "batch_size": batch_size}
    machine = {"device": device, "precision": precision}
    check_settings("predict", chosen | machine, unknown)
    check_images(pictures)
    loaded = model if isinstance(model, Model) else Model(model, **machine)
    return loaded.predict(pictures, metadata=metadata, **chosen)


def check_settings(function: str, settings: dict[str, Any], unknown: dict[str, Any]) -> None:
    """Raises InputError for an invalid value and for an unknown name, with the nearest one.

    Args:
        function: Name of the function that was called, for the message.
        settings: Values of the settings that the function takes.
        unknown: Values by other names.
    """
    build(PredictionSettings, [Layer("{}", settings | unknown)])
    if unknown:
        raise InputError(f"{function} has no setting {listing(unknown)}; its settings are {listing(settings)}")


def check_images(images: Images) -> None:
    """Raises InputError for a single image instead of a list, and for arrays of another type or shape."""
    if isinstance(images, (str, bytes, Path)):
        raise InputError(f"images: expected a list of images, such as [{str(images)[:40]!r}], not a single image")
    for row, image in enumerate(images):
        if isinstance(image, np.ndarray) and not is_image_array(image):
            raise InputError(
                f"images: image {row} is an array of type {image.dtype} and shape {image.shape}; expected type uint8 "
                "and shape (height, width, 3) or (height, width)"
            )


def metadata_by_image(
    metadata: Metadata | None, columns: Sequence[str], images: int
) -> Sequence[Mapping[str, object]] | None:
    """The metadata of each image by column, of those columns that the model reads.

    Args:
        metadata: As predict takes it.
        columns: The columns that the model reads.
        images: Number of images.

    Raises:
        InputError: It has another number of rows, or lacks a column.
    """
    if metadata is None:
        if columns:
            log.warning("predicted without the metadata %s, which is unknown", listing(columns))
        return None
    if isinstance(metadata, (str, bytes)):
        raise InputError(f"metadata: expected a DataFrame, columns, or a mapping for each image, not {metadata[:40]!r}")
    lengths = {len(own) for own in metadata.values()} if isinstance(metadata, Mapping) else {len(metadata)}
    if lengths - {images}:
        raise InputError(f"metadata: {listing(sorted(lengths))} rows for {images} images; expected one per image")
    if isinstance(metadata, (Mapping, pd.DataFrame)):
        frame = pd.DataFrame(metadata, dtype=object)
        require_columns(frame, columns, "metadata")
        values = columns_of(frame.where(frame.notna(), None), columns)
        return [{name: own[row] for name, own in values.items()} for row in range(images)]
    # mappings, some of which may lack a column: unknown there
    header = list(dict.fromkeys(name for row in metadata for name in row))
    require_columns(pd.DataFrame(columns=header), columns if images else (), "metadata")
    found = {name: column_named(header, name) for name in columns}
    return [{name: row[own] for name, own in found.items() if own is not None and own in row} for row in metadata]


def is_image_array(array: np.ndarray) -> bool:
    """Whether an array has the pixels of an image: uint8 (H, W, 3) or (H, W)."""
    return array.dtype == np.uint8 and array.size > 0 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))


def make_predictor(
    saved: SavedModel | Ensemble,
    *,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> EnsemblePredictor:
    """Reads the networks of a loaded model or ensemble and moves them to their hardware, ready to predict.

    The arguments are the settings of inference of the same names.

    Raises:
        InputError: A network cannot be read, or the arguments do not fit.
    """
    backends = [make_backend(model, device, precision) for model in saved_models(saved)]
    return combined_predictor(saved, backends, num_tta, tta_mode, seed)


def combined_predictor(
    saved: SavedModel | Ensemble, backends: Sequence[Backend], num_tta: int, tta_mode: str, seed: int
) -> EnsemblePredictor:
    """The predictor of a model whose networks are in memory. InputError if there are not that many fixed views.

    Args:
        saved: The model or ensemble.
        backends: One per saved model of it, in order.
        num_tta: Views of each image.
        tta_mode: `soft` or `vote`.
        seed: Seed of the random views.
    """
    predictors, views_vote = [], tta_mode == "vote" and num_tta > 1
    for model, backend in zip(saved_models(saved), backends, strict=True):
        views = Views(model.pipeline, num_tta, fixed=not views_vote, seed=seed)
        predictors.append(Predictor(backend, views, model.decision))
    combine = partial(saved.combine_probabilities, views_vote=views_vote) if isinstance(saved, Ensemble) else next
    numbers = partial(combine_numbers, saved)
    fitted = answering_decision(saved, views_vote)
    decision = fitted if views_vote else fitted.on_views(num_tta)
    if decision != fitted:
        log.warning(
            "a person is asked about every image: the decision of %s was fitted on predictions with another num_tta "
            "than %s; python -m model decide fits it on predictions with this one",
            *(saved.folder, num_tta),
        )
    return EnsemblePredictor(predictors, saved.scheme, combine, decision, numbers, number_names(saved))


def _answer_frame(
    names: Sequence[str],
    probabilities: np.ndarray,
    errors: Sequence[str],
    scheme: Scheme,
    decision: Decision,
    numbers: Numbers | None = None,
) -> pd.DataFrame:
    """The DataFrame that predict returns.

    Args:
        names: Names of the images.
        probabilities: float32 (N, C), a row of NaN for an unreadable image.
        errors: Why each image is unreadable, "" if it was read.
        scheme: Labels of the classes.
        decision: Decides the class of each image.
        numbers: Estimated numbers, NaN for an unreadable image; None if there are none.
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
    for name, own in (numbers or {}).items():
        frame[number_column(name)] = own
    if decision.can_ask:
        frame[ASK_PERSON] = pd.array([None] * len(frame), dtype="boolean")
        frame.loc[is_read, ASK_PERSON] = decision.asks(probabilities[is_read])
    frame["error"] = list(errors)
    frame = pd.concat([frame, pd.DataFrame(probabilities, columns=scheme.class_names)], axis=1)
    frame.attrs[NUM_CLASSES] = scheme.num_classes
    return frame
