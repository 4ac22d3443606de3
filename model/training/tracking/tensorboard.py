"""TensorBoard event files of a run: curves, figures, settings and hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from model.artifacts.provenance import portable_settings
from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker, curves, log


class TensorBoard(Tracker):
    """Writes event files into a folder.

    Args:
        folder: Where to write them.
        settings: Settings of the training; `thumbnails` says which images the files contain.

    Raises:
        ImportError: The package tensorboard is missing.
    """

    name = "TensorBoard"

    def __init__(self, folder: Path, settings: TrainSettings):
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.settings = folder, settings
        self._make_writer = SummaryWriter

    def begin(self, first: int) -> None:
        self.writer = self._make_writer(str(self.folder), purge_step=first)
        settings = portable_settings(self.settings)
        text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
        self.writer.add_text("settings", "".join(f"    {line}\n" for line in text.splitlines()), first)
        self._write_hyperparameters(settings)
        self.writer.flush()
        log.info("TensorBoard: tensorboard --logdir %s", self.folder)

    def _write_hyperparameters(self, settings: Mapping[str, Any]) -> None:
        """For the tab HPARAMS, in the run of the curves; SummaryWriter.add_hparams would create another run."""
        from torch.utils.tensorboard.summary import hparams

        values = {name: value if isinstance(value, (int, float)) else str(value) for name, value in settings.items()}
        for summary in hparams(values, dict.fromkeys(curves(self.settings.best_criterion).values(), 0.0)):
            self.writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]

    def step(self, progress: Progress, loss: float) -> None:
        self.writer.add_scalar("step/train_loss", loss, progress.updates)
        self.writer.add_scalar("step/lr", progress.lr, progress.updates)
        self.writer.flush()  # events must be on disk before the checkpoint that includes their steps

    def epoch(self, result: EpochResult) -> None:
        for name, value in result.scalars.items():
            self.writer.add_scalar(name, value, result.updates)
        for name, figure in result.figures(self.settings.thumbnails_or("full")).items():
            if figure.image is not None:
                self.writer.add_image(name, np.asarray(figure.image), result.updates, dataformats="HWC")
            self.writer.add_text(name, figure.text, result.updates)
        self.writer.flush()

    def close(self, failed: bool) -> None:
        self.writer.close()
