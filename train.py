"""Trains a model on a folder of pictures and saves it with its settings, labels, preprocessing, scores and card.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=runs python train.py --name faces --epochs 10
    torchrun --nproc_per_node 2 train.py --config configs/mask-resnet18.yaml --train_dir data/train

Reads   SM_CHANNEL_TRAIN        pictures and labels: profile folders, class folders, a CSV, .lst or a manifest
        SM_CHANNEL_VALIDATION   others to choose the weights by; else a part of train, whole persons (--validation)
Writes  SM_MODEL_DIR/NAME       the saved model (SM_MODEL_DIR itself where that is SageMaker's /opt/ml/model)
        SM_OUTPUT_DATA_DIR      split.csv and split.json: who is on which side; else beside the model
        checkpoints             in SM_MODEL_DIR/.checkpoints/NAME: the same command goes on where it was stopped

Settings come from flags, then hyperparameters.json, then SM_HP_NAME variables and .env, then the --config file.
Ends with 0 when done or stopped by SIGTERM with the model saved, 2 for bad input, 130 for Ctrl-C, 1 for a fault.
"""

from __future__ import annotations

import logging
import platform
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import timm
import torch
import torchvision

from container import environment, job
from model import __version__, distributed
from model.checkpoint import claim
from model.criterion import head_setting
from model.data import make_data, read_tables
from model.hardware import Hardware, find_hardware
from model.heads import make_heads
from model.loop import Trainer
from model.losses import double_correction
from model.network import make_network, make_preprocessing
from model.progress import Outcome
from model.randomness import mixed_seed, seed_all
from model.saved_model import is_finished, save_model
from model.settings import TrainSettings, as_dict, differences
from model.stopping import StopSignal

log = logging.getLogger("rarebird")


def main(argv: Sequence[str] | None = None) -> int:
    settings, env = environment.read(TrainSettings, argv, __doc__ or "")
    train_dir = env.required_channel("train", settings.train_dir, "train.py")
    validation_dir = env.channel("validation", settings.validation_dir)
    models = env.models_dir(settings.model_dir)
    checkpoints_dir = env.checkpoints_dir(settings.checkpoint_dir, models)
    output = env.told_output_data_dir(settings.output_data_dir)
    packed = env.is_packed(models)

    hardware = find_hardware(settings.device, settings.precision, settings.channels_last, env.local_rank)
    distributed.start(env.rank, env.world, hardware.device)
    checked = checkpoints_dir / ".checked"
    tables = distributed.on_first(lambda: read_tables(settings, train_dir, validation_dir, checked))
    data = make_data(settings, *tables)
    heads = make_heads(data.train.scheme, settings.target, lambda head: str(head_setting(settings, head, "loss")))
    preprocessing = make_preprocessing(settings)

    identity = {**as_dict(settings, only_result=True), **data.identity()}
    claimed = distributed.on_first(
        lambda: claim(
            settings.name,
            checkpoints_dir,
            lambda name: env.run_dir(models, name),
            is_finished,
            packed,
            identity,
            settings.resume,
        )
    )
    settings = replace(settings, name=claimed.name)
    with claimed.lock, StopSignal() as stop:
        if claimed.finished:
            log.info("the run %r is finished; its saved model is written again", claimed.name)
            outcome = Outcome.of(claimed.state or {})
        else:
            seed_all(mixed_seed(settings.seed, 0))
            network = make_network(settings, heads, preprocessing)
            trainer = Trainer(
                settings, data, heads, preprocessing, network, hardware, claimed.checkpoints, identity, stop
            )
            if distributed.rank() == 0:
                tell_plan(settings, trainer, data.summary())
                data.save_split(claimed.run_dir if output is None else output if packed else output / claimed.name)
            outcome = trainer.train(claimed.state)
        if outcome.stopped_by == signal.SIGINT:
            log.info("stopped by Ctrl-C after a checkpoint; the same command goes on from it")
            return job.INTERRUPTED
        if distributed.rank() == 0:
            metrics = run_metrics(outcome, data.summary(), hardware)
            save_model(claimed.run_dir, outcome.weights, settings, heads, preprocessing, metrics)
            if outcome.stopped_by is None:
                claimed.checkpoints.finish(outcome.to_state(), identity)
    distributed.stop()

    best = outcome.progress.best
    if best:
        log.info("best epoch=%d val_f1=%.4f; val_acc=%.4f;", best.epoch, best.metrics["f1"], best.metrics["acc"])
    if outcome.stopped_by is not None:
        log.info("stopped by SIGTERM; the same command goes on from the checkpoint")
    log.info("saved model: %s", claimed.run_dir)
    return job.DONE


def tell_plan(settings: TrainSettings, trainer: Trainer, data: dict[str, Any]) -> None:
    """The settings in force and the numbers that follow from them, once."""
    chosen = ", ".join(f"{key}={value}" for key, value in differences(settings).items())
    log.info("settings that differ from their defaults: %s", chosen or "none")
    for side in ("train", "validation"):
        if data[side]:
            by = f" of {data[side]['groups']:,} groups by {data['grouped_by']}" if data["grouped_by"] else ""
            log.info("%s: %s pictures%s", side, f"{data[side]['pictures']:,}", by)
    heads, preprocessing = trainer.heads, trainer.preprocessing
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters()) / 1e6
    log.info(
        f"{settings.model}: {parameters:.1f} M parameters, {preprocessing.height}x{preprocessing.width} pixels, "
        f"{heads.scheme.num_classes} classes in {len(heads.heads)} head{'s' if len(heads.heads) > 1 else ''}"
    )
    updates = trainer.updates_per_epoch
    log.info(
        f"{settings.epochs} epochs of {trainer.sampler.steps} batches of {settings.batch_size}, {updates} optimiser "
        f"steps each; {trainer.hardware}{f', {trainer.world} processes' if trainer.world > 1 else ''}"
    )
    warning = double_correction(settings.sampler_power, settings.class_weights, settings.class_weights_strength)
    if warning:
        log.warning("%s", warning)


def run_metrics(outcome: Outcome, data: dict[str, Any], hardware: Hardware) -> dict[str, Any]:
    """What metrics.json holds."""
    progress = outcome.progress
    return {
        "finished": outcome.stopped_by is None,
        "epoch": progress.best.epoch if progress.best else progress.epoch,
        "epochs": progress.epoch,
        "validation": progress.best.metrics if progress.best else None,
        "history": progress.history,
        "data": data,
        "seconds": progress.seconds,
        "hardware": str(hardware),
        "versions": {
            "rarebird": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "timm": timm.__version__,
        },
    }


if __name__ == "__main__":
    job.run(main)
