"""Regular expressions with which SageMaker and the launcher's table read metrics from training's log lines."""

from __future__ import annotations

from model.metrics.epoch_metrics import metrics_of_line

NUMBER = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"


def metric_definitions() -> list[dict[str, str]]:
    """Returns SageMaker's MetricDefinitions for lines such as `epoch=3 val_f1=0.8123; ...`."""
    return [{"Name": metric.name, "Regex": rf"\b{metric.name}={NUMBER};"} for metric in metrics_of_line()]
