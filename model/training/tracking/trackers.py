"""model/training/tracking/trackers.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker, _kind, log
from model.training.tracking.tensorboard import TensorBoard
from model.training.tracking.weights_and_biases import WeightsAndBiases


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
