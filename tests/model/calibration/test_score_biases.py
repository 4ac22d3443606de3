"""Biases for macro F1 and the geometric mean, against brute force and scikit-learn."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import f1_score

from model.attributes import Attribute
from model.calibration.score_biases import F1, GMEAN, GRID, fit_biases, score_of, search_biases, sweep
from model.calibration.value_biases import ValueBiases
from model.decisions import Decision
from model.labels import Scheme
from model.metrics.scores import Counts

SHIRTS = Scheme((Attribute("size", ("small", "large")), Attribute("colour", ("red", "blue", "green"))))


def macro_f1(held_out, biases) -> float:
    answers = (held_out.log_probabilities + biases).argmax(1)
    return f1_score(held_out.truth, answers, average="macro", labels=np.unique(held_out.truth), zero_division=0)


def test_the_scores_are_of_the_classes_with_images():
    truth, answers = np.array([0, 0, 2, 2, 2]), np.array([0, 2, 2, 2, 1])
    counts = Counts.from_answers(truth, answers, 4)
    each = f1_score(truth, answers, average=None, labels=[0, 2])
    assert float(score_of(counts, F1)) == pytest.approx(each.mean())
    assert float(score_of(counts, GMEAN)) == pytest.approx(np.sqrt(each.prod()))


def test_a_sweep_counts_what_each_shift_predicts():
    """Reference: predicting again for each shift; scores have one decimal, so that there are ties."""
    generator = np.random.default_rng(0)
    scores, truth = np.round(generator.normal(size=(300, 5)), 1), generator.integers(0, 5, 300)
    members, shifts = np.array([False, True, False, True, False]), np.linspace(-2, 2, 41).round(1)
    counts = sweep(scores, members, truth, shifts)
    for row, shift in enumerate(shifts):
        answers = np.where(members, np.round(scores + shift, 1), scores).argmax(1)
        expected = Counts.from_answers(truth, answers, 5)
        # 0.1 is not a binary fraction: a tie may go either way
        ties = np.isclose(scores[:, members].max(1) + shift, scores[:, ~members].max(1)).sum()
        assert np.abs(counts.answered[row] - expected.answered).sum() <= 2 * ties
        assert np.abs(counts.right[row] - expected.right).sum() <= 2 * ties
    assert np.array_equal(counts.truth[0], np.bincount(truth))


def test_a_sweep_breaks_ties_as_a_decision():
    scores, truth = np.array([[0.0, 0.5], [0.5, 0.0]]), np.array([0, 1])
    for first in (True, False):
        counts = sweep(scores, np.array([first, not first]), truth, np.array([-0.5, 0.0, 0.5]))
        for row, shift in enumerate((-0.5, 0.0, 0.5)):
            answers = Decision().classes(scores + shift * np.array([first, not first]))
            assert counts.answered[row].tolist() == np.bincount(answers, minlength=2).tolist()


def test_the_search_is_as_good_as_all_pairs_of_biases(make_held_out):
    held_out = make_held_out(groups=150, signal=1.0)
    values = search_biases(held_out.log_probabilities, held_out.truth, ValueBiases(held_out.scheme), F1, 0.0)
    pairs = itertools.product(GRID[::4], repeat=2)
    best = max(macro_f1(held_out, np.array([0, *pair])) for pair in pairs)
    assert macro_f1(held_out, values) >= best - 0.01
    assert macro_f1(held_out, values) > macro_f1(held_out, np.zeros(3)) + 0.02


def test_biases_of_several_attributes_are_of_their_values(make_held_out):
    shares = (0.4, 0.2, 0.1, 0.15, 0.1, 0.05)
    held_out = make_held_out(groups=400, shares=shares, signal=1.0, scheme=SHIRTS)
    biases = fit_biases(held_out, 1.0, F1)
    assert biases.any()
    # small/red - small/blue = large/red - large/blue
    assert biases[0] - biases[1] == pytest.approx(biases[3] - biases[4])
    assert biases[1] - biases[2] == pytest.approx(biases[4] - biases[5])


def test_a_larger_penalty_gives_smaller_biases_and_the_largest_none(make_held_out):
    held_out = make_held_out(groups=150, signal=1.0)
    structure = ValueBiases(held_out.scheme)
    sizes = [
        float(np.square(search_biases(held_out.log_probabilities, held_out.truth, structure, F1, penalty)).sum())
        for penalty in (0.0, 0.05, 10.0)
    ]
    assert sizes[0] > sizes[1] > sizes[2] == 0


@pytest.mark.parametrize("optimise", [F1, GMEAN])
def test_fitted_biases_help_on_other_images(make_held_out, optimise):
    """A model that is wrong about the shares: its rare classes are too improbable."""
    fitting, others = (make_held_out(groups=400, biases=(0, -1.5, -2.5), seed=seed) for seed in (0, 1))
    biases = fit_biases(fitting, 1.0, optimise)
    decisions = (Decision(1.0, tuple(biases)), Decision())
    scores = [
        float(score_of(Counts.from_answers(others.truth, one.classes(others.probabilities), 3), optimise))
        for one in decisions
    ]
    assert scores[0] > scores[1] + 0.05


def test_without_a_second_group_there_are_no_biases(make_held_out):
    held_out = make_held_out(groups=1, images=40, signal=0.5)
    assert not fit_biases(held_out, 1.0, F1).any()
