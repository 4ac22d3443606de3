"""`python -m model average`: the mean of the weights of models from one training or from similar trainings.

A uniform average of the last epochs is stochastic weight averaging (Izmailov et al., UAI 2018); of fine-tuned models
with different seeds or settings it is a uniform soup (Wortsman et al., Model soups, ICML 2022).
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts.fingerprint import file_digest
from model.artifacts.learnt_from import LearntFrom
from model.artifacts.model_card import AVERAGE
from model.artifacts.saved_model import load_model, save_model
from model.data.checked_tables import SKIP, read_tables
from model.data.table import Table
from model.decisions import Decision
from model.errors import InputError
from model.images.decode import allow_pixels
from model.prediction.torch_backend import load_network
from model.runtime.hardware import Hardware, find_hardware
from model.runtime.workers import worker_count
from model.settings.cli import from_flags
from model.settings.fields import setting
from model.settings.train import TrainSettings
from model.training.average_members import Member, has_fixed_statistics, mean_weights, read_members, unlike_starts
from model.training.batch_norm import has_batch_norm, renew_batch_norm

USAGE = """python -m model average MODEL MODEL ... --output DIR [--train_dir CHANNEL]

Averages the weights of saved models into a new saved model, which predicts at the cost of one. They must have the same
architecture, labels and preprocessing, and should come from one training or from trainings that started from the same
weights. If the network has batch norm, its statistics are computed anew from the training images in CHANNEL.

