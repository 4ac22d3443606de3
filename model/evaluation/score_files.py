"""Scores read from the files that jobs write: evaluation.json, and metrics.json of a saved model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.artifacts.files import METRICS
from model.evaluation.files import EVALUATION_JSON
from model.metrics.epoch_metrics import CRITERIA

Scores = dict[str, dict[str, float | None]]  # by name: value, low and high; the bounds are None without an interval


def scores_among(details: Mapping[str, Any]) -> Scores:
    """The scores among the entries of the block `rarebird` of evaluation.json."""
    return {name: entry for name, entry in details.items() if isinstance(entry, dict) and "value" in entry}


def scores_of_training(model: Path | None, report: Path | None) -> Scores:
    """Scores on the held-out images of a training, by their names in evaluation.json.

    Args:
        model: Folder of the saved model, whose metrics.json is read if there is no report; None if there is no model.
        report: report.html on the held-out images, next to its evaluation.json; None if there is none.
    """
    if report is not None:
        return scores_among(_read(report.with_name(EVALUATION_JSON))["rarebird"])
    if model is None or not (model / METRICS).is_file():
        return {}
    validation = _read(model / METRICS)["validation"] or {}
    intervals, scores = validation.get("intervals", {}), {}
    for name, metric in CRITERIA.items():
        if metric.score and name in validation:
            low, high = intervals.get(name, (None, None))
            scores[metric.score] = {"value": validation[name], "low": low, "high": high}
    return scores


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
