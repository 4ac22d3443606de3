"""Whoever names an epoch metric takes it from the one table: a metric that is added there reaches all of them."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import train
from jobs.requests.tuning import Search, tuning_config
from jobs.spec.console import MetricTable
from jobs.spec.metrics import metric_definitions
from model.artifacts.metadata import read_settings_and_metrics
from model.artifacts.provenance import MemberProvenance
from model.metrics import epoch_metrics
from model.metrics.epoch_metrics import (
    CRITERIA,
    EPOCH_METRICS,
    EpochMetric,
    attribute_assignments,
    metrics_of_line,
    metrics_of_table,
    reported,
)
from model.metrics.scores import SCORES
from model.settings.cli import help_text
from model.settings.train import TrainSettings
from model.training.tracking.base import curves
from model.training.tracking.console import metric_line

ADDED = EpochMetric(
    "val_recall", "mean of recalls", "score/recall", higher_is_better=True, score="mean_recall", header="recall"
)
SMALL = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
SMALL += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--target", "gender"]
SMALL += ["--best_criterion", "recall", "--scheduler", "ReduceLROnPlateau", "--validation", "0.5"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def added(faces, tmp_path_factory) -> dict[str, Any]:
    """What has come of a score and a metric of it that are added while the process runs, and of a training by it."""
    models, terminal = tmp_path_factory.mktemp("added") / "runs", Terminal()
    handler, log = logging.StreamHandler(terminal), logging.getLogger("rarebird")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SAGEMAKER_BASE_DIR", str(models / "no-tree"))
        patched.setitem(SCORES, "mean_recall", lambda counts: counts.recall.mean(axis=-1))
        patched.setitem(EPOCH_METRICS, ADDED.name, ADDED)
        patched.setattr(sys, "stdout", terminal)
        level = log.level
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        try:
            assert train.main([*SMALL, "--train_dir", str(faces / "train"), "--model_dir", str(models)]) == 0
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
        run = models / "exp"
        metrics = json.loads((run / "metrics.json").read_text())
        (record,) = metrics["history"]
        line = metric_line(record)
        regex = next(entry["Regex"] for entry in metric_definitions() if entry["Name"] == "val_recall")
        return {
            "value": record["val_recall"],
            "best": metrics["validation"]["recall"],
            "macro": metrics["validation"]["per_class"]["recall"],
            "interval": metrics["validation"]["intervals"]["recall"],
            "line": line,
            "read": float(re.search(regex, line)[1]),
            "objective": tuning_config({}, Search("val_recall", 1, 1, "Bayesian", False, None)),
            "launcher": MetricTable().row(line),
            "terminal": next(text for text in terminal.getvalue().splitlines() if "train loss" in text),
            "card": (run / "README.md").read_text(),
            "curve": curves()["val_recall"],
            "provenance": MemberProvenance.of_run("m", *read_settings_and_metrics(run)).scores,
            "help": help_text(TrainSettings, "", {}),
        }


def test_training_computes_chooses_and_saves_an_added_metric(added):
    assert 0 < added["value"] < 1 and added["best"] == added["value"]
    low, high = added["interval"]
    assert low <= added["value"] <= high
    assert added["value"] == pytest.approx(sum(added["macro"]) / 2)
    assert re.search(r"gmean,\s+recall\b", added["help"]) and added["provenance"]["recall"] == added["value"]
    assert f"| mean of recalls | {added['value']:.4f} |" in re.sub(" +", " ", added["card"])
    assert "the epoch with the best recall" in added["card"]


def test_an_added_metric_is_logged_and_read_from_the_log(added):
    assert f"val_recall={added['value']:.4f};" in added["line"]
    assert added["read"] == pytest.approx(added["value"], abs=5e-5)
    assert added["objective"]["HyperParameterTuningJobObjective"] == {"Type": "Maximize", "MetricName": "val_recall"}
    assert added["curve"] == "score/recall"


def test_tables_have_an_aligned_column_for_an_added_metric(added):
    header, row = added["launcher"]
    assert header.index("val_recall") + len("val_recall") == row.index(f"{added['value']:.4f}") + 6
    assert "recall" in added["terminal"]


def test_a_removed_metric_is_gone_everywhere(added):
    assert added and "recall" not in CRITERIA and len(CRITERIA) == 4
    assert ADDED not in metrics_of_line() and ADDED not in metrics_of_table()


def test_every_metric_is_read_by_its_own_regular_expression_only():
    line = " ".join(metric.assignment(number + 1234.5) for number, metric in enumerate(metrics_of_line()))
    assert "," not in line
    for number, (metric, definition) in enumerate(zip(metrics_of_line(), metric_definitions(), strict=True)):
        (value,) = re.findall(definition["Regex"], line)
        assert definition["Name"] == metric.name and float(value) == pytest.approx(number + 1234.5, rel=0.01)


def test_the_line_and_the_table_have_every_metric_once():
    line, table = ([metric.name for metric in metrics] for metrics in (metrics_of_line(), metrics_of_table()))
    assert line[:3] == ["val_f1", "val_acc", "val_gmean"] and line[3:5] == ["val_loss", "train_loss"]
    assert table[:2] == ["train_loss", "val_loss"] and table[2:5] == ["val_f1", "val_acc", "val_gmean"]
    assert line[-2:] == table[-2:] == ["lr", "pictures_per_second"]
    assert sorted(line) == sorted(table) == sorted(EPOCH_METRICS)
    assert list(CRITERIA) == ["f1", "acc", "loss", "gmean"]
    assert all(metric.higher_is_better is not None for metric in CRITERIA.values())


def test_a_metric_on_request_is_reported_if_it_is_the_criterion():
    assert [name for name in CRITERIA if CRITERIA[name].on_request] == ["gmean"]
    assert reported("val_gmean", "gmean") and not reported("val_gmean", "f1")
    assert reported("val_f1", "gmean") and reported("epoch", "f1")
    assert "val_gmean" in curves() and "val_gmean" in curves("gmean") and "val_gmean" not in curves("f1")
    assert {"epoch", "lr", "val_f1", "val_acc", "val_loss", "train_loss"} < curves("f1").keys()


def test_the_table_imports_nothing_of_the_project():
    tree = ast.parse(Path(epoch_metrics.__file__).read_text(encoding="utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported == ["__future__", "collections.abc", "dataclasses"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


@pytest.mark.parametrize(
    "attribute", ["mask", "val", "f1", "x val_f1=0.5; ", "val_f1", "lr", "train_loss", "나이", "-"]
)
def test_no_expression_reads_the_score_of_an_attribute(attribute):
    scores = {attribute: {"f1": 0.25, "accuracy": 0.5}}
    (added,) = attribute_assignments(scores)
    assert added.endswith("=0.2500;") and added.startswith("val_f1_") and " " not in added
    line = " ".join(metric.assignment(0.75) for metric in metrics_of_line())
    for definition in metric_definitions():
        assert len(re.findall(definition["Regex"], f"epoch=1 {line} {added}")) == 1
