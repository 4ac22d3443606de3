from __future__ import annotations

import pytest

from model.metrics.epoch_metrics import EPOCH_METRICS
from model.training.tracking.base import Tracker, curves


def test_scalars_are_the_metrics_of_the_epoch_and_f1_by_class(validation, epoch_result):
    """By hand: both pictures of 발색샷 are answered as 착용샷, which has no picture of its own."""
    assert epoch_result(4).scalars == {"epoch": 1, "loss/train": 0.5, "lr": 0.001, "pictures_per_second": 99}
    scalars = epoch_result(4, validation).scalars
    assert {name: value for name, value in scalars.items() if name.startswith("f1/")} == {
        "f1/미분류": 1,
        "f1/발색샷": 0,
        "f1/설치/후": 1,
    }
    assert (scalars["score/macro_f1"], scalars["loss/validation"]) == pytest.approx((0.7, 0.6))


def test_every_metric_has_a_curve_of_its_own():
    assert len(set(curves().values())) == len(EPOCH_METRICS) + 1


def test_mistakes_are_shown_of_the_best_weights_only(validation, epoch_result):
    assert set(epoch_result(4, validation).figures) == {"confusion", "mistakes"}
    assert set(epoch_result(4, validation, better=False).figures) == {"confusion"}
    assert epoch_result(4).figures == {}


def test_the_base_class_does_nothing(validation, epoch_result, at_step):
    tracker = Tracker()
    tracker.begin(0)
    tracker.step(at_step(2), 1.0)
    tracker.epoch(epoch_result(4))
    tracker.close(failed=False)
    assert vars(tracker) == {}
