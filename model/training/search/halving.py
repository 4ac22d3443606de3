"""Successive halving: many candidates are trained briefly, and the best third of them for longer, repeatedly.

Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter optimization, AISTATS 2016; with the
reduction by ETA = 3 of Hyperband (Li et al., JMLR 18, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ETA = 3  # of the candidates of a rung, one in ETA goes to the next, which has ETA times as many epochs
FEW = 9  # candidates for which fewer epochs are accepted
CONFIRMED = 2  # held-out folds on which the winner is compared with the current augmentation


@dataclass(frozen=True)
class Schedule:
    """How the trainings of a search are spent.

    Attributes:
        candidates: Number of candidates of the first rung, with the current augmentation.
        epochs: Epochs of each rung, ascending.
    """

    candidates: int
    epochs: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Number of epochs of all trainings, those of the comparison at the end included."""
        rungs = sum(size * epochs for size, epochs in zip(self.sizes, self.epochs, strict=True))
        return rungs + 2 * CONFIRMED * self.epochs[-1]

    @property
    def sizes(self) -> list[int]:
        """Number of candidates of each rung; the current augmentation is in every one."""
        sizes = [self.candidates]
        while len(sizes) < len(self.epochs):
            sizes.append(promoted(sizes[-1]))
        return sizes


def promoted(size: int) -> int:
    """Number of candidates of the rung after one of `size`: the best third, and the current augmentation."""
    return min(size, math.ceil(size / ETA) + 1)


def make_schedule(candidates: int, most_epochs: int, affordable: int) -> Schedule:
    """The schedule with the longest trainings that still tries FEW candidates; of these, with the most candidates.

    Args:
        candidates: Number of candidates, with the current augmentation.
        most_epochs: Epochs of the last rung, at most those of the real training.
        affordable: Number of epochs that the time is enough for.

    Returns:
        A schedule whose cost is at most `affordable`, unless even two candidates and one epoch cost more.
    """
    few = min(FEW, candidates)
    shortest = Schedule(2, (1,))
    for last in range(most_epochs, 0, -1):
        rungs = 1 + min(2, int(math.log(last, ETA) + 1e-9))
        epochs = tuple(max(1, last // ETA**number) for number in range(rungs - 1, -1, -1))
        for size in range(candidates, few - 1, -1):
            if (schedule := Schedule(size, epochs)).cost <= affordable:
                return schedule
    for size in range(few, 1, -1):
        if (shortest := Schedule(size, (1,))).cost <= affordable:
            break
    return shortest


def successive_halving(
    names: Sequence[str], schedule: Schedule, score: Callable[[str, int, int], float | None]
) -> list[str]:
    """Runs the rungs of a schedule.

    Args:
        names: The candidates; the first is the current augmentation, which is in every rung.
        schedule: Number of candidates and epochs of the rungs.
        score: Trains a candidate: (name, rung, epochs) -> score, higher is better; None if there is no time left.

    Returns:
        The candidates of the last complete rung, best first; ties in the order of names. Empty if not even the first
        rung was completed, unless it was interrupted after two candidates: then these.
    """
    alive = list(names[: schedule.candidates])
    ranking: list[str] = []
    for rung, epochs in enumerate(schedule.epochs):
        scores: dict[str, float] = {}
        for name in alive:
            value = score(name, rung, epochs)
            if value is None:
                break
            scores[name] = value
        complete = len(scores) == len(alive)
        if complete or (not ranking and len(scores) > 1):
            ranking = sorted(scores, key=lambda name: -scores[name])
        if not complete:
            break
        kept = ranking[: promoted(len(alive)) - 1]
        alive = [names[0], *(name for name in ranking if name != names[0] and name in kept)]
    return ranking
