"""The summary of an evaluation as text: tables of the scores, per class and per attribute, and the comparison."""

from __future__ import annotations

from collections.abc import Sequence

from model.answers.seen_images import seen_text
from model.errors import listing
from model.evaluation.asked import Asked
from model.evaluation.evaluate import Evaluation, Scores
from model.metrics.bootstrap import FEW_GROUPS, Interval
from model.metrics.epoch_metrics import SCORE_OF_MANY
from model.metrics.scores import SCORE_LABELS
from model.runtime.terminal import text_table

MOST_CLASSES = 20  # rows of a table of classes


def summary(evaluation: Evaluation) -> str:
    """All sections, separated by blank lines: images, notes, scores, classes, attributes, comparison."""
    warning = f"warning: {seen_sentence(evaluation)}\n" if any((evaluation.learnt_from or {}).values()) else ""
    sections = [warning + _heading(evaluation)]
    notes = notes_of(evaluation)
    if notes:
        sections.append("\n".join(f"note: {note}" for note in notes))
    rows = [[label, *_number(score)] for label, score in labelled_scores(evaluation).items()]
    sections.append(_table(["score", *_interval_header(evaluation)], rows))
    sections.append(_class_table("class", evaluation.joint, evaluation))
    if evaluation.attributes:
        sections.append(_attribute_table(evaluation))
    if evaluation.numbers:
        sections.append(_number_table(evaluation))
    sections += [_class_table(name, scores, evaluation) for name, scores in evaluation.attributes.items()]
    if evaluation.asked:
        sections.append(_asked_table(evaluation.asked, evaluation))
    if evaluation.compare:
        rows = [
            [SCORE_LABELS[name], *_number(difference, "+.4f"), verdict(difference)]
            for name, difference in evaluation.compare.items()
        ]
        header = ["these predictions minus the compared ones", *_interval_header(evaluation, "difference"), ""]
        sections.append(_table(header, rows))
    return "\n\n".join(sections)


def _asked_table(asked: Asked, evaluation: Evaluation) -> str:
    """Error and coverage of the answers for which no person is asked, per predicted class; largest classes first."""
    largest = sorted(asked.per_class.items(), key=lambda entry: -entry[1].pictures)[:MOST_CLASSES]
    rows = [
        [name, *(text for one in (scores.error_of_all, scores.error, scores.coverage) for text in _optional(one))]
        for name, scores in (*largest, ("all classes", asked.everything))
    ]
    titles = ("error without", "error of answers", "answered")
    header = [text for title in titles for text in _interval_header(evaluation, title)]
    return _table(["asking a person, by predicted class", *header], rows)


def _optional(score: Interval | None) -> list[str]:
    return _number(score) if score else ["-", "-"]


def _attribute_table(evaluation: Evaluation) -> str:
    names = ("accuracy", "macro_f1", "balanced_accuracy")
    header = [text for name in names for text in _interval_header(evaluation, SCORE_LABELS[name])]
    if evaluation.partial:
        header.append("images")
    rows = [
        [
            attribute,
            *(text for name in names for text in _number(scores.scores[name])),
            *([f"{scores.pictures:,}"] if evaluation.partial else []),
        ]
        for attribute, scores in evaluation.attributes.items()
    ]
    return _table(["attribute", *header], rows)


def _number_table(evaluation: Evaluation) -> str:
    rows = [
        [name, *_number(scores.mean_absolute_error, ".4g"), f"{scores.mean_error:+.4g}", f"{scores.pictures:,}"]
        for name, scores in evaluation.numbers.items()
    ]
    header = ["number", *_interval_header(evaluation, "mean absolute error"), "mean error", "images"]
    return _table(header, rows)


def _heading(evaluation: Evaluation) -> str:
    classes = len(evaluation.joint.class_names)
    pictures = f"{evaluation.pictures:,} image{'' if evaluation.pictures == 1 else 's'}"
    return f"{pictures} in {classes:,} class{'' if classes == 1 else 'es'}; {intervals(evaluation)}"


def seen_sentence(evaluation: Evaluation) -> str:
    """Whether images of the evaluation were used to train the model; "" if that is not known."""
    if evaluation.learnt_from is None:
        return ""
    if not any(evaluation.learnt_from.values()):
        return "none of these images was used to train the model"
    seen = seen_text(evaluation.learnt_from, evaluation.pictures + evaluation.partial)
    return f"{seen}; scores on new images are likely to be lower"


