"""The rules that choose a class from probabilities."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from model.decisions import DECISIONS, Ask, Decision, decision_from_dict, make_decision
from model.errors import InputError
from model.settings import choices

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class AtLeast(Decision):
    """Predicts the first class unless another has at least `share`."""

    rule: ClassVar[str] = "at_least"

    share: float = 0.5

    def problems(self, num_classes: int) -> Iterator[str]:
        if not 0 <= self.share <= 1:
            yield f"share: expected 0 to 1, not {self.share:g}"

    def classes(self, probabilities):
        return np.where(probabilities.max(-1) >= self.share, probabilities.argmax(-1), 0)


def test_every_rule_is_a_choice_of_the_setting():
    assert choices.DECISIONS.keys() == DECISIONS.keys() and all(cls.rule == name for name, cls in DECISIONS.items())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "decision", [Decision(), Decision(3.0), Decision(1e-300, (0.0,) * 4), Decision(0.5, (-7.0,) * 4)]
)
def test_equal_biases_are_bit_identical_to_argmax(dtype, decision):
    """Of equal probabilities the first is chosen; neighbouring float32 values are distinct, even very small ones."""
    probabilities = np.random.default_rng(0).dirichlet([0.05] * 4, 5000).astype(dtype)
    probabilities = np.concatenate([probabilities, np.round(probabilities, 1), np.zeros((3, 4), dtype)])
    tiny = np.full((1, 4), 4 * np.finfo(dtype).tiny, dtype)  # whose log is that of its neighbour
    tiny[0, 2] = np.nextafter(tiny[0, 2], dtype(1))
    probabilities = np.concatenate([probabilities, tiny])
    np.testing.assert_array_equal(decision.classes(probabilities), probabilities.argmax(-1))
    assert decision.classes(probabilities[0]) == probabilities[0].argmax() and decision.classes(tiny) == [2]


def test_neighbouring_float32_probabilities_stay_distinct_with_biases():
    """In float32 their logs would be equal: near log(1e-10) the spacing is 2e-6, the probabilities differ by 1e-7."""
    near = np.float32(1e-10)
    probabilities = np.stack([np.full(100, near), np.full(100, np.nextafter(near, np.float32(1))), np.ones(100)], 1)
    decision = Decision(biases=(100.0, 100.0, 0.0))
    assert (decision.classes(probabilities.astype(np.float32)) == 1).all()


def test_biases_are_added_to_log_probabilities_over_the_temperature():
    """Reference: the definition, p^(1 / temperature) times e^bias, with Python floats."""
    draw = np.random.default_rng(1)
    probabilities = draw.dirichlet([0.5] * 5, 400)
    for temperature in (0.25, 1.0, 4.0):
        biases = draw.normal(0, 1, 5)
        expected = (probabilities ** (1 / temperature) * np.exp(biases)).argmax(1)
        found = Decision(temperature, tuple(biases)).classes(probabilities.reshape(20, 20, 5))
        np.testing.assert_array_equal(found.ravel(), expected)
        assert (expected != probabilities.argmax(1)).any() and found.dtype == np.int64


@pytest.mark.parametrize(("temperature", "expected"), [(1e-300, 0), (1e300, 1)])
def test_extreme_temperatures_neither_overflow_nor_change_the_order(temperature, expected):
    with np.errstate(all="raise"):
        assert Decision(temperature, (0.0, 1.0)).classes(np.float32([0.6, 0.4])) == expected


def test_a_class_with_probability_0_is_never_predicted():
    with np.errstate(all="raise"):
        assert Decision(biases=(0.0, 1e9)).classes(np.float32([1, 0])) == 0
    assert Decision(biases=(0.0, 1e9)).classes(np.float32([[0, 0]])) == [0]


def test_votes_are_for_the_predicted_class():
    votes = Decision(biases=(0.0, 1.0)).votes(np.float32([[0.6, 0.4], [0.9, 0.1]]))
    assert votes.dtype == np.float32 and votes.tolist() == [[0, 1], [1, 0]]
    assert Decision().votes(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    ("rule", "arguments", "messages"),
    [
        ("argmx", {}, ["'argmx', expected one of argmax, ask; nearest: argmax"]),
        ("argmax", {"tempreature": 1}, ["tempreature: argmax has no such argument; nearest: temperature"]),
        ("argmax", {"temperature": 0}, ["temperature: must be above 0, not 0"]),
        ("argmax", {"temperature": -2, "biases": [1]}, ["above 0, not -2", "biases: expected 3, one per class, not 1"]),
        ("argmax", {"temperature": "nan"}, ["temperature: 'nan': expected a number"]),
        (
            "argmax",
            {"temperature": True, "biases": {"a": 1}},
            ["temperature: True", "biases: {'a': 1}"],
        ),
        ("argmax", {"biases": [0, float("inf"), 1], "bias": 3}, ["biases: [0, inf, 1]", "bias: argmax has no such"]),
        ("argmax", {"biases": [0, "x", 1], "temperature": None}, ["biases: [0, 'x', 1]", "temperature: None"]),
    ],
)
def test_all_invalid_arguments_are_reported_together(rule, arguments, messages):
    with pytest.raises(InputError) as error:
        make_decision(rule, arguments, 3)
    assert all(text in str(error.value) for text in messages), str(error.value)


def test_arguments_may_be_numbers_or_text():
    assert make_decision("argmax", {}, 3) == Decision()
    assert make_decision("argmax", {"temperature": "2", "biases": "[0, 1, -0.5]"}, 3) == Decision(2.0, (0.0, 1.0, -0.5))
    assert make_decision("argmax", {"biases": []}, 3) == Decision()


def test_a_decision_is_restored_from_its_json():
    decision = Decision(1.5, (0.1, 0.2, 1 / 3))
    content = json.loads(json.dumps(decision.to_dict()))
    assert content == {"rule": "argmax", "temperature": 1.5, "biases": [0.1, 0.2, 1 / 3]}
    assert decision_from_dict(content, 3) == decision
    for rule in (None, 3, ["argmax"]):
        with pytest.raises(InputError, match="rule: expected one of argmax, ask, not"):
            decision_from_dict({"rule": rule}, 3)
    with pytest.raises(InputError, match="rule: expected one of argmax, ask, not None"):
        decision_from_dict({"temperature": 1}, 3)


def test_a_rule_is_added_by_a_class_and_a_name(monkeypatch):
    monkeypatch.setitem(DECISIONS, "at_least", AtLeast)
    decision = make_decision("at_least", {"share": "0.7"}, 2)
    assert decision == AtLeast(share=0.7) and decision_from_dict(decision.to_dict(), 2) == decision
    assert decision.votes(np.float32([[0.4, 0.6], [0.2, 0.8]])).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match="share: expected 0 to 1, not 7"):
        make_decision("at_least", {"share": 7}, 2)
    with pytest.raises(InputError, match="'at_leas', expected one of argmax, ask, at_least; nearest: at_least"):
        make_decision("at_leas", {}, 2)


def test_a_decision_is_printed_as_its_rule_and_changed_arguments():
    assert str(Decision()) == "argmax"
    assert str(Decision(1.5, (0.0, 0.7))) == "argmax (temperature 1.5, biases 0 0.7)"


def test_checking_a_decision_imports_neither_torch_nor_numpy():
    script = "import sys; from model.decisions import make_decision; make_decision('argmax', {'biases': [1, 2]}, 2); "
    script += "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_person_is_asked_unless_the_probability_of_the_predicted_class_is_above_its_threshold():
    ask = Ask(thresholds=(0.5, 0.0, 1.0))
    probabilities = np.float32([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.3, 0.4, 0.3], [0, 0, 1], [0, 0, 1.0000001]])
    assert ask.classes(probabilities).tolist() == [0, 0, 1, 2, 2]
    assert ask.asks(probabilities).tolist() == [True, False, False, True, True]
    assert bool(ask.asks(probabilities[1])) is False and ask.asks(np.empty((0, 3))).shape == (0,)
    # biases change the class, and with it the threshold and the probability that is compared
    biased = Ask(biases=(0.0, 5.0, 0.0), thresholds=(0.0, 0.25, 0.0))
    assert biased.classes(probabilities[:2]).tolist() == [1, 1]
    assert biased.asks(probabilities[:2]).tolist() == [False, True]
    assert not Decision().asks(probabilities).any() and not Decision.can_ask and Ask.can_ask


def test_thresholds_are_checked_and_restored():
    content = {"rule": "ask", "thresholds": [0.1, 0.9, 1], "promise": 0.1}
    decision = decision_from_dict(content, 3)
    assert decision == Ask(thresholds=(0.1, 0.9, 1.0), promise=0.1)
    assert decision_from_dict(json.loads(json.dumps(decision.to_dict())), 3) == decision
    assert str(decision) == "ask (thresholds 0.1 0.9 1, promise 0.1)"
    for arguments, sentence in (
        ({}, "thresholds: expected 3, one per class, not 0"),
        ({"thresholds": [0, 0.5, 1.5]}, "thresholds: expected numbers from 0 to 1, not 1.5"),
        ({"thresholds": [0, 0, 0], "promise": 1}, "promise: must be above 0 and below 1, not 1"),
    ):
        with pytest.raises(InputError, match=sentence):
            make_decision("ask", arguments, 3)


def test_on_other_probabilities_a_person_is_asked_about_every_image():
    ask = Ask(1.0, (0.0, 5.0), (0.0, 0.0), 0.1)
    probabilities = np.float32([[0.8, 0.2], [0.999, 0.001]])
    for other in (ask.on_votes(), ask.without_promise()):
        assert other.asks(probabilities).all() and other.can_ask
    # votes were cast with the biases; an ensemble's own biases are applied to shares of votes
    assert ask.on_votes().classes(probabilities).tolist() == [0, 0]
    assert ask.without_promise().classes(probabilities).tolist() == ask.classes(probabilities).tolist() == [1, 0]
    assert Decision(2.0, (0.0, 1.0)).on_votes() == Decision()
    assert ask.on_views(1) == ask.on_views(4) == ask
    assert ask.on_changed_model() == ask.without_promise()
    by_hand = replace(ask, promise=None)
    assert by_hand.on_changed_model() == by_hand and Decision(2.0).on_changed_model() == Decision(2.0)
    fitted = replace(ask, views=4)
    assert fitted.on_views(4) == fitted and fitted.on_views(1) == fitted.without_promise()
    assert Decision(2.0, (0.0, 1.0)).without_promise() == Decision(2.0, (0.0, 1.0))
