"""Notes of an evaluation about its intervals: why a score has none, and which intervals may be too narrow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model.errors import listing
from model.evaluation.targets import JOINT_CLASS, Target
from model.metrics.bootstrap import FEW_GROUPS, Interval
from model.metrics.scores import NO_TRUTH, SCORE_LABELS


def interval_notes(
    targets: Mapping[str, Target], scores: Mapping[str, Interval], groups: np.ndarray | None, units: int
) -> list[str]:
    """The notes of an evaluation with intervals.

    Args:
        targets: The joint class, unless its scores are means of the attributes' scores, and the attributes, by name.
        scores: Of the joint class, by the names of metrics.scores.scores_of.
        groups: Of each image, int64 (N,), 0 to G - 1; None if each image is a group of its own.
        units: Number of groups (of images, without groups) that the joint class is scored over.
    """
    notes = []
    # an attribute also has the images that lack another label, and may have intervals when the joint class has none
    scored = {name: target for name, target in targets.items() if _units(target, groups) >= FEW_GROUPS}
    if units < FEW_GROUPS:
        noun = ("group" if groups is not None else "image") + ("" if units == 1 else "s")
        which = " for scores that use only images labelled for all attributes" if scored else ""
        notes.append(f"no intervals{which}: {units} {noun}; an interval needs at least {FEW_GROUPS}")
    else:
        without = [label for name, label in SCORE_LABELS.items() if scores[name].low is None]
        if without:
            notes.append(f"no interval for {listing(without)}: the value is the same in every resample")
    for name, target in scored.items():
        if few := _classes_of_few_groups(target, groups):
            classes = "joint classes" if name == JOINT_CLASS else f"values of {name}"
            units_noun = "groups" if groups is not None else "images"
            notes.append(
                f"{classes} with fewer than {FEW_GROUPS} {units_noun}: {len(few):,} ({listing(few, 5)}); the intervals "
                "of macro scores may be too narrow"
            )
    return notes


def _units(target: Target, groups: np.ndarray | None) -> int:
    """Number of groups (of images, without groups) that a target is scored over."""
    known = target.truth != NO_TRUTH
    return int(known.sum()) if groups is None else len(np.unique(groups[known]))


def _classes_of_few_groups(target: Target, groups: np.ndarray | None) -> list[str]:
    """The classes with images of fewer than FEW_GROUPS groups, with the number of groups."""
    known = target.truth != NO_TRUTH
    members = np.arange(len(known)) if groups is None else groups
    # each class and group once
    pairs = np.unique(np.column_stack([target.truth[known], members[known]]), axis=0)
    count = np.bincount(pairs[:, 0], minlength=len(target.class_names))
    return [f"{target.class_names[code]}: {count[code]}" for code in np.flatnonzero((count > 0) & (count < FEW_GROUPS))]
