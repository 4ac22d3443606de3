"""A fitted decision as text: scores with and without it, on groups that it was not fitted on."""

from __future__ import annotations

from model.calibration.fit import FittedBiases, FittedDecision, FittedThresholds
from model.calibration.held_out import IMAGE, HeldOut
from model.calibration.nested import FOLDS
from model.calibration.risk_control import ERROR_RATE, needed_groups
from model.errors import listing
from model.evaluation.asked import AskedScores
from model.labels import Scheme
from model.metrics.bootstrap import Interval
from model.runtime.terminal import text_table

MOST_CLASSES = 40  # rows of a table


def fitted_text(fitted: FittedDecision, held_out: HeldOut) -> str:
    """All tables and sentences, separated by blank lines."""
    grouped = f"groups of column {held_out.group_label}" if held_out.group_label else "images; no groups were found"
    sections = [f"fitted on {len(held_out):,} held-out images, {held_out.num_groups:,} {grouped}"]
    if fitted.biases:
        sections.append(biases_text(fitted.biases))
    if fitted.thresholds:
        sections.append(thresholds_text(fitted.thresholds, held_out.scheme, held_out.unit))
    return "\n\n".join(sections)


def biases_text(fitted: FittedBiases) -> str:
    """Temperature, score with and without biases, and whether they are kept."""
    before, after = fitted.calibration_error
    temperature = fitted.decision.temperature
    lines = [f"temperature {temperature:.3g}: calibration error {before:.4f} without, {after:.4f} with it"]
    if fitted.gain:
        gain = fitted.gain
        rows = [
            [fitted.score, *_cells(gain.without), *_cells(gain.fitted), *_cells(gain.difference, "+.4f")],
        ]
        header = ["score", "without", "95 % interval", "with biases", "95 % interval", "gain", "95 % interval"]
        lines.append(text_table(header, rows, right=range(1, len(header))))
        lines.append(f"each group was scored by biases that were fitted on others ({FOLDS} folds)")
        if not gain.is_positive:
            lines.append("the biases gain nothing on other groups: none are kept")
        elif not fitted.decision.biases:
            lines.append("fitted on all groups, the biases are 0")
        elif gain.difference.low is None or gain.difference.low <= 0:
            lines.append("the biases are kept, but the interval of their gain contains 0")
    return "\n".join(lines)


def thresholds_text(fitted: FittedThresholds, scheme: Scheme, unit: str) -> str:
    """Threshold, error and coverage of each class, and the classes about which nothing is promised.

    Args:
        fitted: The thresholds.
        scheme: Labels of the classes.
        unit: What is counted: group or image.
    """
    needed = needed_groups(fitted.promise)
    counted = f"{fitted.groups:,} {unit}s"
    each_once = "" if unit == IMAGE else f", where each {unit} counts once however many images it has"
    lines = [
        f"promise: of the answers of each class, at most {fitted.promise:.3g} are wrong, except with probability "
        f"{ERROR_RATE:g}{each_once}; thresholds from {counted}"
    ]
    by_name = fitted.nested.per_class if fitted.nested else {}
    rows = [
        [
            name,
            f"{one.threshold:.4g}" if one.is_promised else "always asks",
            f"{one.groups:,}",
            *_error_and_coverage(by_name.get(name)),
        ]
        for name, one in zip(scheme.class_names, fitted.thresholds, strict=True)
    ]
    shown = rows[:MOST_CLASSES]
    if fitted.nested:
        groups = f"{fitted.groups:,}"
        shown.append(["all classes", "", groups, *_error_and_coverage(fitted.nested.everything)])
    header = ["predicted class", "threshold", f"{unit}s"]
    header += ["error without", "95 % interval", "error of answers", "95 % interval", "answered", "95 % interval"]
    lines.append(text_table(header, shown, right=range(1, len(header))))
    if len(rows) > MOST_CLASSES:
        lines.append(f"... and {len(rows) - MOST_CLASSES:,} more classes")
    lines.append(f"errors and answers: each {unit} with thresholds from other {unit}s ({FOLDS} folds)")
    few = [
        f"{name} ({one.groups:,})"
        for name, one in zip(scheme.class_names, fitted.thresholds, strict=True)
        if one.groups < needed
    ]
    if few:
        lines.append(
            f"nothing is promised for {len(few):,} of {scheme.num_classes:,} classes, and a person is asked about all "
            f"their images: a promise of {fitted.promise:.3g} needs at least {needed} {unit}s that are predicted as "
            f"the class, even if all are correct; found: {listing(few, 20)}"
        )
    wrong = [
        name
        for name, one in zip(scheme.class_names, fitted.thresholds, strict=True)
        if one.groups >= needed and not one.is_promised
    ]
    if wrong:
        lines.append(
            "too many errors for the promise; a person is asked about all images predicted as "
            f"{listing(wrong, 20)}: a larger --promise or more {unit}s may help"
        )
    return "\n".join(lines)


def _error_and_coverage(scores: AskedScores | None) -> list[str]:
    """Cells of error without, error with and coverage, each with its interval."""
    if scores is None:
        return ["-"] * 6
    return [text for one in (scores.error_of_all, scores.error, scores.coverage) for text in _cells(one)]


def _cells(score: Interval | None, form: str = ".4f") -> list[str]:
    if score is None:
        return ["-", "-"]
    if score.low is None or score.high is None:
        return [f"{score.value:{form}}", "-"]
    return [f"{score.value:{form}}", f"{score.low:{form}} to {score.high:{form}}"]
