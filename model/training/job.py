"""TrainingJob: what the models of one training job share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.artifacts.files import EPOCHS
from model.runtime.hardware import Hardware
from model.runtime.signals import StopSignal
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.cleaning import Cleaning
from model.training.plan import Plan, Run
from model.training.resume import Claim
from model.training.tracking.base import Tracker
from model.training.tracking.console import make_console
from model.training.tracking.trackers import make_trackers


@dataclass(frozen=True)
class TrainingJob:
    """What the models of a training job share: the plan, the name to train under, and where it runs and writes.

    Attributes:
        settings: Settings of the job.
        plan: The models to train.
        cleaning: How training labels are cleaned; None without --clean.
        claim: The name that the job trains under, with its folder and checkpoints.
        hardware: Where the models are trained.
        stop: Signals that end the job early.
        output: Folder of the split, TensorBoard's files, and the predictions for held-out images with their report.
        is_packed: Whether the model is in /opt/ml/model, which SageMaker packs.
        account: Account at Weights & Biases; None for no logging there.
        live_curves: Second folder for TensorBoard's files, which SageMaker copies to S3 during training; None for none.
    """

    settings: TrainSettings
    plan: Plan
    cleaning: Cleaning | None
    claim: Claim
    hardware: Hardware
    stop: StopSignal
    output: Path
    is_packed: bool
    account: Mapping[str, str | None] | None
    live_curves: Path | None = None

    def epochs_dir(self, folder: Path, checkpoints: Checkpoints) -> Path:
        """Where the weights of the last epochs are kept: in a model's folder, or next to its checkpoints if SageMaker
        packs the model's folder.

        Args:
            folder: The model's folder.
            checkpoints: Its checkpoints.
        """
        return (checkpoints.folder if self.is_packed else folder) / EPOCHS

    def trackers_of(self, run: Run, settings: TrainSettings, checkpoints: Checkpoints) -> list[Tracker]:
        """The trackers of one model: the console, and those that the setting `tracking` selects.

        Args:
            run: The model.
            settings: Its settings, with the name that the job trains under.
            checkpoints: Its checkpoints, next to which the id of its run at Weights & Biases is kept.
        """
        name = f"{settings.name}/{run.folder}".rstrip("/")
        id_file = checkpoints.folder / "wandb-id"
        live = self.live_curves and self.live_curves / run.folder
        others = make_trackers(self.output / run.folder, name, settings, self.account, id_file, live)
        return [make_console(settings.epochs), *others]
