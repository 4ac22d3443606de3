"""Coverage of the confidence intervals of an evaluation: the share of simulated data sets whose interval contains the
score of the population. docs/evaluation.md has the results.

    nice python -m benchmarks.coverage --datasets 2000

A data set is a random sample of groups (persons) from a population with five classes. The rarest class has 28 or 100
groups, on average or (--fixed) in every data set, and a recall of 0.3, 0.6 or 0.9. The other classes have three times
as many groups and recalls from 0.7 to 0.92. A group has one image, or seven images of one class. The predictions of a
group have correlation 0.5: their probabilities are drawn from a Dirichlet distribution.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from benchmarks.command_line import run
from model.metrics.bootstrap import Interval, interval, resample, score_intervals
from model.metrics.calibration import calibration_error_interval, calibration_error_of, calibration_statistics
from model.metrics.proportions import accuracy_interval, class_intervals
from model.metrics.scores import Counts, count_statistics, per_class_of, scores_of, weighted_scores_of
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
RECALLS = (0.7, 0.8, 0.85, 0.92)  # recalls of the common classes
CLASSES = 1 + len(RECALLS)
FALSE_ALARMS = 0.015  # share of a common class that is predicted as the rarest
COMMON = 3  # number of groups of a common class per group of the rarest
CORRELATION = 0.5  # of the predictions within a group
CONFIDENCE = 0.95


@dataclass(frozen=True)
class CoverageSettings:
    datasets: int = setting(2000, "simulated data sets per scenario", low=2, section="Simulation")
    resamples: int = setting(200, "bootstrap resamples per data set", low=10)
    groups: list[int] = setting([28, 100], "numbers of groups of the rarest class")
    images: list[int] = setting([1, 7], "numbers of images per group")
    recalls: list[float] = setting([0.3, 0.6, 0.9], "recalls of the rarest class")
    fixed: bool = setting(False, "the number of groups per class is the same in every data set, not only on average")
    overconfidence: list[float] = setting([0.1], "confidence minus accuracy, the population's calibration error")
    seed: int = setting(0, "random seed of the data sets", low=0)


@dataclass(frozen=True)
class Scenario:
    """A population and the size of a sample from it.

    Attributes:
        groups: Number of groups of the rarest class; without `fixed` the expected number.
        images: Images per group.
        recall: Recall of the rarest class.
        fixed: Whether every sample has the same number of groups per class.
        overconfidence: Confidence minus accuracy.
    """

    groups: int
    images: int
    recall: float
    fixed: bool = False
    overconfidence: float = 0.1

    @cached_property
    def answers(self) -> np.ndarray:
        """Probability of each prediction for each true class, float (true C, predicted C)."""
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
        confusion = self.answers * self.class_shares[:, None]
        counts = Counts(np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0))
        scores = {name: float(values) for name, values in _scores(counts).items()}
        # half of the other classifier's predictions are the same, and the others are worse
        other = 0.5 * confusion + 0.5 * other_classifier(self).answers * self.class_shares[:, None]
        others = scores_of(Counts(np.diag(other), other.sum(axis=1), other.sum(axis=0)))
        scores["difference of macro F1"] = scores["macro_f1"] - float(others["macro_f1"])
        bin_accuracy = 0.8 + 1 / 30 - self.overconfidence  # of the calibration bin from 0.8 to 0.8667
        return {**scores, "calibration_error": self.overconfidence, "accuracy of a calibration bin": bin_accuracy}


def other_classifier(scenario: Scenario) -> Scenario:
    """The scenario of a second, worse classifier to compare with."""
    return replace(scenario, recall=scenario.recall - 0.1)


@dataclass(frozen=True)
class Sample:
    """A simulated data set of n images.

    Attributes:
        truth: True classes, int64 (n,).
        answers: Predictions, int64 (n,).
        others: Predictions of the other classifier, int64 (n,).
        groups: Group of each image, int64 (n,); None if every image is its own group.
        confidence: Probability of the most probable class, (n,).
        is_right: Whether that class is the true one, bool (n,).
    """

    truth: np.ndarray
    answers: np.ndarray
    others: np.ndarray
    groups: np.ndarray | None
    confidence: np.ndarray
    is_right: np.ndarray


def draw(scenario: Scenario, generator: np.random.Generator) -> Sample:
    """A random sample of the population."""
    groups, images = scenario.all_groups, scenario.images
    # class of each group
    fixed = np.rint(groups * scenario.class_shares).astype(int)
    of_class = fixed if scenario.fixed else generator.multinomial(groups, scenario.class_shares)
    classes = np.repeat(np.arange(CLASSES), of_class)
    # predictions of both classifiers; half of the groups have the same
    answers = _answers(scenario, classes, generator)
    others = _answers(other_classifier(scenario), classes, generator)
    same = np.repeat(generator.random(groups) < 0.5, images)
    # calibration: with probability sqrt(CORRELATION), whether an image is right follows a random number of its group
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
    """Predictions for the images of groups with these classes, int64 (groups * images,)."""
    shares = scenario.answers[classes]
    if scenario.images > 1:  # Dirichlet; its parameters add up to 1 / correlation - 1
        shares = generator.gamma(shares * (1 / CORRELATION - 1)) + 1e-300
        shares /= shares.sum(axis=1, keepdims=True)
    cumulated = np.repeat(shares.cumsum(axis=1), scenario.images, axis=0)
    return (generator.random((len(cumulated), 1)) > cumulated[:, :-1]).sum(axis=1)


def _scores(counts: Counts) -> dict[str, np.ndarray]:
    """All scores except those of calibration, (...) each; scores per class only for the rarest and the best class."""
    scores = {**scores_of(counts), **weighted_scores_of(counts)}
    for score, values in per_class_of(counts).items():
        scores |= {f"{score} of the rarest class": values[..., 0], f"{score} of a common class": values[..., -1]}
    return scores


def intervals_of(sample: Sample, resamples: int, seed: int) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Computes the intervals of a sample by the names of the scores.

    Args:
        sample: The simulated data set.
        resamples: Number of bootstrap resamples.
        seed: Random seed of the resamples.

    Returns:
        The intervals that an evaluation reports, and percentile intervals of the same resamples.
    """
    # bootstrap of the counts of both classifiers and of the calibration bins
    rows = [count_statistics(sample.truth, answers, CLASSES) for answers in (sample.answers, sample.others)]
    probabilities = np.column_stack([sample.confidence, 1 - sample.confidence])
    probabilities[:, 1] /= 2  # the most probable class stays the first
    calibration = calibration_statistics(np.column_stack([probabilities, probabilities[:, 1]]), ~sample.is_right)
    # intervals as in an evaluation
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
    for score, by_class in class_intervals(sample.truth, sample.answers, CLASSES, sample.groups, CONFIDENCE).items():
        reported |= {f"{score} of the rarest class": by_class[0], f"{score} of a common class": by_class[-1]}
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
    """Share of the data sets whose interval contains the population's score, by the name of the score. A data set
    without an interval counts as not covered.

    Attributes:
        reported: Shares for the intervals that an evaluation reports.
        percentile: Shares for percentile intervals.
    """

    reported: dict[str, float]
    percentile: dict[str, float]


