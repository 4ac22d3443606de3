"""What the validation pictures say of a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import nn

from model.data.loader import batches, unreadable_images
from model.data.table import Table
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.metrics.bootstrap import interval, resample
from model.metrics.scores import Counts, confusion, count_statistics, per_class, scores, scores_of
from model.network.heads import Heads
from model.prediction.predictor import Predictor
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.signals import Stopped, StopSignal
from model.training.criterion import Criterion, head_targets

SCORES = {"f1": "macro_f1", "acc": "accuracy", "gmean": "gmean_f1"}  # as best_criterion and as metrics call them
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Validation:
    """A network's answers to a table's pictures. probabilities: float32 (n, joint classes); answers: the most probable
    class, int64 (n,); loss: that of training, over all of them."""

    table: Table
    probabilities: np.ndarray
    answers: np.ndarray
    loss: float

    @cached_property
    def classes(self) -> np.ndarray:
        """The true classes, int64 (n,)."""
        return self.table.classes()

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """loss, f1, acc, gmean and per_class."""
        number = self.table.scheme.num_classes
        found = scores(self.classes, self.answers, number)
        by_class = per_class(self.classes, self.answers, number)
        return {
            "loss": self.loss,
            **{name: found[score] for name, score in SCORES.items()},
            "per_class": {name: values.tolist() for name, values in by_class.items()},
        }

    def intervals(self) -> dict[str, list[float]]:
        """[low, high] of each score, from a bootstrap over the groups. The epoch at hand was chosen by these pictures,
        for which no interval can make up."""
        groups = pd.factorize(self.table.groups)[0]
        statistics = count_statistics(self.classes, self.answers, self.table.scheme.num_classes)
        drawn = scores_of(Counts.from_totals(resample(statistics, groups, RESAMPLES, seed=0)))
        found = {name: interval(drawn[score], CONFIDENCE) for name, score in SCORES.items()}
        return {name: [of.low, of.high] for name, of in found.items() if of.low is not None and of.high is not None}

    @cached_property
    def confusion(self) -> np.ndarray:
        """Pictures by class and answer, int64 (classes, classes)."""
        return confusion(self.classes, self.answers, self.table.scheme.num_classes)

    def worst(self, most: int) -> np.ndarray:
        """Rows of wrong answers, int64 (at most `most`,), the most confident first."""
        wrong = np.flatnonzero(self.answers != self.classes)
        return wrong[np.argsort(-self.probabilities[wrong, self.answers[wrong]], kind="stable")[:most]]


class Validator:
    """Answers a table's pictures, each process its share of them. Call it with a network."""

    def __init__(
        self,
        table: Table,
        heads: Heads,
        preprocessing: Preprocessing,
        hardware: Hardware,
        criterion: Criterion,
        batch_size: int,
        workers: int,
        stop: StopSignal,
    ):
        """batch_size: pictures of a forward pass, over all processes; stop: the signals that end it early."""
        self.table, self.heads, self.preprocessing, self.hardware = table, heads, preprocessing, hardware
        self.criterion, self.workers, self.stop = criterion, workers, stop
        self.rank, self.world = distributed.rank(), distributed.world()
        self.batch_size = max(1, batch_size // self.world)
        self.targets = head_targets(heads, table)

    def __call__(self, network: nn.Module) -> Validation:
        """On every process. Stopped where a signal came; Failure where a picture cannot be read any more."""
        if self.world > 1:  # batch norm's statistics differ by process; rank 0's are those that are saved
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)
        network.train()  # which makes some backbones forget what they derived from earlier weights
        logits = self._logits(network)
        for rank, part in enumerate(distributed.gather(logits[self.rank :: self.world].numpy())):
            logits[rank :: self.world] = torch.from_numpy(part)
        probabilities = self.heads.probabilities(logits)
        with torch.inference_mode():
            loss = self.criterion.cpu()(logits, self.targets).item()
        self.criterion.to(self.hardware.device)
        return Validation(self.table, probabilities.numpy(), probabilities.argmax(1).numpy(), loss)

    def _logits(self, network: nn.Module) -> torch.Tensor:
        """float32 (n, outputs), of which this process fills in its rows."""
        table, size = self.table, self.batch_size
        predictor = Predictor(network, self.heads, self.preprocessing, self.hardware, Views(self.preprocessing))
        pictures = predictor.pictures(table.root, table.locations)
        rows = range(self.rank, len(table), self.world)
        items = [[(row, row) for row in rows[first : first + size]] for first in range(0, len(rows), size)]
        logits = torch.empty(len(table), self.heads.outputs)
        stopped = False
        try:
            loaded = batches(pictures, items, self.workers, self.hardware.device.type == "cuda")
            for batch in self.stop.outlived(loaded):
                if self.stop.received is not None:
                    raise Stopped
                if batch.unreadable or batch.pixels is None:
                    raise unreadable_images(pictures, batch.unreadable)
                logits[batch.rows] = predictor.logits(batch.pixels.flatten(0, 1)).cpu()
        except Stopped:
            stopped = True
        if distributed.any_of(stopped, self.hardware.device):
            raise Stopped
        return logits
