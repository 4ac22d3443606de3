"""Validation: the predictions of a network for the validation images, and their scores."""

from __future__ import annotations

from dataclasses import dataclass, field
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
from model.metrics.epoch_metrics import ATTRIBUTE_SCORES, ATTRIBUTES, CRITERIA, NUMBER_ERRORS
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
from model.network.number_bins import Numbers
from model.network.probabilities import joint_probabilities
from model.prediction.torch_backend import TorchBackend
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.signals import Stopped, StopSignal
from model.training.criterion import Criterion
from model.training.features import FrozenFeatures
from model.training.targets import Targets

RESAMPLES = 2000  # as evaluation.py by default, with the same seed: the same intervals for the same predictions
CONFIDENCE = 0.95
ROWS_AT_ONCE = 256  # images per step when joint probabilities of many classes are computed


@dataclass(frozen=True)
class Validation:
    """The predictions of a network for the images of a table.

    Attributes:
        table: The images.
        probabilities: float32 (n, joint classes).
        answers: The class that the model's decision selects for each image, int64 (n,).
        loss: The training loss over all images, without weights of images.
        pixel_range: Range that the pixels were scaled by, as in Preprocessing.
        numbers: Estimated numbers by attribute, float32 (n,); empty unless distributions of numbers are learned.
    """

    table: Table
    probabilities: np.ndarray
    answers: np.ndarray
    loss: float
    pixel_range: tuple[float, ...] = ()
    numbers: Numbers = field(default_factory=dict)

    @cached_property
    def classes(self) -> np.ndarray:
        """The true classes, int64 (n,), negative if a label is missing."""
        return self.table.classes()

    @cached_property
    def present(self) -> np.ndarray:
        """The classes that have images, int64 in ascending order. gmean is computed over these: a class without images
        has F1 0, which would make the geometric mean 0."""
        return np.unique(self.classes[self.classes >= 0])

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The loss, the scores that can select the best weights (f1, acc, ...), `per_class`, and `attributes` if there
        are at least two."""
        values = self._scores_of(self._counts(np.asarray(self._statistics.sum(axis=0))[None]))
        by_class = per_class(self.classes, self.answers, self.table.scheme.num_classes)
        by_attribute = self.by_attribute
        return {
            "loss": self.loss,
            **{name: float(values[score][0]) for name, score in _scores().items()},
            **({ATTRIBUTES: by_attribute} if by_attribute else {}),
            **({NUMBER_ERRORS: self.number_errors} if self.number_errors else {}),
            "per_class": {name: array.tolist() for name, array in by_class.items()},
        }

    @cached_property
    def by_attribute(self) -> dict[str, dict[str, float]]:
        """f1 (macro F1) and accuracy of each attribute by its name, with the names in ATTRIBUTE_SCORES; empty if there
        is only one attribute. If the scheme is_large, macro F1 is over the values that occur in the true labels."""
        by_attribute = {}
        for name, target in self._attributes.items():
            counts = Counts.from_answers(*target)
            values = scores_of(values_in_truth(counts) if self.table.scheme.is_large else counts)
            by_attribute[name] = {key: float(values[score]) for key, score in ATTRIBUTE_SCORES.items()}
        return by_attribute

    @cached_property
    def number_errors(self) -> dict[str, float]:
        """Mean absolute error of each estimated number by attribute, over the images with a true one."""
        errors = {}
        for name, estimated in self.numbers.items():
            if name in self.table.numbers and self.table.numbers[name].notna().any():
                errors[name] = float(np.nanmean(np.abs(estimated - self.table.numbers[name].to_numpy())))
        return errors

    def intervals(self) -> dict[str, list[float]]:
        """[low, high] of each score that has an interval, resampled by group. The same images select the best epoch;
        the intervals do not account for that bias."""
        groups = pd.factorize(self.table.groups)[0]
        units = number_of_units(groups, len(groups))
        resampled = self._resampled_scores(groups)
        by_class = class_intervals(self.classes, self.answers, self.table.scheme.num_classes, groups, CONFIDENCE)
        intervals = with_border_intervals(score_intervals(resampled, CONFIDENCE, units), by_class, CONFIDENCE)
        known = self.classes >= 0
        intervals["accuracy"] = accuracy_interval((self.answers == self.classes)[known], groups[known], CONFIDENCE)
        bounds = {}
        for name, score in _scores().items():
            estimate = intervals[score]
            if estimate.low is not None and estimate.high is not None:
                bounds[name] = [estimate.low, estimate.high]
        return bounds

    def resampled(self) -> dict[str, np.ndarray]:
        """Each score that can select the best weights, over the images and over bootstrap resamples of their groups,
        (1 + RESAMPLES,). Of two validations of the same images, the resamples are the same."""
        scores = self._resampled_scores(pd.factorize(self.table.groups)[0])
        return {name: scores[score] for name, score in _scores().items()}

    def _resampled_scores(self, groups: np.ndarray) -> dict[str, np.ndarray]:
        """The scores by name in scores_of, (1 + RESAMPLES,). groups: number of the group of each image, int64 (n,)."""
        return self._scores_of(self._counts(resample(self._statistics, groups, RESAMPLES, seed=0)))

    @cached_property
    def _attributes(self) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
        """True values, predicted values, int64 (n,) each, and number of values of each attribute by its name; empty if
        there is only one attribute."""
        scheme = self.table.scheme
        if len(scheme.attributes) < 2:
            return {}
        truth, answers = self.table.codes(), scheme.split(self.answers)
        return {one.name: (truth[one.name], answers[one.name], len(one.values)) for one in scheme.attributes}

    @cached_property
    def _statistics(self) -> sparse.csr_array:
        """One row of counts per image. _counts turns sums of these rows into the Counts that scores are computed from.

        A row has the counts of the joint classes. If the scheme is_large, it has instead the counts of one class
        (whether all attributes are right), followed by the counts of each attribute.
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
        """Converts m sums of _statistics, (m, columns), to Counts, (m, C) each."""
        sizes = [1, *(size for _, _, size in self._attributes.values())] if self.table.scheme.is_large else []
        return [
            Counts.from_totals(part) for part in np.split(totals, 3 * np.cumsum(sizes, dtype=np.int64)[:-1], axis=1)
        ]

    def _scores_of(self, counts: list[Counts]) -> dict[str, np.ndarray]:
        """The scores by name, (m,), from the output of _counts."""
        joint, *attributes = counts
        return mean_scores_of(attributes, joint.accuracy) if attributes else scores_of(joint, self.present.tolist())

    @cached_property
    def confusion(self) -> np.ndarray:
        """Confusion matrix of the joint classes, int64 (C, C): rows are true classes, columns predictions."""
        return confusion(self.classes, self.answers, self.table.scheme.num_classes).toarray()

    def worst(self, most: int) -> np.ndarray:
        """Rows of wrong predictions, int64 (at most `most`,), by decreasing confidence."""
        wrong = np.flatnonzero((self.answers != self.classes) & (self.classes >= 0))
        return wrong[np.argsort(-self.probabilities[wrong, self.answers[wrong]], kind="stable")[:most]]


