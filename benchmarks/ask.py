"""Whether decisions that ask a person keep their promise: calibrates them on simulated groups many times, and counts
how often the true share of wrong answers exceeds the promise. docs/decisions.md has the results.

    nice python -m benchmarks.ask --draws 2000

The probability of an answer is uniform in rank. A group has one image, or five with correlation 0.5. Models: the share
of wrong answers falls from the least to the most probable answer (`good` 20 to 1 %, `weak` 50 to 2 %), or is everywhere
the promise plus 0.1 % (`at the promise`, where each threshold breaks it), or is half of the promise among the most
probable third and twice the promise below (`step`), or grows with the probability (`reversed`), against the assumption.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from benchmarks.command_line import run
from model.calibration.risk_control import ERROR_RATE, NEVER, find_thresholds, sizes_of_tests
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
CORRELATION = 0.5  # of the errors of a group's images
RANKS = 10_001  # points of the integral over the rank
ABOVE = 0.001  # of the promise, for the worst case

# From promise and rank (0 for the least, 1 for the most probable answer) to the share of wrong answers at this rank
MODELS: dict[str, Callable[[float, NDArray[np.float64]], NDArray[np.float64]]] = {
    "good": lambda promise, rank: 0.01 + 0.19 * (1 - rank) ** 2,
    "weak": lambda promise, rank: 0.02 + 0.48 * (1 - rank) ** 2,
    "at the promise": lambda promise, rank: np.full_like(rank, promise + ABOVE),
    "step": lambda promise, rank: np.where(rank > 2 / 3, promise / 2, 2 * promise),
    "reversed": lambda promise, rank: promise * (0.02 + 2 * rank),
}


@dataclass(frozen=True)
class AskSettings:
    draws: int = setting(2000, "simulated calibrations per row", low=1, section="Simulation")
    groups: list[int] = setting([30, 60, 120], "numbers of calibration groups of the class", low=1)
    images: list[int] = setting([1, 5], "numbers of images per group", low=1)
    promises: list[float] = setting([0.05, 0.1, 0.2], "promised shares of wrong answers")
    seed: int = setting(0, "random seed", low=0)


@dataclass(frozen=True)
class Kept:
    """Results of one row.

    Attributes:
        exceeded: Share of the draws in which the true share of wrong answers exceeds the promise.
        coverage: Mean share of the images that are answered.
        asked_all: Share of the draws in which no image is answered.
    """

    exceeded: float
    coverage: float
    asked_all: float


def simulate(name: str, groups: int, images: int, promise: float, draws: int, seed: int) -> Kept:
    """Calibrates `draws` times.

    Args:
        name: A key of MODELS.
        groups: Number of calibration groups.
        images: Images of each group.
        promise: Promised share of wrong answers.
        draws: Number of calibrations.
        seed: Random seed.
    """
    wrong_at, generator = MODELS[name], np.random.default_rng(seed)
    # true share of wrong answers above each rank: the mean of the model over the ranks above it
    ranks = np.linspace(0, 1, RANKS)
    middles = (ranks[1:] + ranks[:-1]) / 2
    shares = np.cumsum(wrong_at(promise, middles)[::-1])[::-1] / np.arange(RANKS - 1, 0, -1)
    codes, rows = np.zeros(groups * images, np.int64), np.repeat(np.arange(groups), images)
    thresholds = np.empty(draws)
    for draw in range(draws):
        rank = generator.random(groups * images)
        # an image's error is its group's with probability sqrt(CORRELATION), so two of a group agree with CORRELATION
        own, common = generator.random(groups * images), np.repeat(generator.random(groups), images)
        is_common = generator.random(groups * images) < CORRELATION**0.5
        is_wrong = np.where(is_common, common, own) < wrong_at(promise, rank)
        found = find_thresholds(rank, codes, is_wrong.astype(np.int64), rows, 1, promise, seed=draw)
        thresholds[draw] = found[0].threshold
    answers = thresholds < NEVER
    share = np.interp(thresholds[answers], ranks[:-1], shares)
    exceeded = np.count_nonzero(share > promise) / draws
    return Kept(exceeded, float(np.where(answers, 1 - thresholds, 0).mean()), 1 - float(answers.mean()))


def boundary_rate(groups: int, promise: float) -> float:
    """Exact probability that a class is answered if each answer is wrong with probability `promise`: that its first
    test rejects."""
    sizes = sizes_of_tests(groups, promise)
    if not sizes:
        return 0.0
    wrong = np.arange(sizes[0] + 1)
    cumulative = bdtr(wrong, sizes[0], promise)
    return float(cumulative[cumulative <= ERROR_RATE].max(initial=0.0))


def main(argv: Sequence[str]) -> int:
    settings = from_flags(AskSettings, argv, USAGE)
    rows, highest = [], 0.0
    for name in MODELS:
        for promise in settings.promises:
            for images in settings.images:
                for groups in settings.groups:
                    kept = simulate(name, groups, images, promise, settings.draws, settings.seed)
                    highest = max(highest, kept.exceeded)
                    numbers = [f"{100 * value:.1f}" for value in (kept.exceeded, kept.coverage, kept.asked_all)]
                    exact = f"{100 * boundary_rate(groups, promise):.1f}"
                    rows.append([name, f"{promise:.0%}", str(groups), str(images), *numbers, exact])
    header = ["model", "promise", "groups", "images", "exceeded %", "coverage %", "all asked %", "exact at promise %"]
    print(text_table(header, rows, right=range(1, len(header))))
    deviation = (ERROR_RATE * (1 - ERROR_RATE) / settings.draws) ** 0.5
    print(f"highest: exceeded in {highest:.2%} of draws; allowed {ERROR_RATE:.0%}, standard deviation {deviation:.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
