"""Validation: the answers of a network to the validation images, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from scipy import sparse
from torch import nn

from model.data.image_dataset import ImageDataset, unreadable_images
from model.data.table import Table
from model.decisions import Decision
from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.images.tta import Views
from model.metrics.bootstrap import resample, score_intervals
from model.metrics.epoch_metrics import ATTRIBUTE_SCORES, ATTRIBUTES, CRITERIA
from model.metrics.proportions import accuracy_interval, class_intervals, number_of_units, with_border_intervals
from model.metrics.scores import (
    NO_ANSWER,
    NO_TRUTH,
    Counts,
    confusion,
    count_statistics,
    mean_scores_of,
    per_class,
    scores_of,
    values_in_truth,
)
from model.network.probabilities import joint_probabilities
from model.prediction.torch_backend import TorchBackend
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.signals import Stopped, StopSignal
from model.training.criterion import Criterion, head_targets

RESAMPLES = 1000
CONFIDENCE = 0.95
ROWS_AT_ONCE = 256  # images whose probabilities of many classes are computed together


@dataclass(frozen=True)
class Validation:
    """The answers of a network to the images of a table.

    Attributes:
        table: The images.
        probabilities: float32 (n, joint classes).
        answers: The answered class of each image by the model's decision, int64 (n,).
        loss: The training loss over all images.
        pixel_range: By which the images were scaled, as in Preprocessing.
    """

    table: Table
    probabilities: np.ndarray
    answers: np.ndarray
    loss: float
    pixel_range: tuple[float, ...] = ()

    @cached_property
    def classes(self) -> np.ndarray:
        """The true classes, int64 (n,), negative where a label is missing."""
        return self.table.classes()

    @cached_property
    def present(self) -> np.ndarray:
        """The classes that have images, int64 ascending. gmean is over these: with one that is never right, as a
        class without images is, it would be 0 whatever the others are."""
        return np.unique(self.classes[self.classes >= 0])

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The loss, the scores by which weights can be chosen (f1, acc, ...), `attributes` if there are several, and
        per_class."""
        values = self._scores_of(self._counts(np.asarray(self._statistics.sum(axis=0))[None]))
        by_class = per_class(self.classes, self.answers, self.table.scheme.num_classes)
        by_attribute = self.by_attribute
        return {
            "loss": self.loss,
            **{name: float(values[score][0]) for name, score in _scores().items()},
            **({ATTRIBUTES: by_attribute} if by_attribute else {}),
            "per_class": {name: array.tolist() for name, array in by_class.items()},
        }

    @cached_property
    def by_attribute(self) -> dict[str, dict[str, float]]:
        """f1 (macro F1) and accuracy of each attribute by its name, as ATTRIBUTE_SCORES names them; empty if there is
        only one. If the scheme is_large, macro F1 is over the values that occur in truth."""
        by_attribute = {}
        for name, target in self._attributes.items():
            counts = Counts.from_answers(*target)
            values = scores_of(values_in_truth(counts) if self.table.scheme.is_large else counts)
            by_attribute[name] = {key: float(values[score]) for key, score in ATTRIBUTE_SCORES.items()}
        return by_attribute

    def intervals(self) -> dict[str, list[float]]:
        """[low, high] of each score that has an interval, over the groups. These images also select the best epoch;
        the intervals do not account for that bias."""
        groups = pd.factorize(self.table.groups)[0]
        units = number_of_units(groups, len(groups))
        resampled = self._scores_of(self._counts(resample(self._statistics, groups, RESAMPLES, seed=0)))
        by_class = class_intervals(self.classes, self.answers, self.table.scheme.num_classes, groups, CONFIDENCE)
        found = with_border_intervals(score_intervals(resampled, CONFIDENCE, units), by_class, CONFIDENCE)
        known = self.classes >= 0
        found["accuracy"] = accuracy_interval((self.answers == self.classes)[known], groups[known], CONFIDENCE)
        bounds = {}
        for name, score in _scores().items():
            estimate = found[score]
            if estimate.low is not None and estimate.high is not None:
                bounds[name] = [estimate.low, estimate.high]
        return bounds

    @cached_property
    def _attributes(self) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
        """True values and answered values, int64 (n,), and number of values of each attribute by its name; empty if
        there is only one."""
        scheme = self.table.scheme
        if len(scheme.attributes) < 2:
            return {}
        truth, answers = self.table.codes(), scheme.split(self.answers)
        return {one.name: (truth[one.name], answers[one.name], len(one.values)) for one in scheme.attributes}

    @cached_property
    def _statistics(self) -> sparse.csr_array:
        """A row an image, from whose sums _counts makes what the scores are computed of.

        If the scheme is_large: whether all attributes are right, as counts of one class, then the counts of each
        attribute; otherwise the counts of the joint classes.
        """
        scheme = self.table.scheme
        if not scheme.is_large:
            return count_statistics(self.classes, self.answers, scheme.num_classes)
        known = np.where(self.classes == NO_TRUTH, NO_TRUTH, 0)
        right = np.where(self.answers == self.classes, 0, NO_ANSWER)
        blocks = [count_statistics(known, right, 1)]
        blocks += [count_statistics(*target) for target in self._attributes.values()]
        return sparse.csr_array(sparse.hstack(blocks))

    def _counts(self, totals: np.ndarray) -> list[Counts]:
        """Counts, (m, C) each, of m sums of _statistics, (m, columns)."""
        sizes = [1, *(size for _, _, size in self._attributes.values())] if self.table.scheme.is_large else []
        return [
            Counts.from_totals(part) for part in np.split(totals, 3 * np.cumsum(sizes, dtype=np.int64)[:-1], axis=1)
        ]

    def _scores_of(self, counts: list[Counts]) -> dict[str, np.ndarray]:
        """The scores by name, (m,), from _counts."""
        joint, *attributes = counts
        return mean_scores_of(attributes, joint.accuracy) if attributes else scores_of(joint, self.present.tolist())

    @cached_property
    def confusion(self) -> np.ndarray:
        """Confusion matrix of the joint classes, int64 (C, C): rows true class, columns answer."""
        return confusion(self.classes, self.answers, self.table.scheme.num_classes).toarray()

    def worst(self, most: int) -> np.ndarray:
        """Rows of wrong answers, int64 (at most `most`,), the most confident first."""
        wrong = np.flatnonzero((self.answers != self.classes) & (self.classes >= 0))
        return wrong[np.argsort(-self.probabilities[wrong, self.answers[wrong]], kind="stable")[:most]]


