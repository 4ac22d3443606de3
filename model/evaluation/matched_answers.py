"""Truth and answers of the same images, matched by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from model.artifacts.provenance import Provenance
from model.labels import JOIN, Scheme
from model.metrics.scores import NO_ANSWER, NO_TRUTH

NO_LABEL = "no label"  # in the name of the class of an image that lacks one


@dataclass(frozen=True)
class MatchedAnswers:
    """Truth and answers of the same images, in the order of the truth's rows.

    scheme: labels of the classes, C of them.
    names: of the N images.
    truth: int64 (N,), true classes, -1 where the label of an attribute is missing.
    answers: int64 (N,), predicted classes, -1 without an answer.
    probabilities: float64 (N, C), a row of NaN for an image without; None without a file of them.
    groups: int64 (N,), 0 to G - 1, the person or sender of each image; None without a column of groups.
    group_column: its name.
    group_names: of each group; "" for an image without a group, which is a group of its own.
    metadata: other columns of the truth and of the answers, N texts each, "" for an empty or missing cell.
    other: int64 (N,), another model's predicted classes, to compare with.
    provenance: how the model was trained, None where labels.json does not record it.
    unanswered: names of the images without an answer.
    left_out: names of the answers without truth.
    notes: sentences that a reader of the scores must know.
    learnt_from: number of images by side (train, validation) that the model saw in its training; None if not known.
    truth_source, answers_source: last parts of the paths of truth and answers, "" where they are in memory.
    held_out: which images of a training they are, as labels.json beside its answers records it (HELD_OUT_KEY).
    truth_by_attribute: int64 (N,) for each attribute, its true classes, -1 without a label; each image has one of some
        attribute. Empty where every image has all labels.
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

    @property
    def correct(self) -> np.ndarray:
        """Whether each image is answered correctly, bool (N,)."""
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
        """Predicted classes of an attribute, int64 (N,), -1 without an answer; then those of the other model."""
        answers = [self.answers, *([] if self.other is None else [self.other])]
        return [np.where(joint == NO_ANSWER, NO_ANSWER, self.scheme.split(joint)[attribute]) for joint in answers]

    def true_name(self, row: int) -> str:
        """Name of the true class of an image; a missing label is NO_LABEL in it."""
        if self.truth[row] != NO_TRUTH:
            return self.scheme.class_names[self.truth[row]]
        codes = [(one, self.truth_by_attribute[one.name][row]) for one in self.scheme.attributes]
        return JOIN.join(NO_LABEL if code == NO_TRUTH else one.values[code] for one, code in codes)

    @cached_property
    def complete(self) -> MatchedAnswers:
        """Those of the images with a label of every attribute, which scores of the joint classes are over."""
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
            metadata={column: [cells[row] for row in rows] for column, cells in self.metadata.items()},
            other=None if self.other is None else self.other[rows],
            unanswered=[name for name, answer in zip(names, self.answers[rows], strict=True) if answer == NO_ANSWER],
            truth_by_attribute={},
        )
