"""The content of metrics.json: scores, history and circumstances of one training."""

from __future__ import annotations

import platform
from typing import Any

import timm
import torch
import torchvision

from model import __version__
from model.runtime.hardware import Hardware
from model.training.progress import Outcome


def run_metrics(outcome: Outcome, data: dict[str, Any], hardware: Hardware) -> dict[str, Any]:
    """The content of metrics.json.

    Args:
        outcome: Outcome of the training.
        data: `Datasets.summary()`.
        hardware: Where the model was trained.
    """
    progress = outcome.progress
    return {
        "finished": outcome.stopped_by is None,
        "epoch": progress.best.epoch if progress.best else progress.epoch,
        "epochs": progress.epoch,
        "validation": progress.best.metrics if progress.best else None,
        "history": progress.history,
        "data": data,
        "seconds": progress.seconds,
        "hardware": str(hardware),
        "versions": {
            "rarebird": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "timm": timm.__version__,
        },
    }
