"""Logit adjustment after training: tau becomes biases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.artifacts.ensemble import SOFT
from model.attributes import MISSING
from model.data.channel import read_channel
from model.data.datasets import labelled_for
from model.data.table import Table
from model.decisions import Decision
from model.errors import InputError, Problems
from model.labels import Scheme
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.decision import prior_biases, trained_decision
from model.training.plan import make_plan


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def settings(arguments: dict[str, Any], **values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", {**values, "decision_args": arguments})])


def test_it_divides_by_the_prior_to_the_power_of_tau():
    """Menon et al. 2021, equation 9: argmax of p_c / share_c^tau."""
    counts = np.array([90, 9, 1])
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 400)
    for tau in (0.5, 1.0, 2.0):
        adjusted = probabilities / (counts / 100) ** tau
        decision = Decision(biases=tuple(prior_biases(counts, tau).tolist()))
        np.testing.assert_array_equal(decision.classes(probabilities), np.argsort(adjusted, 1)[:, -1])
    assert prior_biases(np.array([90, 0, 10]), 1.0).tolist() == pytest.approx([-np.log(0.9)] * 2 + [-np.log(0.1)])


def test_shares_are_those_of_the_training_images_and_given_biases_are_added(table):
    shares = table.labels["mask"].value_counts(normalize=True).sort_index().to_numpy()
    mask = labelled_for(table, "mask")
    decision = trained_decision(settings({"tau": "0.5", "temperature": 2}), mask)
    assert decision.temperature == 2 and decision.biases == pytest.approx(-0.5 * np.log(shares))
    biased = trained_decision(settings({"tau": 1, "biases": [0, 1, 2]}), mask)
    assert biased.biases == pytest.approx([0, 1, 2] - np.log(shares))
    assert trained_decision(settings({}), mask) == Decision()
    assert trained_decision(settings({"biases": [0, 1, 2]}), mask) == Decision(biases=(0, 1, 2))


@pytest.mark.parametrize("target", ["joint", "heads", "separate"])
def test_the_classes_are_the_joint_ones_of_training_images_without_validation_images(table, target):
    plan = make_plan(settings({"tau": 1}, target=target), table, None)
    train = plan.splits[""].train
    counts = np.bincount(train.classes(), minlength=18)
    assert counts.sum() < len(table) and plan.decision.biases == pytest.approx(prior_biases(counts, 1.0))
    if target == "separate":  # only the ensemble of attributes predicts the joint class
        assert {run.decision for run in plan.runs} == {Decision()}
        assert plan.ensembles[-1].decision == plan.decision
    else:
        assert plan.runs[0].decision == plan.decision == trained_decision(plan.runs[0].settings, train)


def test_models_of_folds_and_their_ensemble_share_the_decision(table):
    """With equal decisions, voting views are not adjusted a second time (answering_decision)."""
    plan = make_plan(settings({"tau": 1}, folds=2, target="gender"), table, None)
    counts = table.labels["gender"].value_counts().sort_index().to_numpy()
    assert plan.decision.biases == pytest.approx(prior_biases(counts, 1.0))
    assert [run.decision for run in plan.runs] == [plan.decision] * 2
    assert [(spec.combine, spec.decision) for spec in plan.ensembles] == [(SOFT, plan.decision)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tau": -1}, "tau: must be at least 0, not -1"),
        ({"tau": "much"}, "tau: 'much': expected a number"),
        ({"tau": 1, "biases": [1]}, "biases: expected 2, one per class, not 1"),
        ({"tau": 1, "temprature": 1}, "temprature: argmax has no such argument; nearest: temperature"),
    ],
)
def test_invalid_arguments_are_an_error(table, arguments, message):
    with pytest.raises(InputError, match=f"decision_args: {message}.*; the classes are male, female"):
        make_plan(settings(arguments, target="gender"), table, None)


def test_joint_shares_must_be_known(table):
    attributes = tuple(replace(attribute, optional=True) for attribute in table.scheme.attributes)
    labels = table.labels.assign(gender=np.where(np.arange(len(table)) % 2, table.labels["gender"], MISSING))
    labels["age"] = np.where(np.arange(len(table)) % 2, MISSING, labels["age"])
    gaps = replace(table, scheme=Scheme(attributes), labels=labels)
    with pytest.raises(InputError, match="tau: no training image has every label"):
        trained_decision(settings({"tau": 1}, target="heads"), gaps)