class Validator:
    """Validates a network: `validator(network)`. Each process answers its share of the images.

    Args:
        table: The validation images.
        decision: Decides the answers.
        pipeline: Makes the network's inputs.
        hardware: Where the network runs.
        criterion: The training loss, which has the heads of the network.
        batch_size: Images of a forward pass, over all processes.
        workers: Processes that read images, for each process.
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
            raise InputError(f"{table.source}: no validation image has a label of every attribute to score it by")

    def __call__(self, network: nn.Module) -> Validation:
        """Called on every process; the validation is the same on all.

        Raises:
            Stopped: If a signal came.
            Failure: If an image can no longer be read.
        """
        if self.world > 1:  # the statistics of batch norm differ by process; those of rank 0 are saved
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)
        network.train()  # makes some backbones drop what they cached from earlier weights
        own_logits = self._logits(network)
        for rank, rows in enumerate(distributed.gather(own_logits[self.rank :: self.world])):
            own_logits[rank :: self.world] = rows
        logits = torch.from_numpy(own_logits)
        probabilities = self._probabilities(logits)
        with torch.inference_mode():
            loss = self.criterion.cpu()(logits, self.targets).item()
        self.criterion.to(self.hardware.device)
        answers = self.decision.classes(probabilities)
        return Validation(self.table, probabilities, answers, loss, self.pipeline.pixel_range)

    def _probabilities(self, logits: torch.Tensor) -> np.ndarray:
        """Joint probabilities, float32 (n, joint classes)."""
        if not self.heads.scheme.is_large:
            return joint_probabilities(self.heads, logits).numpy()
        # some rows at a time, as there may be many classes and each head has a term for each of them
        probabilities = np.empty((len(logits), self.heads.scheme.num_classes), np.float32)
        for start in range(0, len(logits), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            probabilities[rows] = joint_probabilities(self.heads, logits[rows]).numpy()
        return probabilities

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
