"""When to ask a person: thresholds of the probability, per predicted class, above which the share of wrong answers is
at most what was promised, except with a small probability over the draw of the groups.

The share of a class is that of a random group with images predicted as the class, and of a random one of these images:
each group counts once, however many images it has. So one image per group and class is drawn, and the drawn images are
independent. If t is a threshold that m of the n drawn images exceed, its hypothesis is that the share of wrong answers
among images above t is at least `promise`. Given t, the errors of the m images then are at least binomial (m, promise),
and the exact test of Clopper and Pearson (1934) rejects with probability at most `error_rate`. The tests are made in an
order that is fixed in advance, from few to all of the images, and end with the first that does not reject
(fixed-sequence testing: Bauer 1991; for risk control: Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then
Test", section 3). All thresholds up to there keep the promise; the lowest one is used.

The probability holds for each class on its own. For the sequence it needs that wrong answers are not more frequent at a
higher probability. Nothing else is assumed about the model, the probabilities or the images of a group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

ERROR_RATE = 0.05  # probability that the promise of a class is not kept
STEP = 1.1  # ratio of the numbers of images in consecutive tests; power hardly depends on it
TOLERATED = 2  # wrong answers that the first test should tolerate, if there are enough groups
LARGEST_SHARE = 1 / 2  # of the images for that reason
SMALLEST_SHARE = 1 / 3  # of the images in the first test
NEVER = 1.0  # threshold of a class that is never answered


@dataclass(frozen=True)
class ClassThreshold:
    """The threshold of one class.

    Attributes:
        threshold: Images with a higher probability are answered; NEVER if nothing is promised.
        groups: Number of groups with an image that is predicted as the class.
        answered, wrong: Of the drawn images, one per group, the number above the threshold, and of the wrong ones among
            these.
    """

    threshold: float
    groups: int
    answered: int
    wrong: int

    @property
    def is_promised(self) -> bool:
        """Whether any image of the class is answered."""
        return self.threshold < NEVER


def needed_groups(promise: float, tolerated: int = 0, error_rate: float = ERROR_RATE) -> int:
    """The smallest number of groups from which the promise can follow if `tolerated` drawn images are wrong.

    With none, it is log(error_rate) / log(1 - promise), rounded up: 59 for 5 %, 29 for 10 %, 14 for 20 %.

    Args:
        promise: Share of wrong answers, above 0 and below 1.
        tolerated: Number of wrong ones.
        error_rate: Probability that the promise is not kept.
    """
    number = max(math.ceil(math.log(error_rate) / math.log1p(-promise) - 1e-9), tolerated + 1)
    while bdtr(tolerated, number, promise) > error_rate:
        number += 1
    return number


def sizes_of_tests(images: int, promise: float, error_rate: float = ERROR_RATE) -> list[int]:
    """Numbers of the most probable images in the tests of a class, ascending; the last is all. Empty if there are too
    few.

    The first test has at least needed_groups images, a third of all, and, if half of all are enough for it, so many
    that it tolerates TOLERATED wrong ones: in a smaller test, a single wrong image would end the sequence.
    """
    needed = needed_groups(promise, error_rate=error_rate)
    if images < needed:
        return []
    tolerant = min(needed_groups(promise, TOLERATED, error_rate), math.ceil(LARGEST_SHARE * images))
    sizes = [max(needed, math.ceil(SMALLEST_SHARE * images), tolerant)]
    while sizes[-1] < images:
        sizes.append(min(images, max(sizes[-1] + 1, math.ceil(STEP * sizes[-1]))))
    return sizes


def find_threshold(
    probability: NDArray[np.float64], is_wrong: NDArray[np.bool_], promise: float, error_rate: float = ERROR_RATE
) -> ClassThreshold:
    """The lowest threshold of a class that keeps the promise.

    Args:
        probability: float64 (m,), probability of the class, of one image per group. Values that rounding has lifted
            above 1 count as 1.
        is_wrong: bool (m,), whether the class is wrong.
        promise: Share of wrong answers.
        error_rate: Probability that the promise is not kept.
    """
    probability = np.minimum(probability, 1.0)
    order = np.argsort(-probability, kind="stable")
    sorted_probability, wrong = probability[order], np.concatenate([[0], np.cumsum(is_wrong[order])])
    found = ClassThreshold(NEVER, len(order), 0, 0)
    for size in sizes_of_tests(len(order), promise, error_rate):
        # images of equal probability are above the same thresholds
        lowest = sorted_probability[size - 1]
        answered = int(np.searchsorted(-sorted_probability, -lowest, side="right"))
        if bdtr(wrong[answered], answered, promise) > error_rate:
            break
        # between the images above and the next one, so that rounding moves none across
        threshold = (lowest + sorted_probability[answered]) / 2 if answered < len(order) else 0.0
        found = ClassThreshold(float(threshold), len(order), answered, int(wrong[answered]))
    return found


def draw_per_group(
    classes: NDArray[np.int64], groups: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draws one image of each group and predicted class. Returns the rows, int64 (m,).

    Args:
        classes: int64 (n,), predicted classes.
        groups: int64 (n,), group of each image.
        generator: Draws them.
    """
    shuffled = generator.permutation(len(classes))
    pairs = np.stack([groups, classes], axis=1)[shuffled]
    return shuffled[np.unique(pairs, axis=0, return_index=True)[1]]


def find_thresholds(
    probability: NDArray[np.float64],
    classes: NDArray[np.int64],
    truth: NDArray[np.int64],
    groups: NDArray[np.int64],
    num_classes: int,
    promise: float,
    seed: int = 0,
) -> list[ClassThreshold]:
    """The threshold of each class.

    Args:
        probability: float64 (n,), probability of the predicted class.
        classes: int64 (n,), predicted classes.
        truth: int64 (n,), true classes.
        groups: int64 (n,), group of each image.
        num_classes: C.
        promise: Share of wrong answers of each class.
        seed: Seed of the image that is drawn from each group.
    """
    rows = draw_per_group(classes, groups, np.random.default_rng(seed))
    of_class = [rows[classes[rows] == code] for code in range(num_classes)]
    return [find_threshold(probability[own], classes[own] != truth[own], promise) for own in of_class]
