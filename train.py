"""Trains a model on a folder of pictures and saves it with its settings, labels, preprocessing, scores and card.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=runs python train.py --name faces --epochs 10
    torchrun --nproc_per_node 2 train.py --config configs/mask-resnet18.yaml --train_dir data/train

Reads   SM_CHANNEL_TRAIN        pictures and labels: profile folders, class folders, a CSV, .lst or a manifest
        SM_CHANNEL_VALIDATION   others to choose the weights by; else a part of train, whole persons (--validation)
        SM_CHANNEL_MODEL        a saved model, or its model.tar.gz, whose weights are where training begins (else
                                --weights, --pretrained); not looked at where it is SM_MODEL_DIR or in it
Writes  SM_MODEL_DIR/NAME       the saved model (SM_MODEL_DIR itself where that is SageMaker's /opt/ml/model)
        SM_OUTPUT_DATA_DIR/NAME split.csv and split.json: who is on which side; tensorboard/: the run as it goes; with
                                --folds out_of_fold/, the answers to every row of the channel; else beside the model
        checkpoints             in SM_MODEL_DIR/.checkpoints/NAME: the same command goes on where it was stopped

Settings come from flags, then hyperparameters.json, then SM_HP_NAME variables and .env, then the --config file.
Ends with 0 when done or stopped by SIGTERM with the model saved, 2 for bad input, 130 for Ctrl-C, 1 for a fault.
"""

from __future__ import annotations

import container.gc_pause  # noqa: F401

# isort: split
import logging
import platform
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision

from container import job_script, settings_layers
from container.job_types import TRAIN
from container.locations import Locations
from container.torchrun import refuse_alone
from model import __version__
from model.artifacts.ensemble import SOFT, save_ensemble
from model.artifacts.files import is_ensemble, is_finished, is_saved_model
from model.artifacts.saved_model import save_model
from model.data.datasets import read_tables
from model.errors import ExitCode
from model.network.backbone import backbone_name, make_preprocessing
from model.network.heads import make_heads
from model.runtime import distributed
from model.runtime.hardware import Hardware, find_hardware
from model.runtime.seeding import mixed_seed, seed_all
from model.runtime.signals import Stopped, StopSignal
from model.settings.fields import as_dict, differences
from model.settings.train import TrainSettings
from model.training.criterion import head_setting
from model.training.initial_weights import make_network
from model.training.losses import double_correction
from model.training.out_of_fold import answer_out_of_fold
from model.training.plan import Plan, Run, make_plan
from model.training.progress import Outcome
from model.training.resume import Claim, claim
from model.training.tracking.console import console
from model.training.tracking.trackers import Trackers, make_trackers
from model.training.trainer import Trainer

log = logging.getLogger("rarebird")


def main(argv: Sequence[str] | None = None) -> int:
    settings, env = settings_layers.read(TRAIN, argv, __doc__ or "")
    locations = Locations(env)
    train_dir = locations.required_channel("train", settings.train_dir, "train.py")
    validation_dir = locations.channel("validation", settings.validation_dir)
    for folder in filter(None, (train_dir, validation_dir)):
        locations.refuse_parts(folder, "each of them reads pictures from all of it")
    models = locations.models_dir(settings.model_dir)
    checkpoints_dir = locations.checkpoints_dir(settings.checkpoint_dir, models)
    output = locations.training_output_dir(settings.output_data_dir)
    packed = locations.is_packed(models)
    before = locations.earlier_model(models)
    if before is not None and not settings.weights:
        log.info("the weights begin with those of the channel `model`: %s", before)
        settings = replace(settings, weights=str(before))
    refuse_alone(settings, env.world)

    backbone_name(settings.model)
    hardware = find_hardware(settings.device, settings.precision, settings.channels_last, env.local_rank)
    distributed.start(env.rank, env.world, hardware.device)
    checked = checkpoints_dir / ".checked"
    plan = make_plan(settings, *distributed.on_first(lambda: read_tables(settings, train_dir, validation_dir, checked)))

    identity = {**as_dict(settings, only_result=True), **plan.identity()}
    claimed = distributed.on_first(
        lambda: claim(
            settings.name,
            checkpoints_dir,
            lambda name: locations.run_dir(models, name),
            is_finished,
            packed,
            identity,
            settings.resume,
        )
    )
    first = distributed.rank() == 0
    if packed and claimed.state is None and is_finished(claimed.run_dir):
        log.warning("%s holds the model of a finished run, which this one replaces", claimed.run_dir)
    told = claimed.run_dir if output is None else output if packed else output / claimed.name
    account = env.wandb_account(settings.wandb_project, settings.wandb_entity)
    stopped_by = None
    with claimed.lock, StopSignal() as stop:
        if first and not claimed.finished:
            plan.save_split(told)
        if first and not plan.is_one:
            claimed.checkpoints.begin(identity)
        for run in plan.runs:
            stopped_by = train_one(run, plan, claimed, identity, hardware, stop, told, account)
            if stopped_by is not None:
                break
        if stopped_by != signal.SIGINT:
            distributed.stop()
            if first and not plan.is_one:
                stopped_by = save_joined(plan, claimed, settings, told, stop, stopped_by)
                if stopped_by is None:
                    claimed.checkpoints.finish({}, identity)

    if stopped_by == signal.SIGINT:
        log.info("stopped by Ctrl-C after a checkpoint; the same command goes on from it")
        return ExitCode.INTERRUPTED
    if stopped_by is not None:
        log.info("stopped by SIGTERM; the same command goes on from the checkpoint")
    log.info("saved model: %s", claimed.run_dir)
    return ExitCode.DONE


