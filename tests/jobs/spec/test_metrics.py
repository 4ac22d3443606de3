"""The regular expressions of metrics match training's lines."""

from __future__ import annotations

import re

from jobs.spec.metrics import metric_definitions
from model.metrics.epoch_metrics import metrics_of_line


def test_metric_definitions_read_trainings_lines():
    from model.training.tracking.console import metric_line

    entry = {
        "epoch": 3,
        "val_f1": 0.8123,
        "val_acc": 0.9,
        "val_gmean": 0.0,
        "val_loss": 1.25,
        "train_loss": 2.5,
        "lr": 2e-05,
        "pictures_per_second": 57.04,
    }
    line = metric_line(entry)
    matches = {metric["Name"]: re.search(metric["Regex"], line) for metric in metric_definitions()}
    assert {name: float(match[1]) for name, match in matches.items() if match} == {
        **{metric.name: entry[metric.name] for metric in metrics_of_line()},
        "pictures_per_second": 57.0,
    }
