"""The trackers of a run: several trackers as one, and their choice by the setting `tracking`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker, log
from model.training.tracking.tensorboard import TensorBoard
from model.training.tracking.weights_and_biases import WeightsAndBiases


class Trackers(Tracker):
    """Calls all trackers in `trackers`, which is empty at first. If one raises, a warning is logged and the tracker is
    removed, so that training does not fail. The end of a `with` block closes all."""

    def __init__(self) -> None:
        self.trackers: list[Tracker] = []
        self.has_begun = False

    def begin(self, first: int) -> None:
        self.has_begun = True
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
        if self.has_begun:
            self.close(failed=kind is not None)

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for tracker in list(self.trackers):
            try:
                call(tracker)
            except Exception as error:
                self.trackers.remove(tracker)
                kind = type(error).__name__
                log.warning(
                    "%s is disabled for the rest of the run; the training continues: %s: %s", tracker.name, kind, error
                )


def make_trackers(
    folder: Path,
    run: str,
    settings: TrainSettings,
    account: Mapping[str, str | None] | None,
    id_file: Path,
    live: Path | None = None,
) -> list[Tracker]:
    """Creates the trackers of the setting `tracking`. If the package of one is missing, a warning is logged.

    Args:
        folder: Folder to write to.
        run: Name of the run.
        settings: Settings of the training.
        account: Account at Weights & Biases (see WeightsAndBiases); None without one.
        id_file: File that keeps the run's id at Weights & Biases.
        live: A second folder for TensorBoard's files; None for none.
    """
    factories: list[tuple[str, Callable[[], Tracker]]] = []
    if settings.tracking != "none":
        factories.append(("tensorboard", lambda: TensorBoard(folder / "tensorboard", settings)))
        if live is not None:
            factories.append(("tensorboard", lambda: TensorBoard(live, settings)))
    if settings.tracking == "auto" and account is not None:
        factories.append(("wandb", lambda: WeightsAndBiases(folder, run, settings, account, id_file)))
    trackers = []
    for package, factory in factories:
        try:
            trackers.append(factory())
        except ImportError as error:
            log.warning("%s is off: %s; pip install %s, or set --tracking none", package, error, package)
    return trackers
