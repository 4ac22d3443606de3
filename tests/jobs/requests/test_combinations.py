"""Combinations of settings in a search that training would refuse."""

from __future__ import annotations

import shlex

import pytest

from jobs.requests import combinations
from jobs.requests.combinations import refused_combinations
from jobs.requests.tuning import parameter_ranges
from model.errors import InputError
from model.settings.train import TrainSettings

COMMAND_LINES = [
    (
        "--sampler none --ranges '{sampler_strength: [0.1, 1.0]}'",
        "sampler_strength 0.1: sampler none requires sampler_strength 0, not 0.1 (3 of 3 combinations)",
    ),
    (
        "--ranges '{sampler: [none, imbalanced], sampler_strength: [0.1, 1.0]}'",
        "sampler none, sampler_strength 0.1: sampler none requires sampler_strength 0, not 0.1 (3 of 6 combinations)",
    ),
    (
        "--ranges '{folds: [0, 3]}'",
        "folds 1: folds must be 0 (one model) or at least 2, not 1 (1 of 4 combinations)",
    ),
    (
        "--ranges '{freeze_epochs: [0, 2]}'",
        "freeze_epochs 1: freeze_epochs requires freeze (2 of 3 combinations)",
    ),
    ("--isolated --ranges '{pretrained: [true, false]}'", "pretrained true: isolated and pretrained true: a training"),
    ("--ranges '{weights: [a, b]}'", "weights: local paths cannot be varied"),
]


@pytest.mark.parametrize(("arguments", "message"), COMMAND_LINES)
def test_combinations_that_training_refuses_are_errors_before_the_start(arguments, message, dry_run):
    code, out, err = dry_run("tune", "--data", "s3://b/t", *shlex.split(arguments))
    assert (code, out) == (2, "") and message in err
    assert len(err.splitlines()) == 2  # each reason is listed once


@pytest.mark.parametrize(
    "arguments",
    [
        "--sampler none --ranges '{sampler: [sqrt, imbalanced], sampler_strength: [0.1, 1]}'",
        "--freeze backbone --ranges '{freeze_epochs: [1, 3]}'",
        "--isolated --pretrained false --ranges '{lr: [0.001, 0.1]}'",
    ],
)
def test_values_that_are_valid_with_the_other_settings_are_accepted(arguments, dry_run):
    code, _, err = dry_run("tune", "--data", "s3://b/t", *shlex.split(arguments))
    assert code == 0, err


def test_pairs_are_checked_if_there_are_too_many_combinations(monkeypatch):
    monkeypatch.setattr(combinations, "MOST_COMBINATIONS", 10)
    values = {
        "lr": [0.1, 0.2],
        "sampler": ["sqrt", "none", "imbalanced"],
        "epochs": [1, 300],
        "sampler_strength": [0, 1],
    }
    (line,) = refused_combinations(values, ["lr", "epochs"], TrainSettings(), False)
    assert "sampler none, sampler_strength 1: sampler none requires sampler_strength 0, not 1" in line
    with pytest.raises(InputError, match="sampler none requires sampler_strength 0"):
        parameter_ranges(
            {"lr": [0.1, 0.2], "sampler": ["none", "sqrt"], "sampler_strength": [0.5, 1], "epochs": [1, 9]}
        )
