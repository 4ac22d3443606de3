"""Kept epochs: the weights of the last epochs of a training, each in a file that `python -m model average` takes.

A file is safetensors with the weights that a saved model would have after this epoch; its metadata has the settings,
labels, preprocessing, decision and metrics as JSON. It is not a saved model's folder: what looks for models below a
folder does not find it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from model.artifacts.files import DECISION, LABELS, METRICS, PREPROCESSING, SETTINGS
from model.artifacts.learnt_from import LearntFrom, write_learnt_from
from model.artifacts.provenance import portable_settings
from model.artifacts.saved_model import SavedModel, write_weights
from model.atomic_write import remove_parts
from model.data.datasets import Datasets
from model.decisions import decision_from_dict
from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.labels import Scheme
from model.network.heads import Heads
from model.runtime.hardware import Hardware
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.progress import Best, Outcome, Progress, on_cpu
from model.training.run_metrics import run_metrics

FIRST, SUFFIX = "epoch-", ".safetensors"  # of the names of the files
PARTS = (SETTINGS, LABELS, PREPROCESSING, DECISION, METRICS)  # in the metadata, named like the files of a saved model


def epoch_file(folder: Path, epoch: int) -> Path:
    """The file of an epoch. epoch: from 1."""
    return folder / f"{FIRST}{epoch:04d}{SUFFIX}"


class KeptEpochs:
    """Writes the weights of each epoch, and removes those of epochs before the last `keep_epochs`.

    Args:
        folder: Folder of the files.
        outcome: What is saved with the weights; its own weights and progress are not used.
        datasets: Images of the run.
        hardware: Where the model is trained.
    """

    def __init__(self, folder: Path, outcome: Outcome, datasets: Datasets, hardware: Hardware):
        self.folder, self.outcome, self.hardware = folder, outcome, hardware
        self.data = datasets.summary()
        self.learnt_from = LearntFrom.of(datasets)

    def save(self, progress: Progress, metrics: Mapping[str, Any], network: nn.Module) -> None:
        """Writes the weights after an epoch. A resumed run writes the same file again.

        Args:
            progress: Position of the run; the epoch is finished.
            metrics: Validation.metrics of the epoch; empty without validation.
            network: The network that was validated, with averaged weights if `ema` is set.
        """
        epoch, parts = progress.epoch, self.outcome
        # the description of a saved model whose best epoch is this one
        best = Best(epoch, 0.0, dict(metrics), {}) if metrics else None
        outcome = replace(parts, weights=on_cpu(network.state_dict()), progress=replace(progress, best=best))
        contents = {
            SETTINGS: portable_settings(parts.settings),
            LABELS: parts.heads.to_dict(),
            PREPROCESSING: parts.pipeline.to_dict(),
            DECISION: parts.decision.to_dict(),
            METRICS: run_metrics(outcome, self.data, self.hardware),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_parts(self.folder)
        write_learnt_from(self.folder, self.learnt_from)
        arrays = {name: value.numpy() for name, value in outcome.weights.items()}
        metadata = {name: json.dumps(content, ensure_ascii=False) for name, content in contents.items()}
        write_weights(epoch_file(self.folder, epoch), arrays, metadata)
        # older epochs, and later ones of a run of the same name that was started from scratch
        window = range(epoch - parts.settings.keep_epochs + 1, epoch + 1)
        kept = {epoch_file(self.folder, number) for number in window}
        for path in self.folder.glob(f"{FIRST}*{SUFFIX}"):
            if path not in kept:
                path.unlink()


def read_epoch(path: Path) -> SavedModel:
    """The saved model of a kept epoch, without its network; its folder is the path of the file.

    Raises:
        InputError: The file is unreadable, or it is not a kept epoch.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: unreadable: {error}") from None
    if missing := [name for name in PARTS if name not in metadata]:
        raise InputError(
            f"{path}: is not a kept epoch, because its metadata lacks {', '.join(missing)}; expected a saved model, or "
            f"{FIRST}*{SUFFIX} that a training with --keep_epochs wrote"
        )
    try:
        settings, labels, preprocessing, decision, metrics = (json.loads(metadata[name]) for name in PARTS)
        heads = Heads.from_dict(Scheme.from_dict(labels), labels)
        return SavedModel(
            path,
            build(TrainSettings, [Layer(f"{SETTINGS}: {{}}", settings)]),
            heads,
            InputPipeline.from_dict(preprocessing),
            metrics,
            decision_from_dict(decision, heads.scheme.num_classes),
        )
    except (InputError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
