"""Trains an image classifier and saves it with its scores and a report.

Examples:
  python train.py --train_dir data/train
  python train.py --train_dir data/train --model resnet50 --epochs 20
  SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=runs python train.py --name faces

With an experiment file: python train.py --config configs/mask-resnet18.yaml --train_dir data/train
On two GPUs: torchrun --nproc_per_node 2 train.py --train_dir data/train

Reads:
  SM_CHANNEL_TRAIN              images and labels: a folder per class, a CSV file, a folder per person, a .lst file, a
                                manifest or tar shards
  SM_CHANNEL_VALIDATION         images and labels for validation, which select the best epoch (default: a part of the
                                training images; all images of a person stay on the same side)
  SM_CHANNEL_MODEL              a saved model, or its model.tar.gz, to start from; ignored if --weights is set, or if
                                this folder is SM_MODEL_DIR or inside SM_MODEL_DIR
Writes:
  SM_MODEL_DIR/NAME             the saved model (in SageMaker: /opt/ml/model)
  SM_MODEL_DIR/.checkpoints/    checkpoints, from which the same command resumes an interrupted run
  SM_OUTPUT_DATA_DIR/NAME       split.csv and split.json, which list the images of each split; tensorboard/; with
                                --folds also out_of_fold/, the out-of-fold predictions; with --clean also cleaned.csv,
                                the changed training labels, and with --training_dynamics training_dynamics.csv
                                (default: the folder of the saved model)
  SM_OUTPUT_DATA_DIR/NAME/validation
                                report.html, and gt.csv and output.csv of the validation images for evaluation.py
                                (default: SM_MODEL_DIR/NAME.validation)

Each variable also has a flag, which takes precedence: --train_dir, --validation_dir, --model_dir, --output_data_dir.
"""

from __future__ import annotations

import container.gc_pause  # noqa: F401

# isort: split
from container import job_script
from container.job_types import TRAIN

if __name__ == "__main__":
    job_script.check_command_line(TRAIN, __doc__ or "")  # --help and errors need no torch, which imports for seconds

# isort: split
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import evaluation
from container import settings_layers
from container.environment import Environment
from container.gpu_check import check_gpus
from container.locations import Locations
from container.next_commands import inference_command
from container.torchrun import refuse_alone
from model.answers.files import OUT_OF_FOLD, OUTPUT, TRUTH
from model.artifacts.discovery import is_finished, models_below
from model.artifacts.learnt_from import LearntFrom
from model.artifacts.saved_model import save_model
from model.atomic_write import write_frame
from model.data.checked_tables import read_tables
from model.errors import ExitCode, InputError
from model.evaluation.files import REPORT_HTML
from model.images.decode import allow_pixels
from model.runtime import distributed
from model.runtime.hardware import find_hardware
from model.runtime.signals import Stopped, StopSignal
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import as_dict
from model.settings.train import TrainSettings
from model.training.cleaning import Cleaning, cleaned_plan, decide, make_cleaning, predict_folds
from model.training.early_checks import check_early
from model.training.ensembles import save_ensembles
from model.training.fit import fit
from model.training.fitted_decision import fit_saved_decision
from model.training.held_out import VALIDATION, answer_validation
from model.training.job import TrainingJob
from model.training.plan import Plan, Run, make_plan
from model.training.progress import Outcome
from model.training.resume import Claim, RunLocation, claim
from model.training.run_metrics import run_metrics
from model.training.tracking.trackers import Trackers
from model.training.training_dynamics import TRAINING_DYNAMICS_CSV

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class TrainingEnd:
    """How a training job ended.

    Attributes:
        exit_code: Exit code of the job.
        model: Folder of the saved model; None if none was trained.
        report: report.html on the held-out images; None if there is none.
    """

    exit_code: int
    model: Path | None = None
    report: Path | None = None


def main(argv: Sequence[str] | None = None) -> int:
    return run_training(*settings_layers.read(TRAIN, argv, __doc__ or "")).exit_code