def train_one(
    run: Run,
    plan: Plan,
    claimed: Claim,
    identity: dict[str, Any],
    hardware: Hardware,
    stop: StopSignal,
    told: Path,
    account: Mapping[str, str | None] | None,
) -> int | None:
    """Trains and saves one model, or goes on with it; one that is finished is kept. Returns the signal that stopped
    it, None where it is finished. told: the folder that trackers write into; account: at Weights & Biases."""
    settings = replace(run.settings, name=claimed.name)
    folder, checkpoints, state = claimed.run_dir, claimed.checkpoints, claimed.state
    if not plan.is_one:
        log.info("\n%s of %s", run.place, claimed.name)
        folder, checkpoints = folder / run.place, checkpoints.of_member(run.place)
        state = distributed.on_first(checkpoints.newest)
    heads = make_heads(
        run.data.train.scheme,
        settings.target,
        lambda head: str(head_setting(settings, head, "loss")),
        settings.num_classes,
        plan.channel,
    )
    preprocessing = make_preprocessing(settings)
    if state is not None and state["finished"] and not plan.is_one and is_finished(folder):
        log.info("finished before")
        return None
    with Trackers() as tracker:
        if state is not None and state["finished"]:
            log.info("the run %r is finished; its saved model is written again", claimed.name)
            outcome = Outcome.of(state)
        else:
            seed_all(mixed_seed(settings.seed, 0))
            network = make_network(settings, heads, preprocessing)
            trainer = Trainer(
                settings, run.data, heads, preprocessing, network, hardware, checkpoints, identity, stop, tracker
            )
            if distributed.rank() == 0:
                tell_plan(settings, trainer, run.data.summary())
                name, id_file = f"{claimed.name}/{run.place}".rstrip("/"), checkpoints.folder / "wandb-id"
                others = make_trackers(told / run.place, name, settings, account, id_file)
                tracker.trackers = [console(settings.epochs), *others]
            outcome = trainer.train(state)
        if distributed.rank() == 0 and outcome.stopped_by != signal.SIGINT:
            metrics = run_metrics(outcome, run.data.summary(), hardware)
            save_model(folder, outcome.weights, settings, heads, preprocessing, metrics)
            if outcome.stopped_by is None:
                checkpoints.finish(outcome.to_state(), identity)
    best = outcome.progress.best
    if best:
        log.info("best epoch=%d val_f1=%.4f; val_acc=%.4f;", best.epoch, best.metrics["f1"], best.metrics["acc"])
    return outcome.stopped_by


def save_joined(
    plan: Plan, claimed: Claim, settings: TrainSettings, output: Path, stop: StopSignal, stopped_by: int | None
) -> int | None:
    """Makes the trained models answer together. Where training was stopped, those that are there do, if they can.
    Returns the signal that has stopped it, now or before (stopped_by)."""
    if stopped_by is None and plan.folds is not None:
        try:
            answer_out_of_fold(plan, claimed.run_dir, settings, output, stop)
        except Stopped:
            stopped_by = stop.received
    for join in plan.joins:
        folder = claimed.run_dir / join.place
        there = [member for member in join.members if is_saved_model(folder / member) or is_ensemble(folder / member)]
        if there == join.members or (there and join.combine == SOFT):
            save_ensemble(folder, there, [1.0] * len(there), join.combine, finished=stopped_by is None)
    return stopped_by


def tell_plan(settings: TrainSettings, trainer: Trainer, data: dict[str, Any]) -> None:
    """The settings in force and the numbers that follow from them, once."""
    chosen = ", ".join(f"{key}={value}" for key, value in differences(settings).items())
    others = {key: value for key, value in as_dict(settings).items() if key not in differences(settings)}
    log.info("settings that differ from their defaults: %s", chosen or "none")
    log.info("settings at their defaults: %s", ", ".join(f"{key}={value}" for key, value in others.items()))
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
    power, strength = settings.sampler_power, settings.class_weights_strength
    kinds = {str(head_setting(settings, head.name, "class_weights")) for head in heads.heads}
    for warning in {double_correction(power, kind, strength) for kind in kinds} - {None}:
        log.warning("%s", warning)
    if trainer.validator is None and (settings.early_stopping or settings.scheduler == "ReduceLROnPlateau"):
        log.warning("there is no validation: early_stopping and ReduceLROnPlateau have nothing to go by")


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
    job_script.run(main)
