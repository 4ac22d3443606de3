"""The keys of `attributes` for a number that is learned as a distribution."""

from __future__ import annotations

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.numbers import NumberLearning, number_learning
from model.settings.train import TrainSettings

BASE = {"cuts": [30, 60], "learn": "distribution", "sigma": 5}
MASK = {"mask": ["worn", "none"]}


def test_keys_are_parsed_and_have_defaults():
    assert number_learning("age", {"cuts": [30, 60]}) is None
    assert number_learning("age", BASE) == NumberLearning(5.0, 1.0, (), None)
    full = {**BASE, "bin_width": 0.5, "range": [10, "80"], "expectation_weight": 0}
    assert number_learning("age", full) == NumberLearning(5.0, 0.5, (10.0, 80.0), 0.0)


def test_an_error_of_one_sigma_counts_1_by_default():
    assert NumberLearning(5.0).weight == pytest.approx(0.2)
    assert NumberLearning(5.0, expectation_weight=1.0).weight == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learn": "dist"}, "learn must be distribution, not 'dist'"),
        ({"sigma": 0}, "sigma must be a number above 0, not 0"),
        ({"sigma": "wide"}, "sigma must be a number above 0, not 'wide'"),
        ({"sigma": True}, "sigma must be a number above 0, not True"),
        ({"sigma": float("nan")}, "sigma must be a number above 0"),
        ({"bin_width": -1}, "bin_width must be a number above 0, not -1"),
        ({"expectation_weight": -0.1}, "expectation_weight must be a number at least 0"),
        ({"range": [80, 10]}, r"range must be two increasing numbers, not \[80, 10\]"),
        ({"range": 80}, "range must be two increasing numbers, not 80"),
        ({"range": [10, 60]}, "range .* must begin below the first cut and end above the last one"),
        ({"range": [30, 90]}, "range .* must begin below the first cut and end above the last one"),
    ],
)
def test_an_invalid_key_is_an_error(change, message):
    with pytest.raises(InputError, match=f"attribute 'age': {message}"):
        number_learning("age", {**BASE, **change})


def test_all_problems_of_an_attribute_are_one_error():
    with pytest.raises(InputError, match=r"set its cuts; .* needs sigma.*; bin_width must be"):
        number_learning("age", {"learn": "distribution", "bin_width": 0})
    with pytest.raises(InputError, match="sigma, range is used only with `learn: distribution`"):
        number_learning("age", {"cuts": [30], "sigma": 5, "range": [0, 90]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"age_sigma": 5}, "age_sigma requires a classifier of its own for age; .*Set --target heads, or separate"),
        ({"attributes": {**MASK, "age": BASE}}, "`learn: distribution` requires a classifier of its own for age"),
        ({"attributes": {"age": {**BASE, "sigma": 0}}}, "attributes: attribute 'age': sigma must be"),
        ({"attributes": {"age": BASE}, "age_sigma": 5}, "age_sigma is used only with the mask scheme"),
        ({"age_sigma": -1}, "age_sigma.*expected at least 0"),
        (
            {"age_sigma": 5, "target": "heads", "heads": {"age": {"loss": "focal", "loss_weight": 2}}},
            "heads: age: loss is not used",
        ),
    ],
)
def test_contradictions_are_reported_before_any_data_is_read(values, message):
    with pytest.raises(InputError, match=message):
        build(TrainSettings, [Layer("{}", values)])


@pytest.mark.parametrize("target", ["heads", "separate", "age", "mask"])
def test_a_classifier_of_its_own_may_learn_a_distribution(target):
    build(TrainSettings, [Layer("{}", {"age_sigma": 5, "target": target})])
    build(TrainSettings, [Layer("{}", {"attributes": {**MASK, "age": BASE}, "target": target})])


def test_joint_of_one_attribute_may_learn_its_distribution():
    build(TrainSettings, [Layer("{}", {"attributes": {"age": BASE}})])
