"""A run at Weights & Biases, online or offline in a folder for `wandb sync`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from model.artifacts.provenance import portable_settings
from model.atomic_write import write_text
from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker, log

ONLINE_PATIENCE = 30.0  # seconds to wait for Weights & Biases at the start
UPLOAD_PATIENCE = 120.0  # seconds to wait for uploads at the end; `wandb sync` sends the rest


class WeightsAndBiases(Tracker):
    """A run at Weights & Biases, or offline in a folder that `wandb sync` sends.

    Args:
        folder: Folder of wandb's files.
        run: Name of the run.
        settings: Configuration of the run; `thumbnails` says which images are sent.
        account: project, entity, mode (online or offline) and api_key.
        id_file: File with the id of the run, so that a resumed run continues it.

    Raises:
        ImportError: If the package wandb is missing.
    """

    name = "Weights & Biases"

    def __init__(
        self, folder: Path, run: str, settings: TrainSettings, account: Mapping[str, str | None], id_file: Path
    ):
        import wandb

        self.wandb, self.run_name = wandb, run
        self.folder, self.settings, self.account, self.id_file = folder, settings, account, id_file

    def begin(self, first: int) -> None:
        if not first or not self.id_file.is_file():
            write_text(self.id_file, secrets.token_hex(4))
        self.folder.mkdir(parents=True, exist_ok=True)
        offline = self.account["mode"] == "offline"
        self.run = self.wandb.init(
            dir=str(self.folder),
            project=self.account["project"],
            entity=self.account["entity"],
            name=self.run_name,
            id=self.id_file.read_text(encoding="utf-8"),
            resume=None if offline else "allow",
            mode="offline" if offline else "online",
            config=portable_settings(self.settings),
            settings=self.wandb.Settings(
                api_key=self.account["api_key"],
                console="off",  # wandb must not capture the log
                silent=True,
                init_timeout=ONLINE_PATIENCE,
                finish_timeout=UPLOAD_PATIENCE,
            ),
        )
        log.info("Weights & Biases: %s", f"wandb sync {Path(self.run.dir).parent}" if offline else self.run.url)

    def step(self, progress: Progress, loss: float) -> None:
        self.run.log({"step/train_loss": loss, "step/lr": progress.lr}, step=progress.updates)

    def epoch(self, result: EpochResult) -> None:
        figures = result.figures(self.settings.thumbnails_or("none"))  # images leave this machine on request only
        images = {name: self.wandb.Image(figure.image) for name, figure in figures.items() if figure.image is not None}
        self.run.log({**result.scalars, **images}, step=result.updates)

    def close(self, failed: bool) -> None:
        self.run.finish(exit_code=int(failed))
