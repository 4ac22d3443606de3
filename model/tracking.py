"""What follows a run while it goes: TensorBoard's event files, Weights & Biases."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from model.drawing import Picture, confusion_picture, mistakes_picture
from model.progress import Progress
from model.settings import TrainSettings, as_dict
from model.validation import Validation
from model.writing import write_text

log = logging.getLogger("rarebird")

SCALARS = {  # of an epoch's entry: the name of its curve
    "epoch": "epoch",
    "lr": "lr",
    "pictures_per_second": "pictures_per_second",
    "train_loss": "loss/train",
    "val_loss": "loss/validation",
    "val_f1": "score/macro_f1",
    "val_acc": "score/accuracy",
    "val_gmean": "score/gmean_f1",
}
ONLINE_PATIENCE = 30.0  # seconds for Weights & Biases to answer at the start
UPLOAD_PATIENCE = 120.0  # seconds for its uploads at the end; `wandb sync` sends what is left


@dataclass(frozen=True)
class EpochResult:
    """What there is to tell of an epoch. updates: optimiser steps so far; entry: as the history holds it; validation:
    None without one; better: whether these are the best weights so far."""

    updates: int
    entry: Mapping[str, Any]
    validation: Validation | None
    better: bool

    @cached_property
    def scalars(self) -> dict[str, float]:
        """By the name of the curve; the F1 of each class with validation pictures among them."""
        found = {curve: float(self.entry[name]) for name, curve in SCALARS.items() if name in self.entry}
        if self.validation:
            by_class = self.validation.metrics["per_class"]
            for name, f1, support in zip(self.validation.table.scheme.class_names, by_class["f1"], by_class["support"]):
                if support:
                    found[f"f1/{name}"] = f1
        return found

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """By name. Mistakes are those of the weights that may be saved: pictures are read for them."""
        if not self.validation:
            return {}
        found = {"confusion": confusion_picture(self.validation.confusion, self.validation.table.scheme.class_names)}
        mistakes = mistakes_picture(self.validation) if self.better else None
        return found | ({"mistakes": mistakes} if mistakes else {})


class Tracker:
    """Something that follows a run. This one does nothing; others do what they want to."""

    name = "nothing"

    def begin(self, first: int) -> None:
        """The run begins, or goes on. first: the optimiser step from which on there is something to tell; whatever an
        interrupted start told from it on is void."""

    def step(self, progress: Progress, loss: float) -> None:
        """Every log_interval optimiser steps inside an epoch. loss: the mean of the epoch so far."""

    def epoch(self, result: EpochResult) -> None:
        """At each epoch's end, before its checkpoint."""

    def close(self, failed: bool) -> None:
        """The run ends, or is stopped."""


class Trackers(Tracker):
    """Hands everything on to several, none at first. One that raises is told once and left out from then on: training
    does not end for it. A `with` block closes them all."""

    def __init__(self) -> None:
        self.trackers: list[Tracker] = []
        self.begun = False

    def begin(self, first: int) -> None:
        self.begun = True
        self._each(lambda tracker: tracker.begin(first))

    def step(self, progress: Progress, loss: float) -> None:
        self._each(lambda tracker: tracker.step(progress, loss))

    def epoch(self, result: EpochResult) -> None:
        self._each(lambda tracker: tracker.epoch(result))

    def close(self, failed: bool) -> None:
        self._each(lambda tracker: tracker.close(failed))

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.begun:
            self.close(failed=kind is not None)

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for tracker in list(self.trackers):
            try:
                tell(tracker)
            except Exception as error:
                self.trackers.remove(tracker)
                log.warning("%s is off from here on, the run goes on: %s: %s", tracker.name, _kind(error), error)


def _kind(error: Exception) -> str:
    return type(error).__name__


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


class WeightsAndBiases(Tracker):
    """A run at Weights & Biases, or one in a folder for `wandb sync` to send. ImportError where the package wandb is
    missing."""

    name = "Weights & Biases"

    def __init__(
        self, folder: Path, run: str, settings: TrainSettings, account: Mapping[str, str | None], id_file: Path
    ):
        """run: its name there; account: project, entity, mode (online or offline) and api_key; id_file: keeps the
        run's id, by which one that goes on is the same there."""
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
            config=as_dict(self.settings),
            settings=self.wandb.Settings(
                api_key=self.account["api_key"],
                console="off",  # the log stays this job's own
                silent=True,
                init_timeout=ONLINE_PATIENCE,
                finish_timeout=UPLOAD_PATIENCE,
            ),
        )
        log.info("Weights & Biases: %s", f"wandb sync {Path(self.run.dir).parent}" if offline else self.run.url)

    def step(self, progress: Progress, loss: float) -> None:
        self.run.log({"step/train_loss": loss, "step/lr": progress.lr}, step=progress.updates)

    def epoch(self, result: EpochResult) -> None:
        pictures = {name: self.wandb.Image(picture.image) for name, picture in result.pictures.items()}
        self.run.log({**result.scalars, **pictures}, step=result.updates)

    def close(self, failed: bool) -> None:
        self.run.finish(exit_code=int(failed))


def make_trackers(
    folder: Path, run: str, settings: TrainSettings, account: Mapping[str, str | None] | None, id_file: Path
) -> list[Tracker]:
    """What setting `tracking` asks for; a package that is missing is told in one line. folder: where they write; run:
    its name; account, id_file: of WeightsAndBiases, which is left out where account is None."""
    makers: list[tuple[str, Callable[[], Tracker]]] = []
    if settings.tracking != "none":
        makers.append(("tensorboard", lambda: TensorBoard(folder / "tensorboard", settings)))
    if settings.tracking == "auto" and account is not None:
        makers.append(("wandb", lambda: WeightsAndBiases(folder, run, settings, account, id_file)))
    made = []
    for package, make in makers:
        try:
            made.append(make())
        except ImportError as error:
            log.warning("nothing is written for %s (%s): pip install %s, or --tracking none", package, error, package)
    return made
