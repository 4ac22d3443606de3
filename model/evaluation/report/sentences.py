"""The sentences of the report (scores, weakest classes, calibration, groups, provenance), and how it writes numbers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from model.artifacts.provenance import MemberProvenance, SplitSize
from model.errors import listing
from model.evaluation.coverage import CoveragePoint
from model.evaluation.evaluate import Evaluation, Scores
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.subgroups import Subgroup
from model.evaluation.summary import seen_sentence, verdict
from model.labels import Scheme
from model.metrics.bootstrap import Interval
from model.metrics.epoch_metrics import metrics_of_line
from model.metrics.scores import SCORE_LABELS

SPACE = "\u00a0"  # no-break space, before a unit
HELD_BACK_BY = 3  # classes named as the weakest
ALIKE = 0.02  # a model is called as sure as it is right if mean confidence and accuracy differ by less
SUREST, GOOD = 0.8, 0.95  # coverage and accuracy that the page names
HELD_OUT = {
    "validation": "These are the validation images of the training. They also chose the epoch of the weights, so "
    "that new images are likely to be answered somewhat worse.",
    "out_of_fold": "Each image of the training was answered by a model that did not learn from it.",
}
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
    """A share in percent without the sign, for a column whose header has the unit."""
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
    """What the groups of a column are called, in the plural."""
    return NOUNS.get((column or "group").lower(), f"groups by {column}")


def subject(evaluation: Evaluation, scheme: Scheme, group_column: str | None) -> str:
    """What was evaluated, in one line."""
    groups = f" of {count(evaluation.groups)} {groups_noun(group_column)}" if evaluation.groups else ""
    classes = counted(scheme.num_classes, "class", "es")
    if scheme.is_large:
        classes = f"{count(scheme.num_classes)} of {count(scheme.num_combinations)} combinations"
    if len(scheme.attributes) > 1:
        classes += ": " + " × ".join(f"{attribute.name} ({len(attribute.values)})" for attribute in scheme.attributes)
    return f"{counted(evaluation.pictures, 'picture')}{groups}, {classes}"


def seen_images_sentence(evaluation: Evaluation) -> str:
    """Whether the model saw images of the page in its training, for its first line; "" where that is not known."""
    sentence = seen_sentence(evaluation)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def images(matched: MatchedAnswers, made_on: datetime.date | None) -> list[str]:
    """Which images these are: where truth and answers lie, when they were evaluated, and what part of a training they
    are."""
    date = f"evaluated on {made_on.day} {made_on.strftime('%B %Y')}" if made_on else ""
    sources = [("truth ", matched.truth_source), ("answers ", matched.answers_source), ("", date)]
    source = ", ".join(lead + text for lead, text in sources if text)
    return [
        text
        for text in (f"{source[:1].upper()}{source[1:]}." if source else "", HELD_OUT.get(matched.held_out, ""))
        if text
    ]


def coverage_sentences(points: Sequence[CoveragePoint]) -> str:
    """What answering only the surest images would gain."""
    if not points:
        return ""
    most = min(points, key=lambda point: abs(point.coverage - SUREST))
    text = (
        f"Answering only the surest {percent(most.coverage, 0)} of the images would be right in "
        f"{percent(most.accuracy.value)}{inside(most.accuracy, percent)}."
    )
    good = [point for point in points if point.accuracy.value >= GOOD]
    if not good:
        return f"{text} No share of 5{SPACE}% or more is right in {percent(GOOD, 0)}."
    if good[-1].coverage == 1:
        return text
    return (
        f"{text} To be right in {percent(GOOD, 0)}, the surest {percent(good[-1].coverage, 0)} could be answered: "
        f"those with a probability of at least {score(good[-1].probability, 2)}."
    )


def accuracy_sentence(evaluation: Evaluation) -> str:
    accuracy, constant = evaluation.joint.scores["accuracy"], evaluation.joint.constant["accuracy"]
    right = round(accuracy.value * evaluation.pictures)
    return (
        f"{count(right)} of {counted(evaluation.pictures, 'picture')} are answered right; always answering the "
        f"commonest class would be right for {percent(constant.value)}."
    )


def macro_f1_sentence(evaluation: Evaluation) -> str:
    names = len(evaluation.joint.class_names)
    if evaluation.is_large:
        return "The mean of the attributes' macro F1, each over the values that occur."
    return f"The mean over all {names:,} classes, in which a rare class counts as much as a common one."


def held_back_by(scores: Scores) -> list[tuple[str, str]]:
    """(class, sentence about it) of the classes with the lowest F1, below the mean; of equal ones the larger first."""
    mean = scores.scores["macro_f1"].value
    f1 = {name: class_scores.f1.value for name, class_scores in scores.per_class.items() if class_scores.support}
    low = [name for name in f1 if f1[name] < mean or not f1[name]]
    low.sort(key=lambda name: (f1[name], -scores.per_class[name].support))
    return [(name, _class_sentence(scores, name)) for name in low[:HELD_BACK_BY]]


def _class_sentence(scores: Scores, name: str) -> str:
    """How well a class is recognised, what it is mostly answered as, and how often others are answered as it."""
    class_scores, code = scores.per_class[name], scores.class_names.index(name)
    right, answered = int(scores.confusion[code, code]), int(scores.confusion[:, [code]].sum())
    others = scores.confusion[[code]].toarray()[0]
    others[code] = 0
    text = f"F1 {score(class_scores.f1.value, 2)}{inside(class_scores.f1, lambda value: score(value, 2))}. "
    text += f"{count(right) if right else 'None'} of {counted(class_scores.support, 'picture')} {_is(right)} recognised"
    if others.any():
        text += f", {count(others.max())} {_is(others.max())} answered {scores.class_names[int(others.argmax())]}"
    if answered - right > min(right, class_scores.support - right):
        wrong = "all" if not right and answered > 1 else f"{count(answered - right)} of"
        text += f"; {wrong} {counted(answered, 'answer')} with this class {_is(answered - right)} wrong"
    return text + "."


def _is(number: int) -> str:
    return "are" if number > 1 else "is"


def attributes_sentence(evaluation: Evaluation) -> str:
    """How often each attribute is right, the worst first; "" where there is only one."""
    shares = {name: scores.scores["accuracy"].value for name, scores in evaluation.attributes.items()}
    if not shares:
        return ""
    first, *others = sorted(shares, key=shares.__getitem__)
    rest = listing(f"{name} for {percent(shares[name])}" for name in others)
    pictures = "images with a label of it" if evaluation.partial else "pictures"
    return f"By attribute: {first} is right for {percent(shares[first])} of the {pictures}, {rest}."


def calibration_sentence(evaluation: Evaluation) -> str:
    """Whether the probabilities are too high or too low, and the calibration error; "" without probabilities."""
    bins, error = evaluation.reliability, evaluation.calibration_error
    if not bins or error is None:
        return ""
    weights = np.array([bin_.pictures for bin_ in bins])
    confidence = float(np.average([bin_.confidence for bin_ in bins], weights=weights))
    accuracy = float(np.average([bin_.accuracy.value for bin_ in bins], weights=weights))
    gap = confidence - accuracy
    if abs(gap) < ALIKE:
        end = "it is about as sure as it is right"
    else:
        end = f"it is too {'sure' if gap > 0 else 'unsure'} by {100 * abs(gap):.1f} points"
    return (
        f"The model gives its answers a mean probability of {percent(confidence)}, and {percent(accuracy)} of them are "
        f"right: {end}. The calibration error is {score(error.value)}{inside(error)}."
    )


def groups_sentence(groups: Sequence[Subgroup], noun: str) -> str:
    """How the share of right answers is distributed over the groups. noun: what the groups are called."""
    shares = np.array([group.accuracy.value for group in groups])
    none, every = int((shares == 0).sum()), int((shares == 1).sum())
    median = float(np.median(shares))
    rest = f"; half of the {noun} have at least {percent(median, 0)}" if median < 1 else ""
    return (
        f"{count(every)} of the {count(len(groups))} {noun} {'has' if every == 1 else 'have'} every image answered "
        f"right, {count(none)} {'has' if none == 1 else 'have'} none{rest}."
    )


def comparison_sentence(compare: dict[str, Interval], compared: str) -> str:
    """How the macro F1 compares with that of the other answers. compared: what these are called."""
    gap = compare["macro_f1"]
    words = {
        "better": f"higher than that of {compared}, and the interval leaves 0 out",
        "worse": f"lower than that of {compared}, and the interval leaves 0 out",
        "not told apart": f"not told apart from that of {compared}: the interval holds 0",
        "": f"compared with that of {compared}",
    }
    return f"The {SCORE_LABELS['macro_f1']} of these answers is {words[verdict(gap)]}; the difference is " + (
        f"{difference(gap.value)}{inside(gap, difference)}."
    )


def learnt_from(member: MemberProvenance) -> str:
    """`3,920 images of 560 persons, profile folders`."""
    return f"{counted(member.train.pictures, 'picture')}{_of_groups(member.train, member)}, {member.source}"


def chosen_by(member: MemberProvenance) -> str:
    """The score, and the images it was computed on, by which the epoch was selected."""
    if member.validation is None:
        return "nothing: there were no validation images"
    known = {metric.criterion: metric.label for metric in metrics_of_line() if metric.criterion}
    scores = [f"{known[name]} {score(member.scores[name])}" for name in known if name in member.scores]
    pictures = f"{counted(member.validation.pictures, 'picture')}{_of_groups(member.validation, member, 'other ')}"
    return f"best {known.get(member.best_criterion, member.best_criterion)} on {pictures}: {listing(scores)}"


def trained_for(member: MemberProvenance) -> str:
    """Epochs, time and hardware of the training, and the epoch of the weights."""
    text = f"{counted(member.epochs, 'epoch')}, {duration(member.seconds)} on {member.hardware}"
    if member.validation is not None:
        text += f"; the weights are those after epoch {member.epoch}"
    return text if member.finished else f"{text}; stopped before its end"


def _of_groups(split: SplitSize, member: MemberProvenance, other: str = "") -> str:
    """` of 560 persons`; "" where the images have no groups."""
    return f" of {count(split.groups)} {other}{groups_noun(member.grouped_by)}" if member.grouped_by else ""
