"""Trains a model on a folder of images and saves it with its settings, labels, preprocessing, scores and card.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=runs python train.py --name faces --epochs 10
    torchrun --nproc_per_node 2 train.py --config configs/mask-resnet18.yaml --train_dir data/train

Reads   SM_CHANNEL_TRAIN        images and labels: profile folders, class folders, a CSV, .lst or a manifest
        SM_CHANNEL_VALIDATION   others to choose the weights by; else a part of train, whole persons (--validation)
        SM_CHANNEL_MODEL        a saved model, or its model.tar.gz, whose weights are where training begins (else
                                --weights, --pretrained); not looked at where it is SM_MODEL_DIR or in it
Writes  SM_MODEL_DIR/NAME       the saved model (SM_MODEL_DIR itself where that is SageMaker's /opt/ml/model)
        SM_OUTPUT_DATA_DIR/NAME split.csv and split.json: who is on which side; tensorboard/: the run as it goes; with
                                --folds out_of_fold/, the answers to every row of the channel; else beside the model
        .../NAME/validation     report.html, a page on the validation images and the saved model's answers to them,
                                with gt.csv and output.csv for evaluation.py; else SM_MODEL_DIR/NAME.validation; with
                                --folds the page is in out_of_fold/
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision

import evaluation
from container import job_script, settings_layers
from container.gpu_check import check_gpus
from container.job_types import TRAIN
from container.locations import Locations
from container.torchrun import refuse_alone
from model import __version__
from model.answers.files import OUTPUT, TRUTH
from model.artifacts.discovery import is_finished
from model.artifacts.ensemble import SOFT, save_ensemble
from model.artifacts.files import is_ensemble, is_saved_model
from model.artifacts.learnt_from import LearntFrom
from model.artifacts.saved_model import save_model
from model.data.checked_tables import read_tables
from model.errors import ExitCode, InputError
from model.evaluation.files import REPORT_HTML
from model.images.decode import allow_pixels
from model.runtime import distributed
from model.runtime.hardware import Hardware, find_hardware
from model.runtime.signals import Stopped, StopSignal
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import as_dict
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.early_checks import check_early
from model.training.fit import fit
from model.training.held_out import VALIDATION, answer_validation
from model.training.out_of_fold import FOLDER as OUT_OF_FOLD
from model.training.out_of_fold import answer_out_of_fold
from model.training.plan import Plan, Run, make_plan
from model.training.progress import Outcome
from model.training.resume import Claim, RunLocation, claim
from model.training.tracking.base import Tracker
from model.training.tracking.console import make_console
from model.training.tracking.trackers import Trackers, make_trackers

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class TrainingJob:
    """What the models of a training job share.

    Attributes:
        settings: Settings of the job.
        plan: The models to train.
        claim: The name that the job trains under, with its folder and checkpoints.
        hardware: Where the models are trained.
        stop: Signals that end the job early.
        output: Folder of the split, TensorBoard's files, and the answers to held-out images with their report.
        is_packed: Whether the model is in /opt/ml/model, which SageMaker packs.
        account: Account at Weights & Biases; None if there is none.
        live_curves: Another folder for TensorBoard's files, which SageMaker copies to S3; None if there is none.
    """

    settings: TrainSettings
    plan: Plan
    claim: Claim
    hardware: Hardware
    stop: StopSignal
    output: Path
    is_packed: bool
    account: Mapping[str, str | None] | None
    live_curves: Path | None = None


def main(argv: Sequence[str] | None = None) -> int:
    # settings and folders
    settings, env = settings_layers.read(TRAIN, argv, __doc__ or "")
    locations = Locations(env)
    locations.refuse_links(settings.follow_links)
    train_dir = locations.train_dir(settings.train_dir)
    validation_dir = locations.channel("validation", settings.validation_dir)
    for folder in filter(None, (train_dir, validation_dir)):
        locations.refuse_parts(folder, "each of them reads images from all of it")
    models = locations.models_dir(settings.model_dir)
    checkpoints_dir = locations.checkpoints_dir(settings.checkpoint_dir, models)
    location = RunLocation(models, checkpoints_dir, locations.is_packed(models))
    settings = start_from_earlier_model(settings, locations.earlier_model(models))
    refuse_alone("processes_per_host", settings.processes_per_host, env.world, "train")

    # machine, images and labels, the models to train
    check_early(settings)  # a wrong name is an error before any image is read
    hardware = find_hardware(settings.device, settings.precision, settings.channels_last, env.local_rank)
    check_gpus(env, settings.device, hardware.gpu_problem)
    distributed.start(env.rank, env.world, hardware.device)
    allow_pixels(settings.max_pixels)
    checked = location.checkpoints / ".checked"
    tables = distributed.on_rank_zero(lambda: read_tables(settings, train_dir, validation_dir, checked))
    plan = make_plan(settings, *tables)
    if settings.check_only:
        log.info("%s\nno problems found; the same command without check_only trains", plan.text())
        return ExitCode.DONE

    # the name to train under, new or of an unfinished run that is resumed
    identity = {**as_dict(settings, only_result=True), **plan.identity()}
    claimed = distributed.on_rank_zero(lambda: claim(settings.name, location, identity, settings.resume))
    if location.is_packed and claimed.state is None and is_finished(claimed.run_dir):
        log.warning("%s holds the model of a finished run, which this one replaces", claimed.run_dir)
    output = output_dir(locations.training_output_dir(settings.output_data_dir), claimed, location.is_packed)
    account = env.wandb_account(settings.wandb_project, settings.wandb_entity)

    with claimed.lock, StopSignal() as stop:
        live_curves = locations.live_curves_dir()
        job = TrainingJob(settings, plan, claimed, hardware, stop, output, location.is_packed, account, live_curves)
        stopped_by, page = train_models(job)

    if stopped_by == signal.SIGINT:
        log.info("stopped by Ctrl-C after a checkpoint; the same command goes on from it")
        return ExitCode.INTERRUPTED
    if stopped_by is not None:
        log.info("stopped by SIGTERM; the same command goes on from the checkpoint")
    log.info("saved model: %s", claimed.run_dir)
    if page:
        log.info("report of the %s: %s", "out-of-fold answers" if settings.folds else "validation images", page)
    if not location.is_packed:
        log.info("next: python inference.py --eval_dir FOLDER --model_dir %s", claimed.run_dir)
    return ExitCode.DONE


def start_from_earlier_model(settings: TrainSettings, earlier: Path | None) -> TrainSettings:
    """The settings with the weights of the channel `model`, if there is one and no other weights are named."""
    if earlier is None or settings.weights:
        return settings
    log.info("the weights begin with those of the channel `model`: %s", earlier)
    return replace(settings, weights=str(earlier))


def output_dir(output: Path | None, claimed: Claim, is_packed: bool) -> Path:
    """The job's folder in the output directory; the saved model's folder if there is no output directory."""
    if output is None:
        return claimed.run_dir
    return output if is_packed else output / claimed.name


def train_models(training: TrainingJob) -> tuple[int | None, Path | None]:
    """Trains and saves the models of a job, and the ensembles of them, and writes the report.

    Returns:
        The signal that stopped it, None if it is finished; the page of the report, None if there is none.
    """
    is_first, checkpoints, stopped_by = distributed.rank() == 0, training.claim.checkpoints, None
    if is_first and not training.claim.finished:
        training.plan.save_split(training.output)
    if is_first and not training.plan.is_single:
        checkpoints.begin()
    outcome = None
    for run in training.plan.runs:
        outcome = train_one(run, training)
        stopped_by = outcome.stopped_by if outcome else None
        if stopped_by is not None:
            break
    if stopped_by == signal.SIGINT:
        return stopped_by, None
    distributed.stop()
    if is_first and not training.plan.is_single:
        stopped_by = save_ensembles(training, stopped_by)
        if stopped_by is None:
            checkpoints.finish({})
    is_reported = is_first and stopped_by is None and training.settings.report
    return stopped_by, write_report(training, outcome) if is_reported else None


def write_report(training: TrainingJob, outcome: Outcome | None) -> Path | None:
    """Writes the answers to the held-out images and the report on them.

    They go to the output folder, else beside the model's, never into one that SageMaker packs. An error is logged only:
    the model is saved.

    Args:
        training: The training job.
        outcome: Of the only model; with others the images are predicted once more.

    Returns:
        The page; None if there is nothing to report on, or nowhere to write it.
    """
    plan, run_dir = training.plan, training.claim.run_dir
    has_output = training.output != run_dir
    if training.is_packed and not has_output:
        return None
    folder = training.output / VALIDATION if has_output else run_dir.with_name(f"{run_dir.name}.{VALIDATION}")
    try:
        if plan.folds is not None:
            folder, root = training.output / OUT_OF_FOLD, plan.table.root
        else:
            probabilities = outcome.probabilities if outcome and plan.is_single else None
            validation = answer_validation(plan, run_dir, training.settings, folder, probabilities, training.stop)
            if validation is None:
                return None
            root = validation.root
        settings = EvaluationSettings(pictures=str(root), thumbnails=training.settings.thumbnails_or("full"))
        evaluation.score(settings, folder / TRUTH, folder / OUTPUT, folder)
    except (InputError, OSError) as error:
        log.warning("there is no report on the held-out images: %s", error)
        return None
    except Stopped:
        return None
    return folder / REPORT_HTML


def train_one(run: Run, training: TrainingJob) -> Outcome | None:
    """Trains and saves one model, resuming it from its checkpoint; a finished one is kept. Returns its outcome; None if
    it was finished before."""
    settings = replace(run.settings, name=training.claim.name)
    folder, checkpoints, state = training.claim.run_dir, training.claim.checkpoints, training.claim.state
    if not training.plan.is_single:
        log.info("\n%s of %s", run.folder, training.claim.name)
        folder, checkpoints = folder / run.folder, checkpoints.member(run.folder)
        state = distributed.on_rank_zero(checkpoints.newest)
    is_finished_before = state is not None and state["finished"]
    if is_finished_before and not training.plan.is_single and is_finished(folder):
        log.info("finished before")
        return None
    if is_finished_before:
        log.info("the run %r is finished; its saved model is written again", training.claim.name)
    with Trackers() as trackers:
        if distributed.rank() == 0 and not is_finished_before:
            trackers.trackers = trackers_of(run, training, settings, checkpoints)
        outcome = fit(
            settings,
            run.datasets,
            channel=training.plan.channel,
            hardware=training.hardware,
            checkpoints=checkpoints,
            stop=training.stop,
            tracker=trackers,
            state=state,
        )
        if distributed.rank() == 0 and outcome.stopped_by != signal.SIGINT:
            metrics = run_metrics(outcome, run.datasets.summary(), training.hardware)
            weights, heads = {name: value.numpy() for name, value in outcome.weights.items()}, outcome.heads
            parts = (outcome.settings, heads, outcome.pipeline, metrics, outcome.decision)
            save_model(folder, weights, *parts, learnt_from=LearntFrom.of(run.datasets))
            if outcome.stopped_by is None:
                checkpoints.finish(outcome.to_state())
    best = outcome.progress.best
    if best:
        log.info("best epoch=%d val_f1=%.4f; val_acc=%.4f;", best.epoch, best.metrics["f1"], best.metrics["acc"])
    return outcome


def trackers_of(run: Run, training: TrainingJob, settings: TrainSettings, checkpoints: Checkpoints) -> list[Tracker]:
    """The trackers of one model: the console, and those that the setting `tracking` asks for."""
    name = f"{settings.name}/{run.folder}".rstrip("/")
    id_file = checkpoints.folder / "wandb-id"
    live = training.live_curves and training.live_curves / run.folder
    others = make_trackers(training.output / run.folder, name, settings, training.account, id_file, live)
    return [make_console(settings.epochs), *others]


def save_ensembles(training: TrainingJob, stopped_by: int | None) -> int | None:
    """Saves the ensembles of the trained models, after the out-of-fold answers if there are folds. If training was
    stopped, a mean is saved of the models that are there.

    Args:
        training: The training job.
        stopped_by: The signal that stopped training; None if it is finished.

    Returns:
        The signal that stopped training or this; None if both are finished.
    """
    if stopped_by is None and training.plan.folds is not None:
        try:
            answer_out_of_fold(training.plan, training.claim.run_dir, training.settings, training.output, training.stop)
        except Stopped:
            stopped_by = training.stop.received
    for ensemble in training.plan.ensembles:
        folder = training.claim.run_dir / ensemble.folder
        members = [name for name in ensemble.members if is_saved_model(folder / name) or is_ensemble(folder / name)]
        if members == ensemble.members or (members and ensemble.combine == SOFT):
            weights, is_finished = [1.0] * len(members), stopped_by is None
            save_ensemble(folder, members, weights, ensemble.combine, ensemble.decision, finished=is_finished)
    return stopped_by


def run_metrics(outcome: Outcome, data: dict[str, Any], hardware: Hardware) -> dict[str, Any]:
    """The content of metrics.json. data: `Datasets.summary()`."""
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
