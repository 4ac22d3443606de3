"""Short trainings on folds, and the comparison of two candidates."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from model.runtime.hardware import find_hardware
from model.runtime.signals import StopSignal
from model.training.search.trials import FOLDS, CandidateTrainer, stop_after


@pytest.fixture
def trainer(settings, table) -> CandidateTrainer:
    return CandidateTrainer.of(settings, table, find_hardware("cpu", "fp32"), StopSignal())


def test_folds_divide_no_group(trainer):
    seen = []
    for fold in range(FOLDS):
        datasets = trainer.datasets(fold)
        assert not set(datasets.train.groups) & set(datasets.validation.groups)
        assert datasets.train.scheme.names == ("mask",)
        seen += datasets.validation.locations.paths
    assert sorted(seen) == sorted(trainer.table.locations.paths)


def test_a_trial_is_repeated_exactly_and_scores_the_held_out_fold(trainer):
    policy = {"flip": {}, "mixup": {"alpha": 0.2}}
    trial, probabilities = trainer.train("a", policy, 1, 1)
    again, same = trainer.train("a", policy, 1, 1)
    _, different = trainer.train("none", {}, 1, 1)
    np.testing.assert_array_equal(probabilities, same)
    assert trial.score == again.score and (trial.fold, trial.epochs) == (1, 1)
    assert np.abs(probabilities - different).max() > 0
    validation = trainer.datasets(1).validation
    predicted = trainer.decide(probabilities)
    expected = f1_score(validation.classes(), predicted, average="macro", labels=range(3), zero_division=0)
    assert trial.score == pytest.approx(expected)


def test_the_gain_is_the_difference_of_macro_f1_over_all_folds(trainer):
    """Reference: scikit-learn. The better candidate knows all images but those of three persons."""
    generator = np.random.default_rng(0)
    by_fold, worse, truth = {}, {}, []
    for fold in (1, 2):
        classes = trainer.datasets(fold).validation.classes()
        persons = trainer.datasets(fold).validation.groups
        wrong = np.isin(persons, np.unique(persons)[:3])
        by_fold[fold] = np.eye(3, dtype=np.float32)[np.where(wrong, (classes + 1) % 3, classes)]
        worse[fold] = np.eye(3, dtype=np.float32)[generator.integers(3, size=len(classes))]
        truth.append(classes)
    gain = trainer.gain([by_fold, worse])
    scores = [
        f1_score(np.concatenate(truth), np.concatenate([own[1], own[2]]) @ np.arange(3), average="macro")
        for own in (by_fold, worse)
    ]
    assert gain.value == pytest.approx(scores[0] - scores[1]) and 0 < gain.low < gain.value < gain.high
    assert trainer.gain([worse, by_fold]).value == pytest.approx(-gain.value)
    assert trainer.gain([worse, worse]).low == 0.0


def test_for_a_loss_lower_is_better(settings, table):
    from dataclasses import replace

    hardware = find_hardware("cpu", "fp32")
    by_loss = CandidateTrainer.of(replace(settings, best_criterion="loss"), table, hardware, StopSignal())
    assert by_loss.rank(0.3) > by_loss.rank(0.4)


def test_tau_of_the_decision_is_resolved_by_the_classes_of_the_training_images(settings, table):
    run = replace(settings, decision_args={"tau": 1.0})
    trainer = CandidateTrainer.of(run, table, find_hardware("cpu", "fp32"), StopSignal())
    shares = np.bincount(trainer.table.classes()) / len(trainer.table)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 200).astype(np.float32)
    expected = np.argmax(probabilities / shares, axis=1)
    np.testing.assert_array_equal(trainer.decide(probabilities), expected)
    assert (expected != np.argmax(probabilities, axis=1)).any()
    assert trainer.train("none", {}, 0, 1) is not None


def test_the_time_ends_a_training(trainer):
    with stop_after(trainer.stop, 0.0):
        while trainer.stop.received is None:
            time.sleep(0.01)
        assert trainer.train("a", {}, 0, 50) is None
    other = StopSignal()
    with stop_after(other, 30):
        pass
    assert other.received is None
