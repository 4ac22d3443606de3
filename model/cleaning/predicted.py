"""Predictions for images that the model was not trained on, aligned with the rows of a channel.

Training (--clean) and `python -m exploration noise` read them from the folder out_of_fold of a training with folds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.answers.files import OUT_OF_FOLD, PROBABILITIES, labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import read_probabilities
from model.artifacts.fingerprint import file_digest
from model.attributes import normal_text
from model.data.table import Table
from model.errors import InputError, Problems, listing
from model.labels import Scheme

OTHER_CLASSES = "classes that differ from the channel's"
OTHER_ATTRIBUTES = "attributes that the channel does not have"

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for images that the model was not trained on.

    Attributes:
        source: File of the probabilities.
        digest: Hash of its content (BLAKE2b).
        held_out: What the images are, as labels.json says: `out_of_fold`, `validation`, or "" if it does not say.
        rows: Row of each image by its path in normal form.
        scheme: Label scheme of the predictions.
        probabilities: Of each attribute by its name, float64 (n, K); NaN for an unreadable image.
    """

    source: Path
    digest: str
    held_out: str
    rows: Mapping[str, int]
    scheme: Scheme
    probabilities: Mapping[str, NDArray[np.float64]]

    def of(self, table: Table, every: bool = False) -> dict[str, NDArray[np.float64]]:
        """The probabilities of the images of a table, float64 (n, K), NaN for an image without a prediction.

        Args:
            table: The table.
            every: Whether it must have every attribute of the predictions; otherwise one is enough.

        Raises:
            InputError: The predictions are of other attributes, classes or images.
        """
        problems = Problems(str(self.source))
        shared = [name for name in self.scheme.names if name in table.scheme.names]
        for name in self.scheme.names:
            theirs = self.scheme.only(name).attributes[0].values
            if name in shared and theirs != (ours := table.scheme.attribute(name).values):
                problems.add(OTHER_CLASSES, f"{name}: {listing(theirs)}; the channel has {listing(ours)}")
            elif name not in shared and (every or not shared):
                problems.add(OTHER_ATTRIBUTES, f"{name}; the channel has {listing(table.scheme.names)}")
        paths = table.locations.paths
        positions = np.array([self.rows.get(normal_text(path), -1) for path in paths], dtype=np.int64)
        known = positions >= 0
        if not known.any():
            here = f"{next(iter(self.rows))!r} here" if self.rows else "no rows here"
            problems.add(
                "predictions of other images",
                f"names no image of {table.root}: {paths[0] if paths else ''!r} of the channel, {here}",
            )
        problems.raise_if_any()
        if not known.all():
            count = int((~known).sum())
            log.warning("%s has no prediction for %s of %s images", self.source, f"{count:,}", f"{len(paths):,}")
        aligned = {}
        for name in shared:
            aligned[name] = np.full((len(paths), self.probabilities[name].shape[1]), np.nan)
            aligned[name][known] = self.probabilities[name][positions[known]]
        return aligned


def read_out_of_fold(path: Path) -> OutOfFold:
    """Reads a folder out_of_fold or validation, its probabilities.csv, or the output folder of a run with folds.

    Raises:
        InputError: A file is missing or invalid.
    """
    problems = Problems(str(path))
    file = path / PROBABILITIES if path.is_dir() or path.suffix.lower() != ".csv" else path
    if not file.is_file() and (path / OUT_OF_FOLD / PROBABILITIES).is_file():
        file = path / OUT_OF_FOLD / PROBABILITIES
    labels = LabelsJson.read(labels_file(file))
    scheme, frame = labels.scheme(problems), read_probabilities(file, problems)
    if scheme is not None and frame is not None and list(frame.columns) != scheme.class_names:
        count, classes = frame.shape[1], scheme.class_names
        problems.add(
            "other classes than those of labels.json",
            f"{file.name}: {count:,} columns of classes, expected one for each of the {len(classes):,} classes: "
            f"{listing(frame.columns)}, expected {listing(classes)}",
        )
    problems.raise_if_any()
    assert scheme is not None and frame is not None  # otherwise there is a problem
    rows = {str(name): row for row, name in enumerate(frame.index)}
    probabilities = attribute_probabilities(scheme, frame.to_numpy(np.float64))
    return OutOfFold(file, file_digest(file), labels.held_out(), rows, scheme, probabilities)


def read_predicted(folder: Path, table: Table) -> dict[str, NDArray[np.float64]]:
    """Reads the probabilities that a training wrote for images that its models were not trained on.

    Args:
        folder: The folder `out_of_fold` (or `validation`) of a training, with probabilities.csv and labels.json.
        table: The channel.

    Returns:
        Probabilities of the classes, float64 (n, K) by attribute; rows of NaN for images without a prediction.

    Raises:
        InputError: A file is missing or invalid, the classes differ from the channel's, no image of the channel was
            predicted, or the predictions are of images that the model was trained on.
    """
    predictions = read_out_of_fold(folder)
    if not predictions.held_out:
        raise InputError(
            f"{folder}: these predictions are not out of fold, and a model agrees with the labels it was trained on; "
            "expected the folder out_of_fold that train.py --folds 5 writes"
        )
    return predictions.of(table, every=True)


def attribute_probabilities(scheme: Scheme, joint: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """The probabilities of each attribute's classes, float64 (n, K), summed from those of the joint classes.

    Args:
        scheme: Label scheme of the joint classes.
        joint: (n, joint classes).
    """
    joint = np.asarray(joint, dtype=np.float64)
    codes = scheme.split(np.arange(scheme.num_classes))
    summed = {}
    for attribute in scheme.attributes:
        members = np.zeros((scheme.num_classes, len(attribute.values)))
        members[np.arange(scheme.num_classes), codes[attribute.name]] = 1
        summed[attribute.name] = joint @ members
    return summed
