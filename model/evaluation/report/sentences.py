"""What the page says in words: the scores, the classes that hold them back, and what each section shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.artifacts.provenance import MemberProvenance, SplitSize
from model.errors import listing
from model.evaluation.evaluate import Evaluation, Scores
from model.evaluation.subgroups import Subgroup
from model.evaluation.summary import LABELS, verdict
from model.labels import Scheme
from model.metrics.bootstrap import Interval
from model.metrics.epoch_metrics import METRIC_LINE

SPACE = "\u00a0"  # before a unit, not broken
HELD_BACK_BY = 3  # classes told
ALIKE = 0.02  # mean confidence and accuracy that differ by less are called alike
NOUNS = {"person": "persons", "sender": "senders", "group": "groups", "people_path": "persons"}


def count(number: float) -> str:
    """`2,800`."""
    return f"{number:,.0f}"


def counted(number: int, noun: str, ending: str = "s") -> str:
    """`1 picture`, `2,800 pictures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}{SPACE}%"


def score(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}"


def four_digits(value: float) -> str:
    return score(value, 4)


def duration(seconds: float) -> str:
    """`46 s`, `7 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f}{SPACE}s"
    if minutes < 100:
        return f"{minutes}{SPACE}min"
    return f"{minutes // 60}{SPACE}h {minutes % 60}{SPACE}min"


def points(share: float) -> str:
    """A share in percent, without the sign, for a column whose header tells the unit."""
    return f"{100 * share:.1f}"


def difference(value: float, digits: int = 4) -> str:
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def span(interval: Interval, form: Any = score) -> str:
    """`0.473 to 0.560`; "" where there is no interval."""
    return "" if interval.low is None or interval.high is None else f"{form(interval.low)} to {form(interval.high)}"


def inside(interval: Interval, form: Any = score) -> str:
    """` (0.473 to 0.560)`; "" where there is no interval."""
    return "" if interval.low is None else f" ({span(interval, form)})"


def groups_noun(column: str | None) -> str:
    """What the groups of a column are called."""
    return NOUNS.get((column or "group").lower(), f"groups by {column}")


def subject(evaluation: Evaluation, scheme: Scheme, group_column: str | None) -> str:
    """What was evaluated, in one line."""
    of = f" of {count(evaluation.groups)} {groups_noun(group_column)}" if evaluation.groups else ""
    classes = counted(scheme.num_classes, "class", "es")
    if len(scheme.attributes) > 1:
        classes += ": " + " × ".join(f"{a.name} ({len(a.values)})" for a in scheme.attributes)
    return f"{counted(evaluation.pictures, 'picture')}{of}, {classes}"


def accuracy_sentence(evaluation: Evaluation) -> str:
    accuracy, constant = evaluation.joint.scores["accuracy"], evaluation.joint.constant["accuracy"]
    right = round(accuracy.value * evaluation.pictures)
    return (
        f"{count(right)} of {counted(evaluation.pictures, 'picture')} are answered right; always answering the "
        f"commonest class would be right for {percent(constant.value)}."
    )


def macro_f1_sentence(evaluation: Evaluation) -> str:
    names = len(evaluation.joint.class_names)
    return f"The mean over all {names:,} classes, in which a rare class counts as much as a common one."


def held_back_by(scores: Scores) -> list[tuple[str, str]]:
    """(class, sentence about it): those with the lowest F1, below the mean of all; of equal ones those with more
    pictures."""
    mean = scores.scores["macro_f1"].value
    f1 = {name: of.f1.value for name, of in scores.per_class.items() if of.support}
    low = [name for name in f1 if f1[name] < mean or not f1[name]]
    low.sort(key=lambda name: (f1[name], -scores.per_class[name].support))
    return [(name, _class_sentence(scores, name)) for name in low[:HELD_BACK_BY]]


def _class_sentence(scores: Scores, name: str) -> str:
    of, code = scores.per_class[name], scores.class_names.index(name)
    right, answered = int(scores.confusion[code, code]), int(scores.confusion[:, code].sum())
    others = scores.confusion[code].copy()
    others[code] = 0
    text = f"F1 {score(of.f1.value, 2)}{inside(of.f1, lambda value: score(value, 2))}. "
    text += f"{count(right) if right else 'None'} of {counted(of.support, 'picture')} {_is(right)} recognised"
    if others.any():
        text += f", {count(others.max())} {_is(others.max())} answered {scores.class_names[int(others.argmax())]}"
    if answered - right > min(right, of.support - right):
        wrong = "all" if not right and answered > 1 else f"{count(answered - right)} of"
        text += f"; {wrong} {counted(answered, 'answer')} with this class {_is(answered - right)} wrong"
    return text + "."


