"""Readable predictions: the most probable classes of each image by name, in predictions.csv and in the table that
inference prints for single files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.answers.files import ASK_PERSON
from model.attributes import number_column
from model.decisions import Decision
from model.labels import Scheme

YES, NO = "yes", "no"  # values of the column ask_person
TOP = ("predicted", "second", "third")  # columns of classes; each has a column of its probability


@dataclass(frozen=True)
class PredictionTable:
    """Creates the header and the rows of a table of predictions.

    The columns are the image name, `predicted`, the attributes by name if there are several, estimated numbers as
    ATTRIBUTE_number, `probability`, `second`, `second_probability`, `third`, `third_probability` (fewer if there are
    fewer classes), `ask_person` (yes or no) if the decision can ask a person, and `error`, the reason why an image is
    unreadable.

    Attributes:
        scheme: The label scheme of the classes.
        decision: Decides the class of each image; the others are ranked by its scores.
        name_column: Name of the column of image names.
        numbers: Names of the attributes whose number is estimated.
    """

    scheme: Scheme
    decision: Decision
    name_column: str
    numbers: tuple[str, ...] = ()

    @property
    def header(self) -> list[str]:
        """Names of the columns. An attribute with the name of another column is called predicted_NAME."""
        top = TOP[: self.scheme.num_classes]
        ranks = [name for rank in top[1:] for name in (rank, f"{rank}_probability")]
        asked = [ASK_PERSON] if self.decision.can_ask else []
        own = [self.name_column, "predicted", "probability", *ranks, *asked, "error"]
        columns = (*_attribute_columns(self.scheme), *map(number_column, self.numbers))
        attributes = [f"predicted_{name}" if name in own else name for name in columns]
        return [*own[:2], *attributes, *own[2:]]

    def rows(
        self, names: Sequence[str], probabilities: np.ndarray, numbers: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[list[str]]:
        """The rows of some images.

        Args:
            names: N names.
            probabilities: float32 (N, C), of the joint classes.
            numbers: The estimated numbers by attribute, float (N,) each; one that is missing or NaN stays empty.
        """
        classes = top_classes(probabilities, self.decision, len(TOP))
        shown = np.take_along_axis(probabilities, classes, axis=1)
        codes = self.scheme.split(classes[:, 0])
        values = [
            [self.scheme.attribute(name).values[code] for code in codes[name]]
            for name in _attribute_columns(self.scheme)
        ]
        estimated = numbers or {}
        without = np.full(len(names), np.nan)
        values += [[number_text(number) for number in estimated.get(name, without)] for name in self.numbers]
        class_names = self.scheme.class_names
        asked = self.decision.asks(probabilities) if self.decision.can_ask else None
        for row, name in enumerate(names):
            ranked = [
                text for code, share in zip(classes[row], shown[row]) for text in (class_names[code], f"{share:.4f}")
            ]
            advice = [] if asked is None else [YES if asked[row] else NO]
            yield [name, ranked[0], *(texts[row] for texts in values), *ranked[1:], *advice, ""]

    def unread(self, name: str, reason: str) -> list[str]:
        """The row of an unreadable image."""
        return [name, *[""] * (len(self.header) - 2), reason]


def number_text(number: float) -> str:
    """An estimated number with six digits; "" for NaN."""
    return "" if np.isnan(number) else f"{number:.6g}"


def terminal_rows(
    names: Sequence[str],
    probabilities: np.ndarray,
    scheme: Scheme,
    decision: Decision,
    numbers: Mapping[str, np.ndarray] | None = None,
) -> Iterator[list[list[str]]]:
    """Rows of each image for a terminal: image name, class, probability, and the next two classes with probabilities.

    If there are several attributes, a row of each follows: the attribute with its predicted value, the probability of
    this value (the sum over the joint classes that contain it), and the next two values.

    Args:
        names: N names.
        probabilities: float32 (N, C).
        scheme: The label scheme of the classes.
        decision: Decides the class of each image.
        numbers: The estimated numbers by attribute, float (N,) each, which follow the predicted value.
    """
    classes = top_classes(probabilities, decision, len(TOP))
    shown = np.take_along_axis(probabilities, classes, axis=1)
    for row, name in enumerate(names):
        first, *others = [(scheme.class_names[code], f"{share:.1%}") for code, share in zip(classes[row], shown[row])]
        own = {attribute: f" ({values[row]:.4g})" for attribute, values in (numbers or {}).items()}
        if len(scheme.attributes) == 1:
            first = (first[0] + own.get(scheme.names[0], ""), first[1])
        of_attributes = _attribute_rows(probabilities[row], int(classes[row, 0]), scheme, 1 + len(others), own)
        yield [[name, *first, *(" ".join(other) for other in others)], *of_attributes]


def _attribute_rows(
    probabilities: np.ndarray, predicted: int, scheme: Scheme, most: int, numbers: Mapping[str, str]
) -> Iterator[list[str]]:
    """A row of terminal_rows for each attribute; none if there is only one.

    Args:
        probabilities: float32 (C,), of the joint classes of one image.
        predicted: The predicted joint class.
        scheme: The label scheme of the classes.
        most: Maximum number of values in a row, the predicted one included.
        numbers: By attribute, the text that follows the predicted value.
    """
    of_predicted, of_classes = scheme.split(predicted), scheme.split(np.arange(len(probabilities)))
    for name in _attribute_columns(scheme):
        values, own = scheme.attribute(name).values, int(of_predicted[name])
        # the probability of a value is the sum over the joint classes that contain it
        sums = np.bincount(of_classes[name], weights=probabilities, minlength=len(values))
        others = [code for code in np.argsort(-sums, kind="stable") if code != own][: most - 1]
        ranks = [f"{values[code]} {sums[code]:.1%}" for code in others]
        yield [
            "",
            f"{name}: {values[own]}{numbers.get(name, '')}",
            f"{sums[own]:.1%}",
            *ranks,
            *[""] * (most - 1 - len(ranks)),
        ]


def top_classes(probabilities: np.ndarray, decision: Decision, most: int) -> np.ndarray:
    """The predicted class of each image, then the classes that the decision ranks next, int64 (N, at most `most`).

    Args:
        probabilities: float (N, C).
        decision: Decides the class.
        most: Number of classes for each image, at least 1.
    """
    scores = np.array(decision.scores(probabilities), dtype=np.float64)
    np.put_along_axis(scores, decision.classes(probabilities)[:, None], np.inf, axis=1)
    return np.argsort(-scores, axis=1, kind="stable")[:, :most]


def _attribute_columns(scheme: Scheme) -> tuple[str, ...]:
    """Names of the attributes if there are several, otherwise none."""
    return scheme.names if len(scheme.attributes) > 1 else ()