def run_training(settings: TrainSettings, env: Environment) -> TrainingEnd:
    """Runs the job with these settings in this environment."""
    # folders
    locations = Locations(env)
    locations.refuse_links(settings.follow_links)
    train_dir = locations.train_dir(settings.train_dir)
    validation_dir = locations.channel("validation", settings.validation_dir)
    for folder in filter(None, (train_dir, validation_dir)):
        locations.refuse_parts(folder, "every host reads images from the whole channel")
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
    cleaning = distributed.on_rank_zero(lambda: make_cleaning(settings, plan, tables[0]))
    if settings.check_only:
        log.info("%s\nno problems found; to train, run the same command without check_only", plan.text())
        return TrainingEnd(ExitCode.DONE)

    # the name to train under: new, or that of an unfinished run, which is resumed
    claimed, new_name = claim_name(settings, location, plan, cleaning)
    output = claimed.output_dir(locations.training_output_dir(settings.output_data_dir), location.is_packed)
    account = env.wandb_account(settings.wandb_project, settings.wandb_entity)

    with claimed.lock, StopSignal() as stop:
        live_curves = locations.live_curves_dir()
        job = TrainingJob(
            settings, plan, cleaning, claimed, hardware, stop, output, location.is_packed, account, live_curves
        )
        stopped_by, page = train_models(job)

    if stopped_by == signal.SIGINT:
        log.info("stopped by Ctrl-C after a checkpoint; the same command resumes from it")
        return TrainingEnd(ExitCode.INTERRUPTED)
    if stopped_by is not None and not models_below(claimed.run_dir):
        log.info("stopped by SIGTERM before a model was trained; the same command resumes from the checkpoint")
        return TrainingEnd(ExitCode.TERMINATED)
    if stopped_by is not None:
        log.info("stopped by SIGTERM; the same command resumes from the checkpoint")
    log.info("saved model: %s", claimed.run_dir)
    if page:
        log.info("report on the %s: %s", "out-of-fold predictions" if settings.folds else "validation images", page)
    if not location.is_packed:
        if new_name:
            log.info("%s", new_name)
        log.info("next: %s", inference_command(claimed.run_dir, train_dir, settings.eval_dir))
    return TrainingEnd(ExitCode.DONE, claimed.run_dir, page)


def start_from_earlier_model(settings: TrainSettings, earlier: Path | None) -> TrainSettings:
    """The settings with the weights of the channel `model`, if there is one and no other weights are named."""
    if earlier is None or settings.weights:
        return settings
    log.info("training starts from the weights of the channel `model`: %s", earlier)
    return replace(settings, weights=str(earlier))


def claim_name(
    settings: TrainSettings, location: RunLocation, plan: Plan, cleaning: Cleaning | None
) -> tuple[Claim, str]:
    """Claims the name to train under. Also returns Claim.new_name_text, which is logged here and at the end."""
    identity = {**as_dict(settings, only_result=True), **plan.identity(), **(cleaning.identity() if cleaning else {})}
    claimed = distributed.on_rank_zero(lambda: claim(settings.name, location, identity, settings.resume))
    new_name = claimed.new_name_text(settings.name, location)
    if new_name:
        log.info("%s", new_name)
    if location.is_packed and claimed.state is None and is_finished(claimed.run_dir):
        log.warning("%s contains the model of a finished run; this run replaces that model", claimed.run_dir)
    return claimed, new_name


def train_models(training: TrainingJob) -> tuple[int | None, Path | None]:
    """Trains and saves the models of a job, saves the ensembles of them, and writes the report.

    Returns:
        The signal that stopped training, None if it is finished; the path of report.html, None if there is none.
    """
    is_first, checkpoints, stopped_by = distributed.rank() == 0, training.claim.checkpoints, None
    # write the split, and mark a run of several models as started
    if is_first and not training.claim.finished:
        training.plan.save_split(training.output)
    if is_first and (training.cleaning or not training.plan.is_single):
        checkpoints.begin()
    # with --clean, change training labels, for which folds may be trained first
    if training.cleaning:
        training, stopped_by = clean_labels(training, training.cleaning)
    # train one model after another, until a signal stops training
    outcome = None
    for run in training.plan.runs if stopped_by is None else ():
        outcome = train_one(run, training)
        stopped_by = outcome.stopped_by if outcome else None
        if stopped_by is not None:
            break
    if stopped_by == signal.SIGINT:
        return stopped_by, None
    # from here on rank 0 works alone: ensembles, then the report
    distributed.stop()
    if is_first and not training.plan.is_single:
        stopped_by = save_ensembles(
            training.plan, training.claim.run_dir, training.settings, training.output, training.stop, stopped_by
        )
        if stopped_by is None:
            checkpoints.finish({})
    is_reported = is_first and stopped_by is None and training.settings.report
    return stopped_by, write_report(training, outcome) if is_reported else None


