"""Coverage of the confidence intervals of an evaluation: the share of simulated data sets whose interval holds the
score of the population. docs/evaluation.md has its table.

    nice python -m benchmarks.coverage --datasets 2000

A data set is a random sample of groups (persons) of a population with five classes. The rarest has 28 or 100 groups, on
average or (--fixed) in every data set, and a recall of 0.3, 0.6 or 0.9, the others three times as many groups and
recalls from 0.7 to 0.92. A group has
one image, or seven of one class, whose answers have the correlation 0.5: the probabilities of a group's answers are
drawn from a Dirichlet distribution.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from model.metrics.bootstrap import Interval, interval, resample, score_intervals
from model.metrics.calibration import calibration_error_interval, calibration_error_of, calibration_statistics
from model.metrics.proportions import accuracy_interval, class_intervals
from model.metrics.scores import Counts, count_statistics, per_class_of, scores_of, weighted_scores_of
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
RECALLS = (0.7, 0.8, 0.85, 0.92)  # of the common classes
CLASSES = 1 + len(RECALLS)
FALSE_ALARMS = 0.015  # share of a common class that is answered as the rarest
COMMON = 3  # groups of a common class for each group of the rarest
CORRELATION = 0.5
CONFIDENCE = 0.95


@dataclass(frozen=True)
class CoverageSettings:
    datasets: int = setting(2000, "simulated data sets of each scenario", low=2, section="Simulation")
    resamples: int = setting(200, "bootstrap resamples of each data set", low=10)
    groups: list[int] = setting([28, 100], "groups of the rarest class")
    images: list[int] = setting([1, 7], "images of a group")
    recalls: list[float] = setting([0.3, 0.6, 0.9], "recall of the rarest class")
    fixed: bool = setting(False, "every data set has the same number of groups of a class, not the same on average")
    overconfidence: list[float] = setting([0.1], "confidence less accuracy, the calibration error of the population")
    seed: int = setting(0, "of the data sets", low=0)


@dataclass(frozen=True)
class Scenario:
    """A population and the size of a sample of it.

    Attributes:
        groups: Number of groups of the rarest class; the expected number unless `fixed`.
        images: Images of a group.
        recall: Recall of the rarest class.
        fixed: Whether every sample has the same number of groups of a class.
        overconfidence: Confidence less accuracy.
    """

    groups: int
    images: int
    recall: float
    fixed: bool = False
    overconfidence: float = 0.1

    @cached_property
    def answers(self) -> np.ndarray:
        """Probability of each answer for each class, float (C, C)."""
        shares = np.full((CLASSES, CLASSES), (1 - self.recall) / (CLASSES - 1))
        shares[0, 0] = self.recall
        for number, recall in enumerate(RECALLS, 1):
            shares[number] = (1 - recall - FALSE_ALARMS) / (CLASSES - 2)
            shares[number, [0, number]] = FALSE_ALARMS, recall
        return shares

    @property
    def class_shares(self) -> np.ndarray:
        sizes = np.array([1, *[COMMON] * len(RECALLS)])
        return sizes / sizes.sum()

    @property
    def all_groups(self) -> int:
        return self.groups * (1 + COMMON * len(RECALLS))

    def population(self) -> dict[str, float]:
        """Scores of the population."""
        cells = self.answers * self.class_shares[:, None]
        counts = Counts(np.diag(cells), cells.sum(axis=1), cells.sum(axis=0))
        scores = {name: float(values) for name, values in _scores(counts).items()}
        # the other classifier gives every second answer as this one, and all others are less good
        other = 0.5 * cells + 0.5 * other_classifier(self).answers * self.class_shares[:, None]
        others = scores_of(Counts(np.diag(other), other.sum(axis=1), other.sum(axis=0)))
        scores["difference of macro F1"] = scores["macro_f1"] - float(others["macro_f1"])
        bin_accuracy = 0.8 + 1 / 30 - self.overconfidence  # of the calibration bin from 0.8 to 0.8667
        return {**scores, "calibration_error": self.overconfidence, "accuracy of a calibration bin": bin_accuracy}


def other_classifier(scenario: Scenario) -> Scenario:
    """The scenario of the classifier that the first is compared with."""
    return replace(scenario, recall=scenario.recall - 0.1)


@dataclass(frozen=True)
class Sample:
    """A simulated data set: truth, answers and the other classifier's answers, int64 (n,), groups (n,) or None, and the
    probability of the most probable class and whether it is right, (n,) each."""

    truth: np.ndarray
    answers: np.ndarray
    others: np.ndarray
    groups: np.ndarray | None
    confidence: np.ndarray
    is_right: np.ndarray


def draw(scenario: Scenario, generator: np.random.Generator) -> Sample:
    """A random sample of the population."""
    groups, images = scenario.all_groups, scenario.images
    fixed = np.rint(groups * scenario.class_shares).astype(int)
    of_class = fixed if scenario.fixed else generator.multinomial(groups, scenario.class_shares)
    classes = np.repeat(np.arange(CLASSES), of_class)
    answers = _answers(scenario, classes, generator)
    others = _answers(other_classifier(scenario), classes, generator)
    same = np.repeat(generator.random(groups) < 0.5, images)
    # calibration: the answers of a group agree with probability sqrt(CORRELATION) with a common one each
    confidence = np.repeat(generator.uniform(0.4, 1, groups), images)
    threshold = np.repeat(generator.random(groups), images)
    follows = generator.random(len(answers)) < CORRELATION**0.5
    threshold = np.where(follows, threshold, generator.random(len(answers)))
    return Sample(
        truth=np.repeat(classes, images),
        answers=answers,
        others=np.where(same, answers, others),
        groups=np.repeat(np.arange(groups), images) if images > 1 else None,
        confidence=confidence,
        is_right=threshold < confidence - scenario.overconfidence,
    )


def _answers(scenario: Scenario, classes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Answers of the images of groups of these classes, int64 (groups * images,)."""
    shares = scenario.answers[classes]
    if scenario.images > 1:  # Dirichlet; the sum of its parameters is that of the correlation
        shares = generator.gamma(shares * (1 / CORRELATION - 1)) + 1e-300
        shares /= shares.sum(axis=1, keepdims=True)
    cumulated = np.repeat(shares.cumsum(axis=1), scenario.images, axis=0)
    return (generator.random((len(cumulated), 1)) > cumulated[:, :-1]).sum(axis=1)