def intervals(evaluation: Evaluation) -> str:
    """The confidence level, the kinds of intervals, and the units they are over; or why there are no intervals."""
    if not evaluation.resamples:
        return "no intervals: resamples is 0"
    units = evaluation.groups or evaluation.pictures
    if units < FEW_GROUPS:
        noun = ("group" if evaluation.groups else "image") + ("" if units == 1 else "s")
        return f"no intervals: {units} {noun}; an interval needs at least {FEW_GROUPS}"
    level = f"{evaluation.confidence * 100:g} % intervals"
    bootstrap = f"bootstrap with {evaluation.resamples:,} resamples"
    if evaluation.groups:
        over = f"the {evaluation.groups:,} groups of column {evaluation.group_label}"
        return f"{level} over {over}: Clopper-Pearson for accuracy and each class, {bootstrap} for other scores"
    other = f"{bootstrap} of single images for other scores; no column of groups was found"
    return f"{level}: Wilson for accuracy and each class, {other}"


def notes_of(evaluation: Evaluation) -> list[str]:
    """The notes of the evaluation, and one on classes without a true label."""
    without = evaluation.joint.without_truth
    if evaluation.is_large:
        return [f"every score is {SCORE_OF_MANY}", *evaluation.notes]
    if not without:
        return list(evaluation.notes)
    classes = "1 class does" if len(without) == 1 else f"{len(without):,} classes do"
    note = f"{classes} not occur in the true labels, so F1 counts as 0 in macro means: {listing(without)}"
    return [*evaluation.notes, note]


def labelled_scores(evaluation: Evaluation) -> dict[str, Interval]:
    """The scores of all images by label, as the tables name them."""
    labels = dict(SCORE_LABELS)
    if evaluation.is_large:
        labels = {
            name: label if name == "accuracy" else f"{label}, mean of attributes" for name, label in labels.items()
        }
    if evaluation.gmean_classes and len(evaluation.gmean_classes) < len(evaluation.joint.class_names):
        labels["gmean_f1"] = f"{SCORE_LABELS['gmean_f1']} of {listing(evaluation.gmean_classes, 5)}"
    scores = {label: evaluation.joint.scores[name] for name, label in labels.items()}
    if evaluation.calibration_error:
        scores["calibration error"] = evaluation.calibration_error
    return scores


def _class_table(title: str, scores: Scores, evaluation: Evaluation) -> str:
    """Scores by class; if there are more than MOST_CLASSES, those with true labels and the lowest F1."""
    shown = list(scores.per_class)
    if len(shown) > MOST_CLASSES:
        with_truth = [name for name in shown if scores.per_class[name].support]
        with_truth.sort(key=lambda name: (scores.per_class[name].f1.value, -scores.per_class[name].support))
        shown = with_truth[:MOST_CLASSES]
    rows = [
        [
            name,
            *_number(class_scores.f1),
            f"{class_scores.precision.value:.4f}",
            f"{class_scores.recall.value:.4f}",
            f"{class_scores.support:,}",
        ]
        for name, class_scores in ((name, scores.per_class[name]) for name in shown)
    ]
    table = _table([title, *_interval_header(evaluation, "F1"), "precision", "recall", "images"], rows)
    omitted = len(scores.per_class) - len(shown)
    return f"{table}\n... and {omitted:,} more classes; evaluation.json lists all classes" if omitted else table


def _interval_header(evaluation: Evaluation, value: str = "value") -> list[str]:
    return [value, f"{evaluation.confidence * 100:g} % interval"]


def _number(score: Interval, form: str = ".4f") -> list[str]:
    """The cells of a score: value and interval."""
    if score.low is None or score.high is None:
        return [f"{score.value:{form}}", "-"]
    return [f"{score.value:{form}}", f"{score.low:{form}} to {score.high:{form}}"]


def verdict(difference: Interval) -> str:
    """better, worse or no clear difference, by the interval of a difference; "" without an interval."""
    if difference.low is None or difference.high is None:
        return ""
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "no clear difference"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return text_table(header, rows, right=range(1, len(header)))
