"""Sentences of the report (scores, weakest classes, calibration, groups, provenance) and its formats of numbers."""

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
from model.evaluation.reliability import mean_reliability
from model.evaluation.subgroups import Subgroup
from model.evaluation.summary import seen_sentence, verdict
from model.labels import Scheme
from model.metrics.bootstrap import Interval
from model.metrics.epoch_metrics import metrics_of_line
from model.metrics.scores import SCORE_LABELS

SPACE = "\u00a0"  # no-break space, before a unit
JOINT_TITLE = "All attributes together"
WEAKEST = 3  # classes in the summary
ALIKE = 0.02  # difference of mean probability and accuracy below which they are said to agree
SUREST, GOOD = 0.8, 0.95  # coverage and accuracy in the sentences about coverage
HELD_OUT = {
    "validation": "These are the validation images of the training. They were also used to choose the epoch whose "
    "weights were saved, so scores on new images are likely to be somewhat lower.",
    "out_of_fold": "Each image was predicted by a model that did not learn from it.",
}
NOUNS = {"person": "person", "sender": "sender", "group": "group", "people_path": "person"}  # by column of groups


def count(number: float) -> str:
    """`2,800`."""
    return f"{number:,.0f}"


def counted(number: int, noun: str, ending: str = "s") -> str:
    """`1 image`, `2,800 images`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}{SPACE}%"


def score(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}"


def digits(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}"


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
    """`0.473 to 0.560`; "" without an interval."""
    return "" if interval.low is None or interval.high is None else f"{form(interval.low)} to {form(interval.high)}"


def inside(interval: Interval, form: Any = score) -> str:
    """` (0.473 to 0.560)`; "" without an interval."""
    return "" if interval.low is None else f" ({span(interval, form)})"


def groups_noun(column: str | None) -> str:
    """The plural noun for the groups of a column: `persons`."""
    noun = NOUNS.get((column or "group").lower())
    return f"{noun}s" if noun else f"groups by {column}"


def classes_of(scheme: Scheme) -> str:
    """Number of classes; of several attributes also their names and sizes."""
    text = counted(scheme.num_classes, "class", "es")
    if scheme.is_large:
        text = f"{count(scheme.num_classes)} of {count(scheme.num_combinations)} combinations"
    if len(scheme.attributes) > 1:
        text += ": " + " × ".join(f"{attribute.name} ({len(attribute.values)})" for attribute in scheme.attributes)
    return text


def subject(evaluation: Evaluation, scheme: Scheme, group_column: str | None) -> str:
    """The evaluated images and classes, in one line."""
    groups = f" of {count(evaluation.groups)} {groups_noun(group_column)}" if evaluation.groups else ""
    return f"{counted(evaluation.pictures, 'image')}{groups}, {classes_of(scheme)}"


def seen_images_sentence(evaluation: Evaluation) -> str:
    """Whether these images were used to train the model; "" if that is not known."""
    sentence = seen_sentence(evaluation)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def images(matched: MatchedAnswers, made_on: datetime.date | None) -> list[str]:
    """The files of true labels and predictions with the date, and the part of a training that these images are."""
    date = f"{made_on.day} {made_on.strftime('%B %Y')}" if made_on else ""
    sources = [
        ("True labels: ", matched.truth_source),
        ("Predictions: ", matched.answers_source),
        ("Evaluated on ", date),
    ]
    source = " ".join(f"{lead}{text}." for lead, text in sources if text)
    return [text for text in (source, HELD_OUT.get(matched.held_out, "")) if text]


def coverage_sentences(points: Sequence[CoveragePoint]) -> str:
    """The accuracy of the most confident predictions, and the coverage at which it is GOOD."""
    if not points:
        return ""
    most = min(points, key=lambda point: abs(point.coverage - SUREST))
    text = (
        f"The accuracy of the {percent(most.coverage, 0)} most confident predictions is {percent(most.accuracy.value)}"
        f"{inside(most.accuracy, percent)}."
    )
    good = [point for point in points if point.accuracy.value >= GOOD]
    if not good:
        return f"{text} It stays below {percent(GOOD, 0)} at every coverage of 5{SPACE}% or more."
    if good[-1].coverage == 1:
        return text
    return (
        f"{text} It is {percent(GOOD, 0)} or more for the {percent(good[-1].coverage, 0)} most confident predictions, "
        f"which have a probability of at least {score(good[-1].probability, 2)}."
    )


def accuracy_sentence(evaluation: Evaluation) -> str:
    accuracy, constant = evaluation.joint.scores["accuracy"], evaluation.joint.constant["accuracy"]
    right = round(accuracy.value * evaluation.pictures)
    return (
        f"{count(right)} of {counted(evaluation.pictures, 'image')} {_is(right)} predicted correctly; always "
        f"predicting the most frequent class would give {percent(constant.value)}."
    )


def macro_f1_sentence(evaluation: Evaluation) -> str:
    names = len(evaluation.joint.class_names)
    if evaluation.is_large:
        return (
            "The mean of the macro F1 of all attributes; each macro F1 uses only the values that occur in these images."
        )
    return f"Mean F1 over all {names:,} classes; a rare class counts as much as a frequent one."


def weakest_classes(scores: Scores) -> list[tuple[str, str]]:
    """(class, sentence about it) of the classes with the lowest F1, below the mean; larger classes first if equal."""
    mean = scores.scores["macro_f1"].value
    f1 = {name: class_scores.f1.value for name, class_scores in scores.per_class.items() if class_scores.support}
    low = [name for name in f1 if f1[name] < mean or not f1[name]]
    low.sort(key=lambda name: (f1[name], -scores.per_class[name].support))
    return [(name, _class_sentence(scores, name)) for name in low[:WEAKEST]]


def _class_sentence(scores: Scores, name: str) -> str:
    """How many images of a class are correct, its most frequent confusion, and wrong predictions of the class."""
    class_scores, code = scores.per_class[name], scores.class_names.index(name)
    right, answered = int(scores.confusion[code, code]), int(scores.confusion[:, [code]].sum())
    others = scores.confusion[[code]].toarray()[0]
    others[code] = 0
    text = f"F1 {score(class_scores.f1.value, 2)}{inside(class_scores.f1, lambda value: score(value, 2))}. "
    text += f"{count(right) if right else 'None'} of {counted(class_scores.support, 'image')} {_is(right)} correct"
    if others.any():
        text += f", {count(others.max())} {_is(others.max())} predicted as {scores.class_names[int(others.argmax())]}"
    if answered - right > min(right, class_scores.support - right):
        wrong = "all" if not right and answered > 1 else f"{count(answered - right)} of"
        text += f"; {wrong} {counted(answered, 'prediction')} of this class {_is(answered - right)} wrong"
    return text + "."


def _is(number: int) -> str:
    return "are" if number > 1 else "is"


def attributes_sentence(evaluation: Evaluation) -> str:
    """The accuracy of each attribute, the lowest first; "" if there is only one."""
    shares = {name: scores.scores["accuracy"].value for name, scores in evaluation.attributes.items()}
    if not shares:
        return ""
    names = sorted(shares, key=shares.__getitem__)
    by_attribute = listing(f"{name} {percent(shares[name])}" for name in names)
    of_images = "; each is computed over the images that have a label for this attribute" if evaluation.partial else ""
    return f"Accuracy by attribute: {by_attribute}{of_images}."


def number_sentences(evaluation: Evaluation) -> list[str]:
    """The mean absolute error of each estimated number."""
    sentences = []
    for name, scores in evaluation.numbers.items():
        error, images = scores.mean_absolute_error, counted(scores.pictures, "image")
        sentence = f"Mean absolute error of {name}: {digits(error.value)}{inside(error, digits)} over {images}"
        direction = "too high" if scores.mean_error > 0 else "too low"
        sentences.append(f"{sentence}; on average, the estimates are {digits(abs(scores.mean_error))} {direction}.")
    return sentences


def calibration_sentence(evaluation: Evaluation) -> str:
    """Whether the probabilities are too high or too low, and the calibration error; "" without probabilities."""
    bins, error = evaluation.reliability, evaluation.calibration_error
    if not bins or error is None:
        return ""
    confidence, accuracy = mean_reliability(bins)
    gap = confidence - accuracy
    if abs(gap) < ALIKE:
        end = "the two agree on average"
    else:
        end = f"the model is {'over' if gap > 0 else 'under'}confident by {100 * abs(gap):.1f} points"
    return (
        f"The mean probability of the predictions is {percent(confidence)}, and {percent(accuracy)} of them are "
        f"correct: {end}. The calibration error is {score(error.value)}{inside(error)}."
    )


def groups_sentence(groups: Sequence[Subgroup], noun: str) -> str:
    """How accuracy is distributed over the groups. noun: the groups, in the plural."""
    shares = np.array([group.accuracy.value for group in groups])
    none, every = int((shares == 0).sum()), int((shares == 1).sum())
    median = float(np.median(shares))
    rest = f" The median accuracy is {percent(median, 0)}." if median < 1 else ""
    return (
        f"Of the {count(len(groups))} {noun}, {count(every)} {'has' if every == 1 else 'have'} only correct "
        f"predictions and {count(none)} {'has' if none == 1 else 'have'} only wrong ones.{rest}"
    )


def comparison_sentence(compare: dict[str, Interval], compared: str) -> str:
    """How the macro F1 compares with that of other predictions. compared: the name of the others."""
    gap = compare["macro_f1"]
    verdicts = {
        "better": f"is higher than that of {compared}: the interval of the difference excludes 0",
        "worse": f"is lower than that of {compared}: the interval of the difference excludes 0",
        "no clear difference": f"is not clearly different from that of {compared}: the interval of the difference "
        "includes 0",
        "": f"is compared with that of {compared}",
    }
    return (
        f"The {SCORE_LABELS['macro_f1']} of these predictions {verdicts[verdict(gap)]}. The difference is "
        f"{difference(gap.value)}{inside(gap, difference)}."
    )


def learnt_from(member: MemberProvenance) -> str:
    """`3,920 images of 560 persons, profile folders`."""
    return f"{counted(member.train.pictures, 'image')}{_of_groups(member.train, member)}, {member.source}"


def chosen_by(member: MemberProvenance) -> str:
    """The score, and the images it was computed on, by which the epoch was selected."""
    if member.validation is None:
        return "no score: there were no validation images"
    known = {metric.criterion: metric.label for metric in metrics_of_line() if metric.criterion}
    scores = [f"{known[name]} {score(member.scores[name])}" for name in known if name in member.scores]
    pictures = f"{counted(member.validation.pictures, 'image')}{_of_groups(member.validation, member, 'other ')}"
    return f"highest {known.get(member.best_criterion, member.best_criterion)} on {pictures}: {listing(scores)}"


def trained_for(member: MemberProvenance) -> str:
    """Epochs, time and hardware of the training, and the epoch of the weights."""
    text = f"{counted(member.epochs, 'epoch')}, {duration(member.seconds)} on {member.hardware}"
    if member.validation is not None:
        text += f"; the saved weights are those after epoch {member.epoch}"
    return text if member.finished else f"{text}; stopped before the last epoch"


def _of_groups(split: SplitSize, member: MemberProvenance, other: str = "") -> str:
    """` of 560 persons`; "" if the images have no groups."""
    return f" of {count(split.groups)} {other}{groups_noun(member.grouped_by)}" if member.grouped_by else ""