def _scores(counts: Counts) -> dict[str, np.ndarray]:
    """All scores but those of calibration, (...) each; per-class ones of the rarest and of the best class."""
    scores = {**scores_of(counts), **weighted_scores_of(counts)}
    for score, values in per_class_of(counts).items():
        scores |= {f"{score} of the rarest class": values[..., 0], f"{score} of a common class": values[..., -1]}
    return scores


def intervals_of(sample: Sample, resamples: int, seed: int) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """The intervals that an evaluation reports, and percentile intervals of the same resamples, by the name of the
    score."""
    rows = [count_statistics(sample.truth, answers, CLASSES) for answers in (sample.answers, sample.others)]
    probabilities = np.column_stack([sample.confidence, 1 - sample.confidence])
    probabilities[:, 1] /= 2  # the most probable class stays the first
    calibration = calibration_statistics(np.column_stack([probabilities, probabilities[:, 1]]), ~sample.is_right)
    units = len(sample.truth) if sample.groups is None else int(sample.groups.max()) + 1
    totals = resample(sparse.csr_array(sparse.hstack([*rows, calibration])), sample.groups, resamples, seed)
    these, others, errors = np.split(totals, [3 * CLASSES, 6 * CLASSES], axis=1)
    resampled = _scores(Counts.from_totals(these))
    difference = resampled["macro_f1"] - scores_of(Counts.from_totals(others))["macro_f1"]
    resampled["calibration_error"] = calibration_error_of(errors)
    reported = score_intervals(resampled, CONFIDENCE, units)
    reported["calibration_error"] = calibration_error_interval(errors, CONFIDENCE, units)
    reported["difference of macro F1"] = interval(difference, CONFIDENCE, units, is_difference=True)
    reported["accuracy"] = accuracy_interval(sample.truth == sample.answers, sample.groups, CONFIDENCE)
    for score, found in class_intervals(sample.truth, sample.answers, CLASSES, sample.groups, CONFIDENCE).items():
        reported |= {f"{score} of the rarest class": found[0], f"{score} of a common class": found[-1]}
    resampled["difference of macro F1"] = difference
    percentile = {name: _percentile(values) for name, values in resampled.items()}
    # one calibration bin
    inside = (sample.confidence > 0.8) & (sample.confidence <= 0.8 + 1 / 15)
    groups = None if sample.groups is None else np.unique(sample.groups[inside], return_inverse=True)[1]
    name = "accuracy of a calibration bin"
    reported[name] = accuracy_interval(sample.is_right[inside], groups, CONFIDENCE)
    return reported, percentile


def _percentile(values: np.ndarray) -> Interval:
    low, high = np.quantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(values[0]), float(low), float(high))


@dataclass(frozen=True)
class Coverage:
    """Share of the data sets whose interval holds the population's score, by score: of the intervals that are reported,
    and of percentile intervals. A data set without an interval counts as not covered."""

    reported: dict[str, float]
    percentile: dict[str, float]


def coverage(scenario: Scenario, datasets: int, resamples: int, seed: int) -> Coverage:
    """Simulates data sets and counts."""
    population = scenario.population()
    generator = np.random.default_rng([seed, scenario.groups, scenario.images, round(100 * scenario.recall)])
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for number in range(datasets):
        for count, found in zip(counts, intervals_of(draw(scenario, generator), resamples, number)):
            for name, one in found.items():
                holds = one.low is not None and one.high is not None and one.low <= population[name] <= one.high
                count[name] = count.get(name, 0) + holds
    return Coverage(*({name: held / datasets for name, held in count.items()} for count in counts))


def scenarios(settings: CoverageSettings) -> Iterator[Scenario]:
    lists = (settings.groups, settings.images, settings.recalls, settings.overconfidence)
    for groups, images, recall, overconfidence in itertools.product(*lists):
        yield Scenario(groups, images, recall, settings.fixed, overconfidence)


def table(covered: dict[Scenario, Coverage]) -> str:
    """A row a score, a column a scenario: percent covered, in parentheses by percentile intervals."""
    header = ["score", *(f"{s.groups} x {s.images}, {s.recall:g}, {s.overconfidence:g}" for s in covered)]
    header += ["lowest", "highest"]
    rows = []
    for name in next(iter(covered.values())).reported:
        shares = [100 * found.reported[name] for found in covered.values()]
        cells = [f"{share:.1f}" for share in shares]
        for number, found in enumerate(covered.values()):
            if name in found.percentile:
                cells[number] += f" ({100 * found.percentile[name]:.1f})"
        rows.append([name, *cells, f"{min(shares):.1f}", f"{max(shares):.1f}"])
    return text_table(header, rows, right=range(1, len(header)))


def main(argv: Sequence[str]) -> int:
    settings = from_flags(CoverageSettings, argv, USAGE)
    covered = {}
    for scenario in scenarios(settings):
        covered[scenario] = coverage(scenario, settings.datasets, settings.resamples, settings.seed)
        print(scenario, covered[scenario], file=sys.stderr, flush=True)
    print(table(covered))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
