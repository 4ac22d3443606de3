from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.attributes import Attribute
from model.data.channel import read_channel
from model.errors import Problems
from model.labels import Scheme
from model.metrics.epoch_metrics import EPOCH_METRICS
from model.training.tracking.base import Tracker, curves
from model.training.validation import Validation


def test_scalars_are_the_metrics_of_the_epoch_and_f1_by_class(validation, epoch_result):
    """By hand: both images of 발색샷 are answered as 착용샷, which has no image of its own."""
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
    assert set(epoch_result(4, validation).figures("full")) == {"confusion", "mistakes"}
    assert set(epoch_result(4, validation, better=False).figures("full")) == {"confusion"}
    assert epoch_result(4).figures("full") == {}


def test_figures_are_drawn_once_for_each_kind_of_thumbnails(validation, epoch_result):
    result = epoch_result(4, validation)
    assert result.figures("full")["mistakes"] is result.figures("full")["mistakes"]
    assert result.figures("none")["mistakes"].image is None and result.figures("full")["mistakes"].image is not None


def test_the_base_class_does_nothing(validation, epoch_result, at_step):
    tracker = Tracker()
    tracker.begin(0)
    tracker.step(at_step(2), 1.0)
    tracker.epoch(epoch_result(4))
    tracker.close(failed=False)
    assert vars(tracker) == {}


def test_attributes_have_curves_and_a_hierarchy_no_curve_of_each_combination(faces, epoch_result):
    table = read_channel(faces / "train", Problems(""))
    validation = Validation(table, np.full((len(table), 18), 1 / 18, np.float32), table.classes(), 0.5)
    result = epoch_result(4, validation)
    assert result.scalars["macro_f1/mask"] == result.scalars["accuracy/age"] == 1
    assert "f1/worn/male/under 30" in result.scalars and "confusion" in result.figures("full")
    values = tuple(f"v{code}" for code in range(40))
    scheme = Scheme((Attribute("mask", values), Attribute("gender", values))).occurring(table.codes())
    large = replace(validation, table=replace(table, scheme=scheme), answers=np.zeros(len(table), np.int64))
    result = epoch_result(4, large, better=False)
    assert "macro_f1/gender" in result.scalars and not [name for name in result.scalars if name.startswith("f1/")]
    assert result.figures("full") == {}
