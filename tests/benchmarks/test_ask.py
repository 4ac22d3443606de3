"""The simulation of promises with few draws; docs/decisions.md has the results of many."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.ask import MODELS, boundary_rate, main, simulate


def test_too_few_groups_are_always_asked_about():
    kept = simulate("good", 28, 1, 0.1, 20, 0)
    assert (kept.exceeded, kept.coverage, kept.asked_all) == (0, 0, 1)


def test_at_the_promise_the_rate_is_that_of_the_first_test():
    kept = simulate("at the promise", 60, 5, 0.2, 400, 1)
    assert kept.exceeded == pytest.approx(1 - kept.asked_all)
    assert kept.exceeded == pytest.approx(boundary_rate(60, 0.2), abs=3 * 0.0105)
    # the first of 60 images' tests has 30, of which 2 may be wrong
    assert boundary_rate(60, 0.2) == pytest.approx(binom.cdf(2, 30, 0.2))


def test_a_good_model_answers_more_with_a_larger_promise_and_more_groups():
    coverage = {
        (promise, n): simulate("good", n, 1, promise, 40, 0).coverage for promise in (0.1, 0.2) for n in (60, 240)
    }
    assert coverage[0.2, 60] > coverage[0.1, 60] and coverage[0.1, 240] > coverage[0.1, 60]


def test_shares_of_wrong_answers_are_shares():
    ranks = np.linspace(0, 1, 50)
    for model in MODELS.values():
        for promise in (0.05, 0.1, 0.2):
            assert 0 <= model(promise, ranks).min() <= model(promise, ranks).max() <= 1


def test_the_table(capsys):
    assert main(["--draws", "5", "--groups", "30", "--images", "1", "--promises", "0.2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(MODELS) + 1 and lines[0].startswith("model") and lines[-1].startswith("highest")
