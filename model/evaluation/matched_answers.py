"""True labels and predictions of the same images, matched by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from model.artifacts.provenance import Provenance
from model.data.correction_record import CorrectionRecord
from model.labels import JOIN, Scheme
from model.metrics.scores import NO_ANSWER, NO_TRUTH

NO_LABEL = "no label"  # in the name of the class of an image that lacks one


@dataclass(frozen=True)
class MatchedNumbers:
    """The number of an attribute of N images: true and estimated, float64 (N,) each, NaN where unknown."""

    true: np.ndarray
    estimated: np.ndarray


@dataclass(frozen=True)
class MatchedAnswers:
    """True labels and predictions of the same images, in the order of the table of true labels.

    scheme: The label scheme, with C classes.
    names: Names of the N images.
    truth: int64 (N,), true classes, -1 if the label of an attribute is missing.
    answers: int64 (N,), predicted classes, -1 without a prediction.
    probabilities: float64 (N, C), with a row of NaN for an image without them; None without a file of probabilities.
    groups: int64 (N,), 0 to G - 1, the person or sender of each image; None without a column of groups.
    group_column: Name of that column.
    trained_column: Name of that column in the training data, if training wrote the true labels; "" otherwise.
    group_names: Name of each group; "" for an image without a group, which is a group of its own.
    metadata: Other columns of the two tables, N texts each, "" for an empty or missing value.
    other: int64 (N,), predicted classes of another model to compare with; None without one.
    provenance: How the model was trained; None if labels.json does not say.
    unanswered: Names of the images without a prediction.
    left_out: Names of the predictions without a true label.
    notes: Sentences for the reader of the scores.
    learnt_from: Number of images by side (train, validation) that were used to train the model; None if not known.
    truth_source, answers_source: Last parts of the paths of the two tables; "" if they are in memory.
    held_out: The images of a training that these are, from labels.json (HELD_OUT_KEY).
    truth_by_attribute: int64 (N,), true classes of each attribute, -1 without a label; every image has at least one
        label. Empty if every image has all labels.
    asked: bool (N,), whether the predictions advise to ask a person; None without such advice.
    corrected: What the setting `corrections` changed in the true labels; None without it.
    numbers: The numbers of attributes whose number is estimated and known for some image.
    """

    scheme: Scheme
    names: list[str]
    truth: np.ndarray
    answers: np.ndarray
    probabilities: np.ndarray | None = None
    groups: np.ndarray | None = None
    group_column: str | None = None
    group_names: list[str] = field(default_factory=list)
    metadata: dict[str, list[str]] = field(default_factory=dict)
    other: np.ndarray | None = None
    provenance: Provenance | None = None
    unanswered: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    learnt_from: dict[str, int] | None = None
    truth_source: str = ""
    answers_source: str = ""
    held_out: str = ""
    truth_by_attribute: Mapping[str, np.ndarray] = field(default_factory=dict)
    trained_column: str = ""
    corrected: CorrectionRecord | None = None
    numbers: Mapping[str, MatchedNumbers] = field(default_factory=dict)
    asked: np.ndarray | None = None

    @property
    def group_label(self) -> str | None:
        """Name of the column of groups in texts; None without groups."""
        return self.trained_column or self.group_column

    @property
    def correct(self) -> np.ndarray:
        """Whether each image is predicted correctly, bool (N,)."""
        return (self.truth == self.answers) & self.has_all_labels

    @property
    def has_all_labels(self) -> np.ndarray:
        """Whether each image has a label of every attribute, bool (N,)."""
        return self.truth != NO_TRUTH

    def truth_of(self, attribute: str) -> np.ndarray:
        """True classes of an attribute, int64 (N,), -1 without a label."""
        if self.truth_by_attribute:
            return self.truth_by_attribute[attribute]
        return np.asarray(self.scheme.split(self.truth)[attribute])

    def answers_of(self, attribute: str) -> list[np.ndarray]:
        """Predicted classes of an attribute, int64 (N,), -1 without a prediction; then those of the other model."""
        answers = [self.answers, *([] if self.other is None else [self.other])]
        return [np.where(joint == NO_ANSWER, NO_ANSWER, self.scheme.split(joint)[attribute]) for joint in answers]

    def true_name(self, row: int) -> str:
        """Name of the true class of an image; NO_LABEL stands for a missing label."""
        if self.truth[row] != NO_TRUTH:
            return self.scheme.class_names[self.truth[row]]
        codes = [(one, self.truth_by_attribute[one.name][row]) for one in self.scheme.attributes]
        return JOIN.join(NO_LABEL if code == NO_TRUTH else one.values[code] for one, code in codes)

    @cached_property
    def complete(self) -> MatchedAnswers:
        """The images with a label of every attribute, over which the joint class is scored."""
        if not self.truth_by_attribute:
            return self
        rows = np.flatnonzero(self.has_all_labels)
        names = [self.names[row] for row in rows]
        groups, group_names = self.groups, self.group_names
        if groups is not None:
            present, groups = np.unique(groups[rows], return_inverse=True)
            group_names = [group_names[group] for group in present]
        return replace(
            self,
            names=names,
            truth=self.truth[rows],
            answers=self.answers[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            groups=groups,
            group_names=group_names,
            metadata={column: [texts[row] for row in rows] for column, texts in self.metadata.items()},
            other=None if self.other is None else self.other[rows],
            asked=None if self.asked is None else self.asked[rows],
            unanswered=[name for name, answer in zip(names, self.answers[rows], strict=True) if answer == NO_ANSWER],
            truth_by_attribute={},
            numbers={name: MatchedNumbers(own.true[rows], own.estimated[rows]) for name, own in self.numbers.items()},
        )
