"""Validation: the answers of a network to the validation pictures, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import nn

from model.data.image_dataset import ImageDataset, unreadable_images
from model.data.table import Table
from model.decisions import Decision
from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.images.tta import Views
from model.metrics.bootstrap import interval, resample
from model.metrics.epoch_metrics import CRITERIA
from model.metrics.scores import Counts, confusion, count_statistics, per_class, scores, scores_of
from model.network.probabilities import joint_probabilities
from model.prediction.torch_backend import TorchBackend
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.signals import Stopped, StopSignal
from model.training.criterion import Criterion, head_targets

RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Validation:
    """The answers of a network to the pictures of a table.

    Attributes:
        table: The pictures.
        probabilities: float32 (n, joint classes).
        answers: The answered class of each picture by the model's decision, int64 (n,).
        loss: The training loss over all pictures.
    """

    table: Table
    probabilities: np.ndarray
    answers: np.ndarray
    loss: float

    @cached_property
    def classes(self) -> np.ndarray:
        """The true classes, int64 (n,), negative where a label is missing."""
        return self.table.classes()

    @property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """True classes and answers of the pictures that have all labels."""
        known = self.classes >= 0
        return self.classes[known], self.answers[known]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The loss, the scores by which weights can be chosen (f1, acc, ...), and per_class."""
        num_classes = self.table.scheme.num_classes
        values = scores(*self._known, num_classes)
        by_class = per_class(*self._known, num_classes)
        return {
            "loss": self.loss,
            **{name: values[score] for name, score in _scores().items()},
            "per_class": {name: array.tolist() for name, array in by_class.items()},
        }

    def intervals(self) -> dict[str, list[float]]:
        """[low, high] of each score, from a bootstrap over the groups. These pictures also select the best epoch; the
        intervals do not account for that bias."""
        groups = pd.factorize(self.table.groups[self.classes >= 0])[0]
        statistics = count_statistics(*self._known, self.table.scheme.num_classes)
        resampled = scores_of(Counts.from_totals(resample(statistics, groups, RESAMPLES, seed=0)))
        bounds = {}
        for name, score in _scores().items():
            estimate = interval(resampled[score], CONFIDENCE)
            if estimate.low is not None and estimate.high is not None:
                bounds[name] = [estimate.low, estimate.high]
        return bounds

    @cached_property
    def confusion(self) -> np.ndarray:
        """Confusion matrix, int64 (C, C): rows true class, columns answer."""
        return confusion(*self._known, self.table.scheme.num_classes)

    def worst(self, most: int) -> np.ndarray:
        """Rows of wrong answers, int64 (at most `most`,), the most confident first."""
        wrong = np.flatnonzero((self.answers != self.classes) & (self.classes >= 0))
        return wrong[np.argsort(-self.probabilities[wrong, self.answers[wrong]], kind="stable")[:most]]


class Validator:
    """Validates a network: `validator(network)`. Each process answers its share of the pictures.

    Args:
        table: The validation pictures.
        decision: Decides the answers.
        pipeline: Makes the network's inputs.
        hardware: Where the network runs.
        criterion: The training loss, which has the heads of the network.
        batch_size: Pictures of a forward pass, over all processes.
        workers: Processes that read pictures, for each process.
        stop: Signals that end the validation early.
    """

    def __init__(
        self,
        table: Table,
        decision: Decision,
        pipeline: InputPipeline,
        hardware: Hardware,
        criterion: Criterion,
        batch_size: int,
        workers: int,
        stop: StopSignal,
    ):
        self.table, self.decision, self.pipeline, self.hardware = table, decision, pipeline, hardware
        self.criterion, self.workers, self.stop = criterion, workers, stop
        self.heads = criterion.heads
        self.rank, self.world = distributed.rank(), distributed.world()
        self.batch_size = max(1, batch_size // self.world)
        self.targets = head_targets(self.heads, table)
        if not table.has_all_labels().any():
            raise InputError(f"{table.source}: no validation picture has a label of every attribute to score it by")

    def __call__(self, network: nn.Module) -> Validation:
        """Called on every process; the validation is the same on all.

        Raises:
            Stopped: If a signal came.
            Failure: If a picture can no longer be read.
        """
        if self.world > 1:  # the statistics of batch norm differ by process; those of rank 0 are saved
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)
        network.train()  # makes some backbones drop what they cached from earlier weights
        own_logits = self._logits(network)
        for rank, rows in enumerate(distributed.gather(own_logits[self.rank :: self.world])):
            own_logits[rank :: self.world] = rows
        logits = torch.from_numpy(own_logits)
        probabilities = joint_probabilities(self.heads, logits).numpy()
        with torch.inference_mode():
            loss = self.criterion.cpu()(logits, self.targets).item()
        self.criterion.to(self.hardware.device)
        return Validation(self.table, probabilities, self.decision.classes(probabilities), loss)

    def _logits(self, network: nn.Module) -> np.ndarray:
        """Logits, float32 (n, outputs), of which only the rows of this process are filled."""
        table, size = self.table, self.batch_size
        backend = TorchBackend(network, self.heads, self.pipeline.preprocessing, self.hardware)
        pictures = ImageDataset(table.root, table.locations, Views(self.pipeline))
        rows = range(self.rank, len(table), self.world)
        items = [[(row, row) for row in rows[first : first + size]] for first in range(0, len(rows), size)]
        logits = np.empty((len(table), self.heads.outputs), np.float32)
        stopped = False
        try:
            for batch in self.stop.interruptible(backend.batches(pictures, items, self.workers)):
                if self.stop.received is not None:
                    raise Stopped
                if batch.unreadable or batch.inputs is None:
                    raise unreadable_images(pictures, batch.unreadable)
                logits[batch.rows] = backend.logits(batch.inputs.by_view())
        except Stopped:
            stopped = True
        # All processes stop together, or the others would wait in gather
        if distributed.any_rank(stopped, self.hardware.device):
            raise Stopped
        return logits


def _scores() -> dict[str, str]:
    """The names in `metrics` of the scores by which weights can be chosen, with their names in scores_of."""
    return {name: metric.score for name, metric in CRITERIA.items() if metric.score}
