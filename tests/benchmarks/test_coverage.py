"""The simulation of coverage with few data sets; docs/evaluation.md has the results of many."""

import numpy as np
import pytest

from benchmarks.coverage import (
    CLASSES,
    CORRELATION,
    CoverageSettings,
    Scenario,
    coverage,
    draw,
    intervals_of,
    main,
    other_classifier,
    scenarios,
)
from model.metrics.scores import scores


def test_samples_are_of_the_population():
    scenario = Scenario(groups=100, images=7, recall=0.6)
    generator, population = np.random.default_rng(0), scenario.population()
    samples = [draw(scenario, generator) for _ in range(30)]
    truth, answers, others = (
        np.concatenate([getattr(sample, name) for sample in samples]) for name in ("truth", "answers", "others")
    )
    of_first, of_others = scores(truth, answers, CLASSES), scores(truth, others, CLASSES)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "macro_precision"):
        assert of_first[name] == pytest.approx(population[name], abs=0.012)
    assert of_first["macro_f1"] - of_others["macro_f1"] == pytest.approx(population["difference of macro F1"], abs=0.01)
    assert np.mean(truth == 0) == pytest.approx(1 / 13, abs=0.006)
    # how often two images of a group are both right follows from their correlation
    right = (answers == truth)[truth == 0].reshape(-1, 7)
    assert np.corrcoef(right[:, 0], right[:, 1])[0, 1] == pytest.approx(CORRELATION, abs=0.06)
    inside = np.concatenate([sample.is_right for sample in samples])
    assert inside.mean() == pytest.approx(0.6, abs=0.01)


def test_fixed_samples_have_the_same_number_of_groups_of_each_class():
    generator = np.random.default_rng(0)
    for images in (1, 7):
        truth = draw(Scenario(28, images, 0.6, fixed=True), generator).truth
        assert np.bincount(truth).tolist() == [28 * images, *[84 * images] * (CLASSES - 1)]
    assert all(scenario.fixed for scenario in scenarios(CoverageSettings(fixed=True)))
    random = [np.sum(draw(Scenario(28, 1, 0.6), generator).truth == 0) for _ in range(10)]
    assert len(set(random)) > 1


def test_every_reported_interval_is_measured_and_most_cover():
    covered = coverage(Scenario(groups=28, images=1, recall=0.6), datasets=30, resamples=60, seed=0)
    assert covered.reported.keys() - covered.percentile.keys() == {"accuracy of a calibration bin"}
    assert len(covered.reported) == 20 and min(covered.reported.values()) > 0.7
    sample = draw(Scenario(28, 7, 0.3), np.random.default_rng(0))
    reported, percentile = intervals_of(sample, 60, seed=0)
    assert all(one.low < one.high for one in reported.values())
    assert reported["macro_f1"].value == pytest.approx(percentile["macro_f1"].value)


def test_an_interval_that_does_not_cover_is_counted(monkeypatch):
    monkeypatch.setattr(Scenario, "population", lambda self: dict.fromkeys(_names(), 2.0))
    covered = coverage(Scenario(28, 1, 0.6), datasets=3, resamples=20, seed=0)
    assert set(covered.reported.values()) == {0.0}


def _names() -> list[str]:
    return list(intervals_of(draw(Scenario(28, 1, 0.6), np.random.default_rng(0)), 20, 0)[0])


def test_the_table_has_a_column_for_each_scenario(capsys):
    assert main(["--datasets", "2", "--resamples", "10", "--groups", "28", "--recalls", "0.6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "28 x 1, 0.6" in lines[0] and "28 x 7, 0.6" in lines[0] and len(lines) == 22
    assert len(list(scenarios(CoverageSettings()))) == 12
    assert other_classifier(Scenario(28, 7, 0.5)) == Scenario(28, 7, 0.4)


@pytest.mark.long
@pytest.mark.parametrize("scenario", [Scenario(28, 1, 0.9), Scenario(28, 7, 0.9)])
def test_intervals_cover_what_they_should(scenario):
    covered = coverage(scenario, datasets=300, resamples=200, seed=1)
    for name, share in covered.reported.items():
        assert 0.90 <= share <= 0.995, name
