"""Warnings about models that did not start from the same weights; the rest is tested with the command."""

from dataclasses import dataclass

import pytest

from model.settings.train import TrainSettings
from model.training.average_members import Member, unlike_starts


@dataclass
class Saved:
    settings: TrainSettings


def member(**settings) -> Member:
    return Member("a", Saved(TrainSettings(**settings)), None, None)


@pytest.mark.parametrize(
    ("settings", "warns"),
    [
        ([{"seed": 1}, {"seed": 2}], False),  # both from ImageNet weights
        ([{"seed": 1, "pretrained": False}, {"seed": 2, "pretrained": False}], True),
        ([{"seed": 1, "pretrained": False}, {"seed": 1, "pretrained": False, "lr": 0.1}], False),
        ([{"weights": "a.pth", "seed": 1}, {"weights": "a.pth", "seed": 2, "pretrained": False}], False),
        ([{"weights": "a.pth"}, {"weights": "b.pth"}], True),
        ([{}, {"pretrained": False}], True),
    ],
)
def test_different_starts_are_warned_of(settings, warns):
    assert bool(unlike_starts([member(**own) for own in settings])) == warns
