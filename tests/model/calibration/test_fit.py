"""Fitted decisions: kept only if they gain something, and thresholds from groups that the biases do not know."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.calibration import fit as module
from model.calibration.fit import SHARES, Goal, fit_bias_decision, fit_decision, fit_thresholds
from model.calibration.held_out import HeldOut
from model.calibration.nested import Gain
from model.calibration.risk_control import NEVER
from model.decisions import Ask, Decision
from model.errors import InputError
from model.labels import Scheme
from model.metrics.bootstrap import Interval


def test_useful_biases_are_kept_and_useless_ones_are_not(make_held_out):
    useful = fit_decision(make_held_out(groups=300, biases=(0, -2, -3)), Goal("f1"))
    assert useful.biases.gain.is_positive and useful.decision.biases and useful.thresholds is None
    assert useful.biases.gain.difference.low > 0 and type(useful.decision) is Decision
    # nothing to gain: the nested estimate is not positive, and the decision has a temperature only
    perfect = make_held_out(groups=300, signal=9)
    useless = fit_decision(perfect, Goal("f1"))
    assert useless.decision.biases == () and not useless.biases.gain.is_positive


@pytest.mark.parametrize(("difference", "kept"), [(0.01, True), (0.0, False), (-0.01, False)])
def test_biases_are_kept_by_their_gain_on_other_groups(make_held_out, monkeypatch, difference, kept):
    gain = Gain(Interval(0.5), Interval(0.5 + difference), Interval(difference))
    monkeypatch.setattr(module, "nested_gain", lambda *_: gain)
    fitted = fit_decision(make_held_out(groups=300, biases=(0, -2, -3)), Goal("f1"))
    assert (fitted.decision.biases != ()) is kept and fitted.decision.temperature != 1


def test_the_temperature_alone(make_held_out):
    held_out = make_held_out(groups=1000)
    sharp = HeldOut(held_out.scheme, _power(held_out.probabilities, 3), held_out.truth, held_out.groups, "person")
    fitted = fit_decision(sharp, Goal())
    assert fitted.decision.temperature == pytest.approx(3, rel=0.1) and fitted.decision.biases == ()
    before, after = fitted.biases.calibration_error
    assert after < before / 2 and fitted.biases.gain is None


def _power(probabilities, power):
    raised = probabilities**power
    return raised / raised.sum(1, keepdims=True)


def test_a_promise_without_biases_uses_all_groups(make_held_out):
    held_out = make_held_out(groups=300, signal=2.5)
    fitted = fit_decision(held_out, Goal(promise=0.1))
    assert fitted.biases is None and fitted.thresholds.groups == 300
    decision = fitted.decision
    assert isinstance(decision, Ask) and decision.promise == 0.1 and decision.biases == ()
    assert decision.thresholds == tuple(one.threshold for one in fitted.thresholds.thresholds)
    assert min(decision.thresholds) < NEVER
    asked = decision.asks(held_out.probabilities)
    classes = decision.classes(held_out.probabilities)
    assert 0 < asked.mean() < 1
    # the chosen images themselves keep the promise clearly, as the test demands
    for code, one in enumerate(fitted.thresholds.thresholds):
        if one.is_promised:
            answered = (classes == code) & ~asked
            assert (held_out.truth[answered] != code).mean() < 0.1


def test_with_biases_the_thresholds_are_from_the_other_half(make_held_out, monkeypatch):
    held_out = make_held_out(groups=300, biases=(0, -2, -3))
    used = {}
    biases, thresholds = fit_bias_decision, fit_thresholds

    def rows(part):
        return {tuple(row) for row in part.probabilities}

    monkeypatch.setattr(module, "fit_bias_decision", lambda part, goal: used.update(a=rows(part)) or biases(part, goal))
    monkeypatch.setattr(
        module, "fit_thresholds", lambda part, *more: used.update(b=rows(part)) or thresholds(part, *more)
    )
    fitted = fit_decision(held_out, Goal("f1", promise=0.2))
    assert not used["a"] & used["b"] and len(used["a"]) + len(used["b"]) == len(held_out)
    assert fitted.decision.biases == fitted.biases.decision.biases != ()
    assert fitted.thresholds.groups == 150


def test_the_nested_errors_are_of_thresholds_from_other_groups(make_held_out):
    """All groups but the last are right; whatever the thresholds, the last one is not in its own."""
    held_out = make_held_out(groups=120, images=1, signal=9)
    fitted = fit_thresholds(held_out, Decision(), 0.2)
    nested = fitted.nested.everything
    assert nested.pictures == 120 and 0 < nested.answered < 121 and nested.error.value == 0


def test_a_prior_correction_is_scored_at_the_given_shares(make_held_out):
    held_out = make_held_out(groups=400, signal=1.0)
    fitted = fit_decision(held_out, Goal(shares=np.array([0.1, 0.1, 0.8])))
    assert fitted.biases.score == SHARES and fitted.biases.gain.is_positive
    assert fitted.decision.biases[2] > fitted.decision.biases[0]


def test_too_few_groups_and_too_many_classes_are_errors(make_held_out):
    with pytest.raises(InputError, match="at least 10 groups with true labels, not 9"):
        fit_decision(make_held_out(groups=9), Goal(promise=0.1))
    many = Scheme((Attribute("kind", tuple(map(str, range(1001)))),))
    rows = np.arange(20)
    held_out = HeldOut(many, np.full((20, 1001), 1 / 1001), rows, rows)
    with pytest.raises(InputError, match="at most 1,000 classes; the model has 1,001; use --optimise none"):
        fit_decision(held_out, Goal("f1"))
