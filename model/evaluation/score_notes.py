"""Notes of an evaluation about its scores: predictions no better than chance, probabilities that do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.reliability import ReliabilityBin, mean_reliability
from model.metrics.bootstrap import Interval

AT_CHANCE = "not clearly better than always predicting the most frequent class"
LARGE_ERROR = 0.1  # calibration error
DEFAULT_LOSS = "focal"  # of training; the settings in a model's provenance omit default values


def is_at_chance(scores: Mapping[str, Interval], most_frequent: float, classes: Sequence[int]) -> bool:
    """Whether predictions are not clearly better than always predicting the most frequent true class.

    The intervals of accuracy and of balanced accuracy must both reach down to the value of that classifier: a model
    that finds rare classes may have a lower accuracy than it. False without intervals, and with only one true class.

    Args:
        scores: accuracy and balanced_accuracy, with intervals.
        most_frequent: Share of the most frequent true class.
        classes: Number of classes with images, for each attribute that balanced accuracy is a mean of.
    """
    accuracy, balanced = scores["accuracy"].low, scores["balanced_accuracy"].low
    if accuracy is None or balanced is None or most_frequent == 1:
        return False
    constant = sum(1 / count for count in classes) / len(classes)  # recall 1 for one class and 0 for the others
    return accuracy <= most_frequent and balanced <= constant


def chance_note(at_chance: bool) -> str:
    """What to try if predictions are no better than chance; "" otherwise."""
    if not at_chance:
        return ""
    return (
        f"the predictions are {AT_CHANCE}: train for more epochs, start from pretrained weights, use a larger "
        "--input_size, or check the labels; suspected label errors are not reliable"
    )


def calibration_note(error: Interval | None, bins: Sequence[ReliabilityBin], matched: MatchedAnswers) -> str:
    """In which direction the probabilities are wrong, and the loss to train with instead.

    Args:
        error: The calibration error; None without probabilities.
        bins: Its reliability bins.
        matched: The predictions, for the loss of the model.

    Returns:
        The note; "" unless the whole interval of the error is above LARGE_ERROR.
    """
    if error is None or error.low is None or error.high is None or error.low <= LARGE_ERROR:
        return ""
    confidence, accuracy = mean_reliability(bins)
    interval = f"{error.low:.3f} to {error.high:.3f}"
    gap = f"{100 * abs(confidence - accuracy):.1f} points too {'high' if confidence > accuracy else 'low'}"
    text = f"calibration error {error.value:.3f} ({interval}): the probabilities are on average {gap}"
    members = matched.provenance.members if matched.provenance else ()
    losses = {str(member.settings.get("loss", DEFAULT_LOSS)) for member in members}
    if confidence > accuracy:
        remedy = "" if "label_smoothing" in losses else "; --loss label_smoothing in training lowers them"
    else:
        # both lower the probabilities of correct predictions
        lowering = sorted(losses & {"focal", "label_smoothing"}) if losses else ["focal"]
        remedy = f"; the loss {' or '.join(lowering)} lowers them, --loss cross_entropy does not" if lowering else ""
    return f"{text}{remedy}"