A model may also be a file of a kept epoch (train.py --keep_epochs).

    python -m model average runs/exp runs/exp1 runs/exp2 --output runs/soup --train_dir data/train
    python -m model average runs/exp/epochs/*.safetensors --output runs/swa --train_dir data/train"""
SCORES = ("acc", "f1", "loss")  # of a member's validation, recorded in metrics.json

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class AverageSettings:
    models: list[str] = setting([], "Saved models, or files of kept epochs", section="Models", positional=True)
    output: str | None = setting(None, "Folder to create; it must not exist", placeholder="DIR")
    train_dir: str | None = setting(
        None,
        "Channel that the models were trained on, for new batch-norm statistics; networks without batch norm need none",
        placeholder="CHANNEL",
    )
    batch_size: int = setting(64, "Images per batch of the pass over the training images", low=2)
    device: str = setting("auto", "Device: auto, cpu, cuda or cuda:N")
    num_workers: int = setting(-1, "Number of processes that read images; -1: chosen by the number of cores", low=-1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.models) < 2:
            yield f"expected at least two saved models, not {len(self.models)}: runs/a runs/b"
        if not self.output:
            yield "--output DIR is missing: the folder to create"


def average_models(
    paths: Sequence[str],
    output: Path,
    train_dir: Path | None = None,
    batch_size: int = 64,
    device: str = "auto",
    num_workers: int = -1,
) -> dict[str, Any]:
    """Averages the weights of saved models uniformly and saves the result as a model.

    Settings, labels, preprocessing and the description of the data are those of the first model.

    Args:
        paths: The models.
        output: Folder to create. It is renamed to this name when it is complete.
        train_dir: Channel of the training images; needed only if the network has batch norm whose statistics were
            trained.
        batch_size: Images per batch of the pass over the training images.
        device: Setting of the same name.
        num_workers: Setting of the same name.

    Returns:
        What metrics.json records under AVERAGE.

    Raises:
        InputError: output exists, the models do not fit together, or the training images are missing. Nothing is
            created then.
    """
    if output.exists():
        raise InputError(f"output {output}: already exists; choose a new folder")
    members = read_members(paths)
    if warning := unlike_starts(members):
        log.warning("%s", warning)
    started = time.monotonic()
    unfinished = output.with_name(f".{output.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    record: dict[str, Any] = {"members": [_record(member) for member in members], "renewed_on": None}
    try:
        weights = mean_weights(members)
        _save(unfinished, output.name, members, weights, record, 0.0)
        network = load_network(load_model(unfinished))
        first = members[0].saved
        if has_batch_norm(network) and not has_fixed_statistics(members):
            if train_dir is None:
                raise InputError(
                    f"{first.settings.model} has batch norm, whose statistics must be computed anew for the averaged "
                    "weights; add --train_dir CHANNEL, the channel that the models were trained on"
                )
            table = training_images(members, train_dir)
            hardware: Hardware = find_hardware(device, "fp32", first.settings.channels_last)
            workers = worker_count(num_workers)
            renew_batch_norm(network, table, first.pipeline, first.settings, hardware, batch_size, workers)
            weights = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
            record["renewed_on"] = len(table)
            _save(unfinished, output.name, members, weights, record, time.monotonic() - started)
        unfinished.rename(output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return record


def training_images(members: Sequence[Member], train_dir: Path) -> Table:
    """The images of a channel that the models were trained on, all of them if the models do not say which these are.

    Raises:
        InputError: The channel cannot be read, or none of its images was used to train a model.
    """
    settings = replace(
        members[0].saved.settings,
        # all images of the channel, whatever splits and corrections did with them
        corrections=None,
        clean=None,
        train_groups=None,
        validation_groups=None,
        split_column=None,
        clean_args={},
        folds=0,
        check="decode",
        unreadable=SKIP,
        check_only=True,  # writes no cache of the check
    )
    allow_pixels(settings.max_pixels)
    table, _ = read_tables(settings, train_dir, None, train_dir / ".checked")
    known = _learnt_from(members)
    if known is not None and table.contents is not None:
        rows = np.flatnonzero(np.isin(table.contents.keys, known.train))
        if not len(rows):
            raise InputError(
                f"train_dir {train_dir}: none of its {len(table):,} images was used to train the models; name the "
                "channel that they were trained on"
            )
        return table.take(rows)
    return table


def _learnt_from(members: Sequence[Member]) -> LearntFrom | None:
    """The images that any member was trained on, and the others that selected an epoch; None if one is not known."""
    known = [member.learnt_from for member in members if member.learnt_from is not None]
    if len(known) < len(members):
        return None
    train = reduce(np.union1d, [own.train for own in known])
    validation = reduce(np.union1d, [own.validation for own in known])
    return LearntFrom(train, np.setdiff1d(validation, train))


def _record(member: Member) -> dict[str, Any]:
    """What metrics.json says of a member: its folder, run, epoch, scores and a hash of its weights."""
    settings, metrics = member.saved.settings, member.saved.metrics
    scores = metrics.get("validation") or {}
    return {
        "model": Path(member.name).name,
        "run": settings.name,
        "seed": settings.seed,
        "epoch": metrics["epoch"],
        "validation": {name: scores[name] for name in SCORES if name in scores},
        "weights": file_digest(member.file),
    }


def _save(
    folder: Path,
    name: str,
    members: Sequence[Member],
    weights: dict[str, Any],
    record: dict[str, Any],
    seconds: float,
) -> None:
    """Saves the averaged model. seconds: time of the pass over the training images."""
    first, decisions = members[0].saved, [member.saved.decision for member in members]
    settings: TrainSettings = replace(first.settings, name=name)
    decision = decisions[0].on_changed_model() if all(other == decisions[0] for other in decisions) else Decision()
    by_run: dict[str, float] = {}
    for member in members:
        own = member.saved
        by_run[own.settings.name] = max(by_run.get(own.settings.name, 0.0), own.metrics["seconds"])
    metrics = {
        **first.metrics,
        "finished": True,
        "epoch": max(member.saved.metrics["epoch"] for member in members),
        "epochs": max(member.saved.metrics["epochs"] for member in members),
        "validation": None,
        "history": [],
        "seconds": sum(by_run.values()) + seconds,
        AVERAGE: record,
    }
    parts = (settings, first.heads, first.pipeline, metrics, decision)
    save_model(folder, weights, *parts, learnt_from=_learnt_from(members))


def main(argv: Sequence[str]) -> int:
    settings = from_flags(AverageSettings, argv, USAGE)
    output, train_dir = Path(settings.output or ""), settings.train_dir
    channel = Path(train_dir) if train_dir else None
    record = average_models(
        settings.models, output, channel, settings.batch_size, settings.device, settings.num_workers
    )
    images = record["renewed_on"]
    renewed = f"; batch-norm statistics of {images:,} images" if images else ""
    print(f"mean of {len(record['members'])} models{renewed}: {output}")
    return 0
