"""Readable predictions: the most probable classes of each image by name, in predictions.csv and in the table that
inference prints for single files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.answers.files import ASK_PERSON
from model.decisions import Decision
from model.labels import Scheme

YES, NO = "yes", "no"  # values of the column ask_person
TOP = ("predicted", "second", "third")  # columns of classes; each has a column of its probability


@dataclass(frozen=True)
class PredictionTable:
    """Creates the header and the rows of a table of predictions.

    The columns are the image name, `predicted`, the attributes by name if there are several, `probability`, `second`,
    `second_probability`, `third`, `third_probability` (fewer if there are fewer classes), `ask_person` (yes or no) if
    the decision can ask a person, and `error`, the reason why an image is unreadable.

    Attributes:
        scheme: The label scheme of the classes.
        decision: Decides the class of each image; the others are ranked by its scores.
        name_column: Name of the column of image names.
    """

    scheme: Scheme
    decision: Decision
    name_column: str

    @property
    def header(self) -> list[str]:
        """Names of the columns. An attribute with the name of another column is called predicted_NAME."""
        top = TOP[: self.scheme.num_classes]
        ranks = [name for rank in top[1:] for name in (rank, f"{rank}_probability")]
        asked = [ASK_PERSON] if self.decision.can_ask else []
        own = [self.name_column, "predicted", "probability", *ranks, *asked, "error"]
        attributes = [f"predicted_{name}" if name in own else name for name in _attribute_columns(self.scheme)]
        return [*own[:2], *attributes, *own[2:]]

    def rows(self, names: Sequence[str], probabilities: np.ndarray) -> Iterator[list[str]]:
        """The rows of some images.

        Args:
            names: N names.
            probabilities: float32 (N, C), of the joint classes.
        """
        classes = top_classes(probabilities, self.decision, len(TOP))
        shown = np.take_along_axis(probabilities, classes, axis=1)
        codes = self.scheme.split(classes[:, 0])
        values = [
            [self.scheme.attribute(name).values[code] for code in codes[name]]
            for name in _attribute_columns(self.scheme)
        ]
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


def terminal_rows(
    names: Sequence[str], probabilities: np.ndarray, scheme: Scheme, decision: Decision
) -> Iterator[list[list[str]]]:
    """Rows of each image for a terminal: image name, class, probability, and the next two classes with probabilities.

    If there are several attributes, a row of each follows: the attribute with its predicted value, the probability of
    this value (the sum over the joint classes that contain it), and the next two values.

    Args:
        names: N names.
        probabilities: float32 (N, C).
        scheme: The label scheme of the classes.
        decision: Decides the class of each image.
    """
    classes = top_classes(probabilities, decision, len(TOP))
    shown = np.take_along_axis(probabilities, classes, axis=1)
    for row, name in enumerate(names):
        first, *others = [(scheme.class_names[code], f"{share:.1%}") for code, share in zip(classes[row], shown[row])]
        of_attributes = _attribute_rows(probabilities[row], int(classes[row, 0]), scheme, 1 + len(others))
        yield [[name, *first, *(" ".join(other) for other in others)], *of_attributes]


def _attribute_rows(probabilities: np.ndarray, predicted: int, scheme: Scheme, most: int) -> Iterator[list[str]]:
    """A row of terminal_rows for each attribute; none if there is only one.

    Args:
        probabilities: float32 (C,), of the joint classes of one image.
        predicted: The predicted joint class.
        scheme: The label scheme of the classes.
        most: Maximum number of values in a row, the predicted one included.
    """
    of_predicted, of_classes = scheme.split(predicted), scheme.split(np.arange(len(probabilities)))
    for name in _attribute_columns(scheme):
        values, own = scheme.attribute(name).values, int(of_predicted[name])
        # the probability of a value is the sum over the joint classes that contain it
        sums = np.bincount(of_classes[name], weights=probabilities, minlength=len(values))
        others = [code for code in np.argsort(-sums, kind="stable") if code != own][: most - 1]
        ranks = [f"{values[code]} {sums[code]:.1%}" for code in others]
        yield ["", f"{name}: {values[own]}", f"{sums[own]:.1%}", *ranks, *[""] * (most - 1 - len(ranks))]


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