def coverage(scenario: Scenario, datasets: int, resamples: int, seed: int) -> Coverage:
    """Simulates data sets and counts how many intervals contain the population's score.

    Args:
        scenario: The population.
        datasets: Number of data sets.
        resamples: Bootstrap resamples per data set.
        seed: Random seed of the data sets.
    """
    population = scenario.population()
    generator = np.random.default_rng([seed, scenario.groups, scenario.images, round(100 * scenario.recall)])
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for number in range(datasets):
        for count, intervals in zip(counts, intervals_of(draw(scenario, generator), resamples, number)):
            for name, one in intervals.items():
                covers = one.low is not None and one.high is not None and one.low <= population[name] <= one.high
                count[name] = count.get(name, 0) + covers
    return Coverage(*({name: covered / datasets for name, covered in count.items()} for count in counts))


def scenarios(settings: CoverageSettings) -> Iterator[Scenario]:
    lists = (settings.groups, settings.images, settings.recalls, settings.overconfidence)
    for groups, images, recall, overconfidence in itertools.product(*lists):
        yield Scenario(groups, images, recall, settings.fixed, overconfidence)


def table(covered: dict[Scenario, Coverage]) -> str:
    """A row per score, a column per scenario: percent covered, and in parentheses that of percentile intervals."""
    header = ["score", *(f"{s.groups} x {s.images}, {s.recall:g}, {s.overconfidence:g}" for s in covered)]
    header += ["lowest", "highest"]
    rows = []
    for name in next(iter(covered.values())).reported:
        shares = [100 * result.reported[name] for result in covered.values()]
        texts = [f"{share:.1f}" for share in shares]
        for number, result in enumerate(covered.values()):
            if name in result.percentile:
                texts[number] += f" ({100 * result.percentile[name]:.1f})"
        rows.append([name, *texts, f"{min(shares):.1f}", f"{max(shares):.1f}"])
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
    sys.exit(run(main))
