"""The settings of sampling and loss."""

from __future__ import annotations

import pytest

from model.settings.loss import LossSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampler": "none", "sampler_strength": 0.5}, "sampler none requires sampler_strength 0, not 0.5"),
        ({"class_weights": "given"}, "--class_weights given requires class_weight_values: one weight per class"),
        ({"class_weight_values": [1.0]}, "class_weight_values is used only with --class_weights given, not inverse"),
    ],
)
def test_each_contradiction_is_reported(values, message):
    assert list(LossSettings(**values).sampling_contradictions()) == [message]


def test_the_defaults_contradict_nothing():
    assert not list(LossSettings().sampling_contradictions())
