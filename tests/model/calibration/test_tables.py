"""What is printed of a fitted decision."""

from dataclasses import replace

from model.calibration.fit import Goal, fit_decision
from model.calibration.tables import fitted_text


def test_a_kept_and_a_useless_bias(make_held_out):
    held_out = make_held_out(groups=300, biases=(0, -2, -3))
    text = fitted_text(fit_decision(held_out, Goal("f1")), held_out)
    assert "fitted on 600 held-out images, 300 groups of column person" in text
    assert "macro F1" in text and "with biases" in text and "none are kept" not in text
    useless = make_held_out(groups=300, signal=9)
    assert "none are kept" in fitted_text(fit_decision(useless, Goal("gmean")), useless)


def test_classes_with_too_few_groups_are_named_with_the_number_that_is_needed(make_held_out):
    held_out = make_held_out(groups=60, images=1, signal=4, shares=(0.8, 0.15, 0.05))
    text = fitted_text(fit_decision(held_out, Goal(promise=0.1)), held_out)
    assert "nothing is promised for 2 of 3 classes" in text
    assert "a promise of 0.1 needs at least 29 groups that are predicted as the class" in text
    assert "always asks" in text and "all classes" in text
    assert "where each group counts once however many images it has; thresholds from 60 groups" in text
    alone = replace(held_out, group_label=None)
    assert "with probability 0.05; thresholds from 60 images" in fitted_text(
        fit_decision(alone, Goal(promise=0.1)), alone
    )


def test_classes_with_too_many_errors_are_named(make_held_out):
    held_out = make_held_out(groups=300, images=1, signal=0.3, shares=(0.34, 0.33, 0.33))
    text = fitted_text(fit_decision(held_out, Goal(promise=0.05)), held_out)
    assert "too many errors for the promise; a person is asked about all images predicted as cat, dog, owl" in text
