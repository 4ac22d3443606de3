"""model/training/tracking/tensorboard.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from model.settings.fields import as_dict
from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import SCALARS, EpochResult, Tracker, log


class TensorBoard(Tracker):
    """Event files in a folder. ImportError where the package tensorboard is missing."""

    name = "TensorBoard"

    def __init__(self, folder: Path, settings: TrainSettings):
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.settings = folder, settings
        self._open = SummaryWriter

    def begin(self, first: int) -> None:
        self.writer = self._open(str(self.folder), purge_step=first)
        every = as_dict(self.settings)
        text = yaml.safe_dump(every, allow_unicode=True, sort_keys=False)
        self.writer.add_text("settings", "".join(f"    {line}\n" for line in text.splitlines()), first)
        self._hyperparameters(every)
        self.writer.flush()
        log.info("TensorBoard: tensorboard --logdir %s", self.folder)

    def _hyperparameters(self, every: Mapping[str, Any]) -> None:
        """For the tab HPARAMS, beside the curves; SummaryWriter.add_hparams would make a run of its own for them."""
        from torch.utils.tensorboard.summary import hparams

        values = {key: value if isinstance(value, (int, float)) else str(value) for key, value in every.items()}
        for summary in hparams(values, dict.fromkeys(SCALARS.values(), 0.0)):
            self.writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]

    def step(self, progress: Progress, loss: float) -> None:
        self.writer.add_scalar("step/train_loss", loss, progress.updates)
        self.writer.add_scalar("step/lr", progress.lr, progress.updates)
        self.writer.flush()  # what a checkpoint holds is on the disk before it

    def epoch(self, result: EpochResult) -> None:
        for name, value in result.scalars.items():
            self.writer.add_scalar(name, value, result.updates)
        for name, picture in result.pictures.items():
            self.writer.add_image(name, np.asarray(picture.image), result.updates, dataformats="HWC")
            self.writer.add_text(name, picture.text, result.updates)
        self.writer.flush()

    def close(self, failed: bool) -> None:
        self.writer.close()
