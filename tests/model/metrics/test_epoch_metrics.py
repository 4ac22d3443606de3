"""Whoever names an epoch metric takes it from the one table: a metric that is added there reaches all of them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from model.metrics import epoch_metrics
from model.metrics.epoch_metrics import CRITERIA, EPOCH_METRICS, EPOCH_TABLE, METRIC_LINE

ROOT = Path(__file__).resolve().parents[3]

# Puts one entry into the table before anything else imports it, and trains by it; prints what has come of it as JSON.
ADD_A_METRIC = """
import io, json, logging, re, sys, types
from pathlib import Path

channel, models = sys.argv[1:]
path = Path("model/metrics/epoch_metrics.py")
entry = 'EpochMetric("val_balanced_accuracy", "balanced accuracy", "score/balanced_accuracy", higher_is_better=True, '
entry += 'score="balanced_accuracy"),'
source = path.read_text().replace("EPOCH_METRICS = (", "EPOCH_METRICS = (" + entry, 1)
module = types.ModuleType("model.metrics.epoch_metrics")
sys.modules[module.__name__] = module
exec(compile(source, str(path), "exec"), vars(module))

import train
from jobs.requests.tuning import Search, tuning_config
from jobs.spec.console import MetricTable
from jobs.spec.metrics import metric_definitions
from model.artifacts.provenance import SCORES
from model.settings.cli import help_text
from model.settings.train import TrainSettings
from model.training.tracking.base import CURVES
from model.training.tracking.console import metric_line

small = "--model resnet10t --pretrained false --input_size 32 24 --batch_size 32 --epochs 1 --num_workers 0".split()
small += "--device cpu --precision fp32 --target gender".split()
small += "--best_criterion balanced_accuracy --scheduler ReduceLROnPlateau".split()
terminal = io.StringIO()
terminal.isatty = lambda: True
log = logging.getLogger("rarebird")
log.addHandler(logging.StreamHandler(terminal))
log.setLevel("INFO")
sys.stdout, stdout = terminal, sys.stdout
assert train.main([*small, "--train_dir", channel, "--model_dir", models]) == 0
sys.stdout = stdout
run = Path(models) / "exp"
metrics = json.loads((run / "metrics.json").read_text())
(record,) = metrics["history"]
line = metric_line(record)
regex = next(entry["Regex"] for entry in metric_definitions() if entry["Name"] == "val_balanced_accuracy")
objective = tuning_config({}, Search("val_balanced_accuracy", 1, 1, "Bayesian", False, None))
print(json.dumps({
    "value": record["val_balanced_accuracy"],
    "best": metrics["validation"]["balanced_accuracy"],
    "interval": metrics["validation"]["intervals"]["balanced_accuracy"],
    "line": line,
    "read": float(re.search(regex, line)[1]),
    "objective": objective["HyperParameterTuningJobObjective"],
    "launcher": MetricTable().row(line),
    "terminal": next(text for text in terminal.getvalue().splitlines() if "train loss" in text),
    "card": (run / "README.md").read_text(),
    "curve": CURVES["val_balanced_accuracy"],
    "provenance": SCORES,
    "help": help_text(TrainSettings, "", {}),
}))
"""


@pytest.fixture(scope="module")
def added(faces, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("added")
    command = [sys.executable, "-c", ADD_A_METRIC, str(faces / "train"), str(folder / "runs")]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "SAGEMAKER_BASE_DIR": str(folder / "no-tree")}
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_training_computes_chooses_and_saves_an_added_metric(added):
    assert 0 < added["value"] < 1 and added["best"] == added["value"]
    low, high = added["interval"]
    assert low <= added["value"] <= high
    assert re.search(r"balanced_accuracy\b.*\n", added["help"]) and "balanced_accuracy" in added["provenance"]
    assert f"| balanced accuracy | {added['value']:.4f} |" in re.sub(" +", " ", added["card"])
    assert "scored best by balanced_accuracy" in added["card"]


def test_an_added_metric_is_logged_and_read_from_the_log(added):
    assert f"val_balanced_accuracy={added['value']:.4f};" in added["line"]
    assert added["read"] == pytest.approx(added["value"], abs=5e-5)
    assert added["objective"] == {"Type": "Maximize", "MetricName": "val_balanced_accuracy"}
    assert added["curve"] == "score/balanced_accuracy"


def test_tables_have_an_aligned_column_for_an_added_metric(added):
    header, row = added["launcher"]
    assert header.index("balanced accuracy") + len("balanced accuracy") == row.index(f"{added['value']:.4f}") + 6
    assert "balanced accuracy" in added["terminal"]


def test_every_metric_is_read_by_its_own_regular_expression_alone():
    from jobs.spec.metrics import metric_definitions

    line = " ".join(metric.assignment(number + 1234.5) for number, metric in enumerate(METRIC_LINE))
    assert "," not in line
    for number, (metric, definition) in enumerate(zip(METRIC_LINE, metric_definitions(), strict=True)):
        (value,) = re.findall(definition["Regex"], line)
        assert definition["Name"] == metric.name and float(value) == pytest.approx(number + 1234.5, rel=0.01)


def test_the_line_and_the_table_have_every_metric_once():
    names = sorted(metric.name for metric in EPOCH_METRICS)
    assert sorted(metric.name for metric in METRIC_LINE) == sorted(metric.name for metric in EPOCH_TABLE) == names
    assert list(CRITERIA) == ["f1", "acc", "loss", "gmean"]
    assert all(metric.higher_is_better is not None for metric in CRITERIA.values())


def test_the_table_imports_nothing_of_the_project():
    tree = ast.parse(Path(epoch_metrics.__file__).read_text(encoding="utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported == ["__future__", "dataclasses"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
