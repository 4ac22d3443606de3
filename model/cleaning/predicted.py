"""Out-of-fold predictions of a training, aligned with the rows of a channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.answers.files import PROBABILITIES
from model.answers.labels_json import LabelsJson
from model.answers.read import read_probabilities
from model.artifacts.files import LABELS
from model.attributes import normal_text
from model.data.table import Table
from model.errors import InputError, Problems, listing
from model.labels import Scheme

OTHER_CLASSES = "classes that differ from the channel's"


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
    problems = Problems(str(folder))
    labels = LabelsJson.read(folder / LABELS)
    scheme = labels.scheme(problems)
    if scheme is not None and not labels.held_out():
        raise InputError(
            f"{folder}: these predictions are not out of fold, and a model agrees with the labels it was trained on; "
            "expected the folder out_of_fold that train.py --folds 5 writes"
        )
    frame = read_probabilities(folder / PROBABILITIES, problems)
    if scheme is not None:
        _check_classes(scheme, table.scheme, problems)
    if scheme is not None and frame is not None and frame.shape[1] != scheme.num_classes:
        expected = f"expected one for each of the {scheme.num_classes:,} classes of {LABELS}"
        problems.add("wrong number of columns", f"{PROBABILITIES}: {frame.shape[1]:,} columns of classes, {expected}")
    problems.raise_if_any()
    assert scheme is not None and frame is not None
    positions = frame.index.get_indexer([normal_text(path) for path in table.locations.paths])
    if not (positions >= 0).any():
        example = (
            f"{table.locations[0].path!r} of the channel, {str(frame.index[0])!r} here" if len(frame) else "no rows"
        )
        raise InputError(f"{folder / PROBABILITIES}: names no image of {table.root}: {example}")
    joint = np.where((positions >= 0)[:, None], frame.to_numpy(np.float64)[positions], np.nan)
    return attribute_probabilities(scheme, joint)


def attribute_probabilities(scheme: Scheme, joint: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """The probabilities of each attribute's classes, float64 (n, K), summed from those of the joint classes.

    Args:
        scheme: Label scheme of the joint classes.
        joint: (n, joint classes).
    """
    codes = scheme.split(np.arange(scheme.num_classes))
    result = {}
    for attribute in scheme.attributes:
        sums = np.zeros((scheme.num_classes, len(attribute.values)))
        sums[np.arange(scheme.num_classes), codes[attribute.name]] = 1
        result[attribute.name] = np.asarray(joint @ sums, np.float64)
    return result


def _check_classes(scheme: Scheme, channel: Scheme, problems: Problems) -> None:
    """Every attribute of the predictions must be one of the channel, with the same values in the same order."""
    for attribute in scheme.attributes:
        if attribute.name not in channel.names:
            known = f"the channel has {listing(channel.names)}"
            problems.add("attributes that the channel does not have", f"{attribute.name}; {known}")
        elif attribute.values != channel.attribute(attribute.name).values:
            expected = listing(channel.attribute(attribute.name).values)
            problems.add(OTHER_CLASSES, f"{attribute.name}: {listing(attribute.values)}; the channel has {expected}")
