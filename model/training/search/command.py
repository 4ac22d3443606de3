"""`python -m model search-augmentation`: searches an augmentation for a channel within some minutes."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.data.checked_tables import read_tables
from model.data.datasets import make_datasets
from model.data.table import Table
from model.errors import ExitCode, InputError
from model.images.decode import allow_pixels
from model.runtime.hardware import find_hardware
from model.runtime.signals import StopSignal
from model.settings.aliases import TRAIN_PY, translate
from model.settings.choices import SEPARATE
from model.settings.cli import from_flags
from model.settings.experiment_file import read_experiment
from model.settings.fields import Layer, build, setting
from model.settings.train import TrainSettings
from model.training.early_checks import check_augmentation, check_early
from model.training.search.candidates import CURRENT, candidates
from model.training.search.halving import CONFIRMED, Schedule, make_schedule, successive_halving
from model.training.search.policy import Result
from model.training.search.trials import CandidateTrainer, Policy, stop_after

USAGE = """python -m model search-augmentation --train_dir CHANNEL [--config FILE] --minutes 10 --output policy.yaml

Searches an augmentation: changes of the current one in policy and strength are trained for a short time on two thirds
of the groups, the best for longer (successive halving). The winner and the current augmentation are then compared on
the other thirds. The result is a policy file for train.py --augmentation policy.yaml. Ctrl-C ends the search; the file
has the best augmentation so far.

    python -m model search-augmentation --train_dir data/train --config faces.yaml --minutes 30 --output policy.yaml"""

# Trains a candidate: (name, held-out fold, epochs) -> probabilities of the fold's images; None if it was stopped
_Run = Callable[[str, int, int], NDArray[np.float32] | None]

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class SearchSettings:
    train_dir: str | None = setting(None, "Folder with the training images and their labels", section="Search")
    config: str | None = setting(
        None, "Experiment file with the settings of the training, its augmentation included", placeholder="FILE"
    )
    minutes: float = setting(10.0, "Time for all trainings", unit="minutes", low=0.01)
    output: str = setting("policy.yaml", "File to write", placeholder="FILE")
    seed: int | None = setting(None, "Random seed", unset="that of the experiment file", low=0)
    device: str | None = setting(None, "Device: auto, cpu, cuda or cuda:N", unset="that of the experiment file")
    num_workers: int | None = setting(
        None, "Number of processes that read images", unset="that of the experiment file", low=-1
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.train_dir:
            yield "--train_dir CHANNEL is missing: the folder with the training images"
        if not self.output.lower().endswith((".yaml", ".yml")):
            yield f"output {self.output}: expected a file name that ends with .yaml, by which train.py knows it"

    def training(self) -> TrainSettings:
        """The settings of the trainings. InputError lists the problems of the experiment file."""
        label, values = f"{self.config}: {{}}", read_experiment(Path(self.config)) if self.config else {}
        values, sentences = translate(TRAIN_PY, label, values)
        for sentence in sentences:
            log.info("%s", sentence)
        own = {name: getattr(self, name) for name in ("seed", "device", "num_workers")}
        given = {name: value for name, value in own.items() if value is not None}
        return build(TrainSettings, [Layer(label, values), Layer("--{}", given)])


def search(settings: TrainSettings, train: Table, seconds: float, output: Path, stop: StopSignal) -> Result:
    """Searches an augmentation, and writes the policy file after each training.

    Args:
        settings: Settings of the training, with the current augmentation.
        train: The training channel.
        seconds: Time for all trainings.
        output: The policy file.
        stop: A signal ends the search; the time does too.

    Raises:
        InputError: The settings do not fit the data, or there are too few groups.
    """
    hardware = find_hardware(settings.device, settings.precision, settings.channels_last)
    trainer = CandidateTrainer.of(settings, train, hardware, stop)
    policies = _usable(settings, candidates(settings.augmentation))
    result = Result(settings.best_criterion, policies)
    result.about = {"model": settings.model, "seed": settings.seed, "images": len(trainer.table)}
    started = time.monotonic()

    def left() -> float:
        return seconds - (time.monotonic() - started)

    def run(name: str, fold: int, epochs: int) -> NDArray[np.float32] | None:
        """Trains a candidate and records the trial. Returns its probabilities; None if it was stopped."""
        if stop.received is not None:
            return None
        trained = trainer.train(name, policies[name], fold, epochs)
        if trained is None:
            return None
        result.trials.append(trained[0])
        result.about["minutes"] = round((seconds - left()) / 60, 2)
        result.write(output)
        return trained[1]

    with stop_after(stop, seconds):
        # one epoch of the current augmentation measures the time of an epoch
        if run(CURRENT, 0, 1) is None:
            return result
        epoch_seconds = max(result.trials[0].seconds, 1e-3)
        schedule = make_schedule(len(policies), max(settings.epochs, 1), int(left() / epoch_seconds))
        result.about["schedule"] = {"candidates": schedule.sizes, "epochs": list(schedule.epochs)}
        print(_plan_text(schedule, epoch_seconds))
        reserved = 2 * schedule.epochs[-1] * epoch_seconds  # for one fold of the comparison

        def score(name: str, rung: int, epochs: int) -> float | None:
            first = result.trials[0]
            if (name, epochs) == (CURRENT, first.epochs):
                return trainer.rank(first.score)
            if left() - epochs * epoch_seconds < reserved and len(result.trials) > 2:
                return None
            probabilities = run(name, 0, epochs)
            return None if probabilities is None else trainer.rank(result.trials[-1].score)

        result.ranking = successive_halving(list(policies), schedule, score)
        if result.best != CURRENT:
            _compare(result, trainer, run, schedule.epochs[-1])
    result.write(output)
    return result


def _compare(result: Result, trainer: CandidateTrainer, run: _Run, epochs: int) -> None:
    """Compares the best candidate with the current augmentation on folds that the search has not held out. A fold for
    which only one of the two was trained is not used."""
    probabilities: tuple[dict[int, NDArray[np.float32]], ...] = ({}, {})
    for fold in range(1, 1 + CONFIRMED):
        pair = [run(name, fold, epochs) for name in (result.best, CURRENT)]
        if pair[0] is None or pair[1] is None:
            break
        for own, trained in zip(probabilities, (pair[0], pair[1]), strict=True):
            own[fold] = trained
    if probabilities[0]:
        result.gain = trainer.gain(probabilities)
        result.compared_on = sum(len(own) for own in probabilities[0].values())


def _usable(settings: TrainSettings, policies: Mapping[str, Policy]) -> dict[str, Policy]:
    """The candidates that the other settings allow: no changes of colours of grey images, no mixing of images with
    metadata. InputError if the current augmentation is invalid."""
    usable: dict[str, Policy] = {}
    for name, policy in policies.items():
        try:
            check_augmentation(replace(settings, augmentation={key: dict(own) for key, own in policy.items()}))
        except InputError as error:
            if name == CURRENT:
                raise
            log.warning("the candidate %s is left out: %s", name, error)
            continue
        usable[name] = policy
    return usable


def _plan_text(schedule: Schedule, epoch_seconds: float) -> str:
    rungs = ", then ".join(
        f"{size} candidates for {epochs} epoch{'s' if epochs > 1 else ''}"
        for size, epochs in zip(schedule.sizes, schedule.epochs, strict=True)
    )
    return f"{epoch_seconds:.1f} s per epoch: {rungs}"


def training_images(settings: TrainSettings, channel: Table) -> Table:
    """The images of a channel to search with: all, or those to train on if a column or lists of groups say which."""
    if channel.sides is None and not settings.train_groups and not settings.validation_groups:
        return channel
    train = make_datasets(settings, channel, None).train
    is_train = np.isin(channel.locations.paths, train.locations.paths)
    return replace(channel.take(np.flatnonzero(is_train)), sides=None)


def main(argv: Sequence[str]) -> int:
    settings = from_flags(SearchSettings, argv, USAGE)
    training = settings.training()
    if training.target == SEPARATE:
        raise InputError("target separate trains several models: search with --target ATTRIBUTE in the experiment file")
    check_early(training)
    allow_pixels(training.max_pixels)
    reading = replace(training, check_only=True)  # the check writes no cache
    train_dir, output = Path(settings.train_dir or ""), Path(settings.output)
    train, _ = read_tables(reading, train_dir, None, train_dir / ".checked")
    with StopSignal() as stop:
        result = search(training, training_images(training, train), settings.minutes * 60, output, stop)
    if not result.trials:
        log.warning("no training was finished; nothing was written")
        return ExitCode.INTERRUPTED if stop.received == signal.SIGINT else ExitCode.FAULT
    print(result.text())
    print(f"written to {output}")
    return ExitCode.INTERRUPTED if stop.received == signal.SIGINT else ExitCode.DONE
