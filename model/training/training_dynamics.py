"""Training dynamics: how probable each training image's given label was in the epochs of a training.

Swayamdipta et al., Dataset Cartography: Mapping and Diagnosing Datasets with Training Dynamics, EMNLP 2020. A low mean
suggests a wrong label, a high standard deviation an image that is hard to learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from model.data.table import Table
from model.errors import InputError
from model.network.heads import Heads
from model.network.probabilities import head_log_probabilities
from model.runtime import distributed
from model.settings.train import TrainSettings
from model.training.mixing import make_mixing
from model.training.targets import Targets

TRAINING_DYNAMICS_CSV = "training_dynamics.csv"  # next to split.csv


class TrainingDynamics(nn.Module):
    """Mean and deviation over epochs of the probability of each training image's given label, for each head.

    The probabilities are those of the forward passes of training, with augmentation and dropout. Mixed images are not
    recorded. An image that is drawn several times in an epoch counts once, with the mean of its probabilities; in an
    epoch in which it is not drawn, it does not count. All processes hold the records of all.

    Args:
        heads: The heads of the network.
        table: The training images.
    """

    def __init__(self, heads: Heads, table: Table) -> None:
        super().__init__()
        self.heads, self.table = heads, table
        for name in ("sums", "draws", "means", "squares", "epochs"):
            self.register_buffer(name, torch.zeros(len(table), len(heads.heads), dtype=torch.float64))

    sums: Tensor  # of the current epoch, float64 (n, heads)
    draws: Tensor  # in the current epoch
    means: Tensor  # over epochs
    squares: Tensor  # sum of squared differences from the mean
    epochs: Tensor  # in which the image was drawn

    @torch.no_grad()
    def record(self, logits: Tensor, targets: Targets, is_mixed: bool = False) -> None:
        """Records a batch. Must be called on every process, with equally many images.

        Args:
            logits: Logits of all heads, (N, outputs).
            targets: Targets of the N images.
            is_mixed: Whether this process has mixed its images, which are then not recorded.
        """
        parts = zip(self.heads.heads, self.heads.split(logits), targets.classes)
        given = [
            head_log_probabilities(head, part).gather(1, classes.clamp_min(0)[:, None])[:, 0].exp()
            for head, part, classes in parts
        ]
        labelled = (torch.stack(targets.classes, 1) >= 0) & (not is_mixed)
        probabilities = torch.stack(given, 1).double() * labelled
        rows, probabilities, labelled = map(distributed.gather_rows, (targets.rows, probabilities, labelled.double()))
        self.sums.index_add_(0, rows, probabilities)
        self.draws.index_add_(0, rows, labelled)

    def end_epoch(self) -> None:
        """Adds the current epoch to the moments (Welford's algorithm)."""
        drawn = self.draws > 0
        values = self.sums / self.draws.clamp_min(1)
        self.epochs += drawn
        difference = (values - self.means) * drawn
        self.means += difference / self.epochs.clamp_min(1)
        self.squares += difference * (values - self.means)
        self.sums.zero_()
        self.draws.zero_()

    def frame(self) -> pd.DataFrame:
        """The content of training_dynamics.csv: one row for each label of each training image.

        Columns: image, group, attribute (name of the head), label (given), mean, std (over epochs, divided by their
        number), epochs. Mean and std are missing if the image was never drawn.
        """
        means, squares, epochs = (values.cpu().numpy() for values in (self.means, self.squares, self.epochs))
        seen = epochs > 0
        means = np.where(seen, means, np.nan)
        deviations = np.where(seen, np.sqrt(squares / np.maximum(epochs, 1)), np.nan)
        frames = []
        codes = self.heads.targets(self.table.codes())
        for column, (head, classes) in enumerate(zip(self.heads.heads, codes)):
            rows = np.flatnonzero(classes >= 0)
            values: dict[str, Any] = {
                "image": np.array(self.table.locations.paths, dtype=object)[rows],
                "group": self.table.groups[rows],
                "attribute": head.name,
                "label": np.array(self.heads.head_scheme(head).class_names, dtype=object)[classes[rows]],
                "mean": means[rows, column],
                "std": deviations[rows, column],
                "epochs": epochs[rows, column].astype(np.int64),
            }
            frames.append(pd.DataFrame(values))
        return pd.concat(frames, ignore_index=True)


def check_dynamics(settings: TrainSettings) -> None:
    """Raises InputError if training_dynamics is set, but every batch is mixed."""
    mixing = make_mixing(settings.augmentation)
    if settings.training_dynamics and mixing is not None and mixing.p == 1:
        methods = " and ".join(mixing.alpha)
        raise InputError(
            f"training_dynamics records images that are not mixed, but {methods} mixes every batch; set its p below 1, "
            "as in {mixup: {p: 0.5}}"
        )
