"""Predictions: what a model predicts for the images under review, and the queue of its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exploration.review.filters import filter_rows
from exploration.review.queues import IMAGE, Item
from exploration.review.row_labels import RowLabels
from model.cleaning.predicted import attribute_probabilities
from model.data.image_locations import ImageLocations
from model.data.readers.channel_files import ChannelFiles
from model.data.table import Table
from model.errors import InputError
from model.evaluation.matched_answers import MatchedAnswers

ERRORS = "errors"  # source of the decisions
SHOWN = 6  # most probable classes of an attribute that the page shows


@dataclass(frozen=True)
class Predictions:
    """The predictions for the rows of a table.

    Attributes:
        labels: The table with its true labels.
        codes: int64 (n,) by attribute, the predicted class; negative without a prediction.
        probabilities: float64 (n, K) by attribute, rows of NaN for images without them; empty without probabilities.
    """

    labels: RowLabels
    codes: Mapping[str, NDArray[np.int64]]
    probabilities: Mapping[str, NDArray[np.float64]]

    def confidence(self, attribute: str) -> NDArray[np.float64]:
        """The probability of the predicted class, float64 (n,); NaN where there is none."""
        codes = self.codes[attribute]
        if attribute not in self.probabilities:
            return np.full(len(codes), np.nan)
        own = self.probabilities[attribute][np.arange(len(codes)), codes]
        return np.where(codes < 0, np.nan, own)

    def shown(self, row: int) -> dict[str, list[tuple[str, float]]]:
        """The most probable classes of an image with their probabilities, and that of its label, by attribute."""
        shown = {}
        for name, table in self.probabilities.items():
            if np.isnan(table[row]).any():
                continue
            values = self.labels.table.scheme.attribute(name).values
            codes = np.argsort(-table[row], kind="stable")[:SHOWN].tolist()
            label = int(self.labels.table.labels[name].iloc[row])
            codes += [label] if label >= 0 and label not in codes else []
            shown[name] = [(values[code], float(table[row, code])) for code in codes]
        return shown

    @cached_property
    def predicted(self) -> RowLabels:
        """The predictions as if they were the labels, so that they are filtered like labels."""
        table = self.labels.table
        return RowLabels(replace(table, labels=pd.DataFrame(dict(self.codes)), numbers=pd.DataFrame()))


def matched_predictions(matched: MatchedAnswers, files: ChannelFiles) -> Predictions:
    """The predictions for the images of a folder.

    Args:
        matched: True labels and predictions.
        files: The folder. Images that it lacks are left out.
    """
    found = [files.find_spelling(name) for name in matched.names]
    rows = np.array([row for row, match in enumerate(found) if match.kind == "file"], dtype=np.int64)
    paths = [found[row].path for row in rows]
    names = matched.scheme.names
    groups = paths
    if matched.groups is not None:
        groups = [matched.group_names[matched.groups[row]] or found[row].path for row in rows]
    table = Table(
        root=files.root,
        scheme=matched.scheme,
        locations=ImageLocations(files.shards.locate(path) for path in paths),
        groups=np.array(groups, dtype=object),
        grouped_by=(matched.group_label or "") if matched.groups is not None else "",
        labels=pd.DataFrame({name: matched.truth_of(name)[rows] for name in names}),
        numbers=pd.DataFrame(index=range(len(rows))),
        metadata=pd.DataFrame({name: np.array(texts, object)[rows] for name, texts in matched.metadata.items()}),
        source=matched.truth_source,
    )
    probabilities = {}
    if matched.probabilities is not None:
        probabilities = attribute_probabilities(matched.scheme, matched.probabilities[rows])
    return Predictions(RowLabels(table), {name: matched.answers_of(name)[0][rows] for name in names}, probabilities)


@dataclass(frozen=True)
class ErrorFilter:
    """Which predictions are listed.

    Attributes:
        wrong: The wrong predictions, or the right ones.
        attribute: The attribute; empty: those that `true` and `predicted` name, otherwise all.
        true: Conditions on the true labels, as filter_rows reads them.
        predicted: Conditions on the predictions.
        images: Conditions on labels, metadata, group and path.
        confidence: Least and largest probability of the predicted class.
    """

    wrong: bool = True
    attribute: str = ""
    true: Sequence[str] = ()
    predicted: Sequence[str] = ()
    images: Sequence[str] = ()
    confidence: tuple[float, float] = (0.0, 1.0)

    def attributes(self, labels: RowLabels) -> tuple[str, ...]:
        """The attributes whose predictions are listed. InputError if the channel does not have the one that is set."""
        scheme = labels.table.scheme
        if self.attribute:
            try:
                return (scheme.attribute(self.attribute).name,)
            except InputError as error:
                raise InputError(f"attribute: {error}") from None
        named = {condition.partition("=")[0].strip() for condition in (*self.true, *self.predicted)}
        return tuple(name for name in scheme.names if name in named) or scheme.names

    def rows(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Whether each image fulfils the conditions, bool (n,). InputError if one of them is invalid."""
        kept = np.ones(len(predictions.labels.paths), dtype=bool)
        for labels, conditions, flag in (
            (predictions.labels, self.true, "true"),
            (predictions.predicted, self.predicted, "predicted"),
            (predictions.labels, self.images, "filter"),
        ):
            if conditions:
                kept &= np.isin(np.arange(len(kept)), filter_rows(labels, conditions, flag))
        return kept


def error_items(predictions: Predictions, chosen: ErrorFilter) -> list[Item]:
    """The queue: wrong predictions, the most confident first, or right ones, the least confident first.

    An image is an item for each attribute. Images without a label or a prediction of the attribute are left out;
    predictions without a probability come last.

    Args:
        predictions: The predictions.
        chosen: Which of them are listed.

    Raises:
        InputError: A condition is invalid, or confidences are limited and there are no probabilities.
    """
    labels, kept = predictions.labels, chosen.rows(predictions)
    low, high = chosen.confidence
    found: list[tuple[float, int, str]] = []
    for name in chosen.attributes(labels):
        truth, codes = labels.table.labels[name].to_numpy(), predictions.codes[name]
        confidence = predictions.confidence(name)
        listed = kept & (truth >= 0) & (codes >= 0) & ((truth != codes) == chosen.wrong)
        if (low, high) != (0, 1):
            if np.isnan(confidence).all():
                raise InputError("least_confidence and most_confidence need probabilities.csv next to the predictions")
            listed &= (confidence >= low) & (confidence <= high)
        rows = np.flatnonzero(listed)
        found += [(float(confidence[row]), row, name) for row in rows.tolist()]
    sign = -1 if chosen.wrong else 1
    found.sort(key=lambda each: (np.isnan(each[0]), sign * each[0]))
    return [_item(id, predictions, *each) for id, each in enumerate(found)]


def _item(id: int, predictions: Predictions, confidence: float, row: int, attribute: str) -> Item:
    """The item of a prediction; a right one suggests no other label."""
    labels = predictions.labels
    given, predicted = labels.text(row, attribute), predictions.predicted.text(row, attribute)
    is_right = labels.table.labels[attribute].iloc[row] == predictions.codes[attribute][row]
    sure = "" if np.isnan(confidence) else f" with {confidence:.2f}"
    return Item(
        id=id,
        level=IMAGE,
        path=labels.paths[row],
        group=labels.groups[row],
        attribute=attribute,
        given=given,
        suggested="" if is_right else predicted,
        score=None if np.isnan(confidence) else confidence,
        reason=f"Predicted {predicted}{sure}{', as labelled' if is_right else f'; labelled {given}'}.",
        images=(row,),
    )
