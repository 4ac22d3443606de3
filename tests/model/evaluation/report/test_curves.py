"""Curves as SVG coordinates."""

import pytest

from model.evaluation.asked import Asked, AskedScores
from model.evaluation.coverage import CoveragePoint
from model.evaluation.report.curves import HEIGHT, WIDTH, coverage_chart, learning_curves, make_axis, path, risk_chart
from model.metrics.bootstrap import Interval


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.83, 1.0, ["0.8", "0.85", "0.9", "0.95", "1"]),
        (0, 2.55, ["0", "1", "2", "3"]),
        (0.31, 0.34, ["0.31", "0.32", "0.33", "0.34"]),
        (0, 0, ["0", "0.25"]),
        (12, 1234, ["0", "500", "1000", "1500"]),
    ],
)
def test_an_axis_has_round_ticks_around_its_values(low, high, ticks):
    axis = make_axis(low, high)
    assert [text for _, text in axis.ticks] == ticks and axis.low <= low <= high <= axis.high
    assert (axis.ticks[0][0], axis.ticks[-1][0]) == pytest.approx((HEIGHT, 0))


def test_coverage_increases_to_the_right_and_accuracy_upward():
    points = [
        CoveragePoint(0.5, 10, 0.9, Interval(1.0, 0.9, 1.0)),
        CoveragePoint(1.0, 20, 0.5, Interval(0.8, 0.7, 0.9)),
    ]
    chart = coverage_chart(points)
    assert [text for _, text in chart.axis.ticks] == ["70", "80", "90", "100"]
    assert chart.dots == [pytest.approx((WIDTH / 2, 0)), pytest.approx((WIDTH, HEIGHT * 2 / 3))]
    assert chart.line == "M140.0 0.0L280.0 120.0" and chart.band == "M140.0 0.0L280.0 60.0L280.0 180.0L140.0 60.0Z"
    assert coverage_chart([]) is None
    assert coverage_chart([CoveragePoint(1.0, 20, 0.5, Interval(0.8))]).band == ""


def test_the_error_is_1_minus_the_accuracy_and_asking_a_person_has_a_mark():
    points = [
        CoveragePoint(0.5, 10, 0.9, Interval(1.0, 0.9, 1.0)),
        CoveragePoint(1.0, 20, 0.5, Interval(0.8, 0.7, 0.9)),
    ]
    asked = Asked(AskedScores(20, 15, Interval(0.2), Interval(0.15), Interval(0.75)), {})
    chart = risk_chart(points, asked)
    assert [text for _, text in chart.axis.ticks] == ["0", "10", "20", "30"]
    assert chart.dots == [pytest.approx((WIDTH / 2, HEIGHT)), pytest.approx((WIDTH, HEIGHT / 3))]
    assert chart.band == "M140.0 120.0L280.0 0.0L280.0 120.0L140.0 180.0Z"
    assert chart.mark == pytest.approx((0.75 * WIDTH, HEIGHT / 2))
    nobody = Asked(AskedScores(20, 0, Interval(0.2), None, Interval(0.0)), {})
    assert risk_chart(points, nobody).mark is None
    assert risk_chart(points, None) is None and risk_chart([], asked) is None


def test_scores_and_losses_have_a_chart_each_and_the_epoch_of_the_weights():
    history = [{"epoch": n, "train_loss": 2.0 / n, "val_loss": 1.0, "val_f1": n / 4, "val_acc": 0.5} for n in (1, 2, 3)]
    scores, losses = learning_curves(history, best=2)
    assert [label for label, _, _ in scores.lines] == ["macro F1", "accuracy"] and scores.best == WIDTH / 2
    assert [(label, own) for label, own, _ in losses.lines] == [("train loss", False), ("val loss", True)]
    assert losses.lines[0][2] == path([(0, 0), (140, 90), (280, 120)]) and losses.axis.low == 0
    assert [text for _, text in scores.epochs] == ["1", "2", "3"]


def test_without_validation_only_the_loss_is_drawn_and_one_epoch_is_no_curve():
    (losses,) = learning_curves([{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.0}], best=2)
    assert losses.title == "Losses" and losses.best is None
    assert learning_curves([{"epoch": 1, "train_loss": 2.0}], 1) == [] == learning_curves([], 0)