class Validator:
    """Validates a network: `validator(network)`. Each process predicts its share of the images.

    Args:
        table: The validation images.
        decision: Rule that selects the class from probabilities.
        pipeline: Makes the network's inputs.
        hardware: Where the network runs.
        criterion: The training loss, with the heads of the network.
        batch_size: Images per forward pass, summed over all processes.
        workers: Number of processes that read images, for each training process.
        stop: Signals that end the validation early.
        features: Features that are read instead of images; None to read images.
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
        features: FrozenFeatures | None = None,
    ):
        self.table, self.decision, self.pipeline, self.hardware = table, decision, pipeline, hardware
        self.criterion, self.workers, self.stop, self.features = criterion, workers, stop, features
        self.heads = criterion.heads
        self.rank, self.world = distributed.rank(), distributed.world()
        self.batch_size = max(1, batch_size // self.world)
        self.targets = Targets.of(self.heads, table)
        if not table.has_all_labels().any():
            raise InputError(
                f"{table.source}: no validation image can be scored, because each lacks the label of an attribute"
            )

    def __call__(self, network: nn.Module) -> Validation:
        """Must be called on every process; returns the same validation on all.

        Raises:
            Stopped: If a signal arrived.
            Failure: If an image can no longer be read.
        """
        # batch norm's statistics differ by process: use those of rank 0, which are saved
        if self.world > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)
        network.train()  # some backbones then drop values that they cached from earlier weights
        # logits of all images, collected from all processes
        own_logits = self._logits(network)
        for rank, rows in enumerate(distributed.gather(own_logits[self.rank :: self.world])):
            own_logits[rank :: self.world] = rows
        logits = torch.from_numpy(own_logits)
        # probabilities, loss and predicted classes
        probabilities = self._probabilities(logits)
        with torch.inference_mode():
            loss = self.criterion.eval().cpu()(logits, self.targets).item()
        self.criterion.train().to(self.hardware.device)
        answers = self.decision.classes(probabilities)
        numbers = self.heads.numbers(own_logits) if self.heads.number_names else {}
        return Validation(self.table, probabilities, answers, loss, self.pipeline.pixel_range, numbers)

    def _probabilities(self, logits: torch.Tensor) -> np.ndarray:
        """Joint probabilities, float32 (n, joint classes)."""
        if not self.heads.scheme.is_large:
            return joint_probabilities(self.heads, logits).numpy()
        # in blocks of rows to limit memory: each head has an array of rows x joint classes
        probabilities = np.empty((len(logits), self.heads.scheme.num_classes), np.float32)
        for start in range(0, len(logits), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            probabilities[rows] = joint_probabilities(self.heads, logits[rows]).numpy()
        return probabilities

    def _logits(self, network: nn.Module) -> np.ndarray:
        """Logits, float32 (n, outputs). Only the rows of this process are filled in."""
        table, size = self.table, self.batch_size
        backend = TorchBackend(network, self.heads, self.pipeline.preprocessing, self.hardware)
        pictures = ImageDataset.of_table(table, Views(self.pipeline), self.pipeline)
        rows = range(self.rank, len(table), self.world)
        items = [[(row, row) for row in rows[first : first + size]] for first in range(0, len(rows), size)]
        if self.features is not None:
            loaded = self.features.batches("validation", items)
        else:
            loaded = backend.batches(pictures, items, self.workers)
        logits = np.empty((len(table), self.heads.outputs), np.float32)
        stopped = False
        try:
            for batch in self.stop.interruptible(loaded):
                if self.stop.received is not None:
                    raise Stopped
                if batch.unreadable or batch.inputs is None:
                    raise unreadable_images(pictures, batch.unreadable)
                logits[batch.rows] = backend.logits(batch.inputs.by_view())
        except Stopped:
            stopped = True
        # All processes stop together, as the others would wait in gather
        if distributed.any_rank(stopped, self.hardware.device):
            raise Stopped
        return logits


def _scores() -> dict[str, str]:
    """Scores that can select the best weights: their names in scores_of by their names in `metrics`."""
    return {name: metric.score for name, metric in CRITERIA.items() if metric.score}