def _is(number: int) -> str:
    return "are" if number > 1 else "is"


def attributes_sentence(evaluation: Evaluation) -> str:
    """How often each attribute is right, the worst first; "" where there is one alone."""
    shares = {name: scores.scores["accuracy"].value for name, scores in evaluation.attributes.items()}
    if not shares:
        return ""
    first, *others = sorted(shares, key=shares.__getitem__)
    told = listing(f"{name} for {percent(shares[name])}" for name in others)
    return f"By attribute: {first} is right for {percent(shares[first])} of the pictures, {told}."


def calibration_sentence(evaluation: Evaluation) -> str:
    """Whether the probabilities are too high or too low, and the calibration error."""
    bins, error = evaluation.reliability, evaluation.calibration_error
    if not bins or error is None:
        return ""
    weights = np.array([of.pictures for of in bins])
    sure = float(np.average([of.confidence for of in bins], weights=weights))
    right = float(np.average([of.accuracy.value for of in bins], weights=weights))
    gap = sure - right
    if abs(gap) < ALIKE:
        end = "it is about as sure as it is right"
    else:
        end = f"it is too {'sure' if gap > 0 else 'unsure'} by {100 * abs(gap):.1f} points"
    return (
        f"The model gives its answers a mean probability of {percent(sure)}, and {percent(right)} of them are right: "
        f"{end}. The calibration error is {score(error.value)}{inside(error)}."
    )


def groups_sentence(slices: Sequence[Subgroup], noun: str) -> str:
    """How the share of right answers spreads over the groups."""
    shares = np.array([of.accuracy.value for of in slices])
    none, every = int((shares == 0).sum()), int((shares == 1).sum())
    half = float(np.median(shares))
    rest = f"; half of the {noun} have at least {percent(half, 0)}" if half < 1 else ""
    return (
        f"{count(every)} of the {count(len(slices))} {noun} {'has' if every == 1 else 'have'} every picture answered "
        f"right, {count(none)} {'has' if none == 1 else 'have'} none{rest}."
    )


def comparison_sentence(compare: dict[str, Interval], compared: str) -> str:
    """What the macro F1 says of these answers and the others."""
    gap = compare["macro_f1"]
    words = {
        "better": f"higher than that of {compared}, and the interval leaves 0 out",
        "worse": f"lower than that of {compared}, and the interval leaves 0 out",
        "not told apart": f"not told apart from that of {compared}: the interval holds 0",
        "": f"compared with that of {compared}",
    }
    return f"The {LABELS['macro_f1']} of these answers is {words[verdict(gap)]}; the difference is " + (
        f"{difference(gap.value)}{inside(gap, difference)}."
    )


def learnt_from(member: MemberProvenance) -> str:
    """`3,920 pictures of 560 persons, profile folders`."""
    return f"{counted(member.train.pictures, 'picture')}{_of(member.train, member)}, {member.source}"


def chosen_by(member: MemberProvenance) -> str:
    """By which score of which pictures the weights were chosen."""
    if member.validation is None:
        return "nothing: there were no validation pictures"
    known = {metric.criterion: metric.label for metric in METRIC_LINE if metric.criterion}
    told = [f"{known[name]} {score(member.scores[name])}" for name in known if name in member.scores]
    pictures = f"{counted(member.validation.pictures, 'picture')}{_of(member.validation, member, 'other ')}"
    return f"best {known.get(member.best_criterion, member.best_criterion)} on {pictures}: {listing(told)}"


def trained_for(member: MemberProvenance) -> str:
    text = f"{counted(member.epochs, 'epoch')}, {duration(member.seconds)} on {member.hardware}"
    if member.validation is not None:
        text += f"; the weights are those after epoch {member.epoch}"
    return text if member.finished else f"{text}; stopped before its end"


def _of(side: SplitSize, member: MemberProvenance, other: str = "") -> str:
    return f" of {count(side.groups)} {other}{groups_noun(member.grouped_by)}" if member.grouped_by else ""