def clean_labels(training: TrainingJob, cleaning: Cleaning) -> tuple[TrainingJob, int | None]:
    """Changes training labels that out-of-fold predictions contradict, after training the folds of --clean auto.

    Returns:
        The job with the changed labels; the signal that stopped the folds, None if they are finished.
    """
    for job in cleaning.jobs:
        claimed, live_curves = job.claim(training.claim), training.live_curves and training.live_curves / job.folder
        if distributed.on_rank_zero(claimed.checkpoints.is_finished):
            continue
        output = training.output / job.folder
        folds = replace(training, plan=job.plan, claim=claimed, output=output, live_curves=live_curves)
        for run in job.plan.runs:
            outcome = train_one(run, folds)
            if outcome and outcome.stopped_by is not None:
                return training, outcome.stopped_by
        predict = partial(predict_folds, job, claimed.checkpoints, training.settings, training.stop)
        stopped_by = distributed.on_rank_zero(predict)
        if stopped_by is not None:
            return training, stopped_by
    # judge the labels of each split, and train on the changed ones
    judge = partial(decide, cleaning, training.plan, training.claim.checkpoints.folder, training.output)
    decisions = distributed.on_rank_zero(judge)
    return replace(training, plan=cleaned_plan(training.plan, decisions)), None


def write_report(training: TrainingJob, outcome: Outcome | None) -> Path | None:
    """Writes the predictions for the held-out images and the report on them; with fit_decision, fits the decision.

    They are written to the output folder or, without one, next to the model's folder, but never into a folder that
    SageMaker packs. Errors are only logged, because the model is already saved.

    Args:
        training: The training job.
        outcome: Outcome of the training, if the job has one model. With several models the images are predicted again.

    Returns:
        Path of report.html; None if there are no held-out images or no folder to write to.
    """
    plan, run_dir = training.plan, training.claim.run_dir
    has_output = training.output != run_dir
    if training.is_packed and not has_output:
        if training.settings.fit_decision:
            log.warning("the decision is not fitted: there is no output folder for held-out predictions")
        return None
    folder = training.output / VALIDATION if has_output else run_dir.with_name(f"{run_dir.name}.{VALIDATION}")
    try:
        if plan.folds is not None:
            folder, root = training.output / OUT_OF_FOLD, plan.table.root
        else:
            probabilities = outcome.probabilities if outcome and plan.is_single else None
            validation = answer_validation(plan, run_dir, training.settings, folder, probabilities, training.stop)
            if validation is None:
                if training.settings.fit_decision:
                    log.warning("the decision is not fitted: there are no validation images")
                return None
            root = validation.root
        settings = EvaluationSettings(pictures=str(root), thumbnails=training.settings.thumbnails_or("full"))
        evaluation.score(settings, folder / TRUTH, folder / OUTPUT, folder)
        fit_saved_decision(training.settings, run_dir, folder)
    except (InputError, OSError) as error:
        log.warning("the report on the held-out images could not be written: %s", error)
        return None
    except Stopped:
        return None
    return folder / REPORT_HTML


def train_one(run: Run, training: TrainingJob) -> Outcome | None:
    """Trains and saves one model, or resumes it from its checkpoint. Returns its outcome; None if an earlier start
    finished the model, which is then kept."""
    settings = replace(run.settings, name=training.claim.name)
    # folder, checkpoints and state of this model
    folder, checkpoints, state = training.claim.run_dir, training.claim.checkpoints, training.claim.training_state
    if not training.plan.is_single:
        log.info("\n%s of %s", run.folder, training.claim.name)
        folder, checkpoints = folder / run.folder, checkpoints.member(run.folder)
        state = distributed.on_rank_zero(checkpoints.newest)
    is_finished_before = state is not None and state["finished"]
    if is_finished_before and not training.plan.is_single and is_finished(folder):
        log.info("already finished")
        return None
    if is_finished_before:
        log.info(
            "the run %r is finished, but its saved model is missing; the model is written again", training.claim.name
        )
    # train, then save the model; Ctrl-C leaves only the checkpoint
    with Trackers() as trackers:
        if distributed.rank() == 0 and not is_finished_before:
            trackers.trackers = training.trackers_of(run, settings, checkpoints)
        outcome = fit(
            settings,
            run.datasets,
            channel=training.plan.channel,
            decision=run.decision,
            hardware=training.hardware,
            checkpoints=checkpoints,
            stop=training.stop,
            tracker=trackers,
            state=state,
            epochs_dir=training.epochs_dir(folder, checkpoints),
        )
        if distributed.rank() == 0 and outcome.stopped_by != signal.SIGINT:
            if outcome.dynamics is not None:
                write_frame(training.output / run.folder / TRAINING_DYNAMICS_CSV, outcome.dynamics)
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


if __name__ == "__main__":
    job_script.run(main)
