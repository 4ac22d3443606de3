"""--clean: training labels that out-of-fold predictions contradict, or that are suspects, are changed before training.

The predictions are those of an earlier run with --folds, or of folds that are trained first (auto). With auto, the
folds of a split have only its training images, so no label of a validation image has any influence on a training label.
With --folds each fold of the job is such a split, with folds of its own. The suspects are those of suspects.csv, whose
labels are changed without a reviewer (model.cleaning.accepted). Validation labels are never changed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.answers.files import OUT_OF_FOLD
from model.attributes import normal_text
from model.cleaning.accepted import (
    Acceptance,
    AcceptanceRule,
    SuspectsFile,
    accept,
    is_suspects_file,
    read_accepted,
)
from model.cleaning.agreement import Agreement, AgreementRule, agree
from model.cleaning.predicted import OutOfFold, read_out_of_fold
from model.data.corrected_labels import apply_corrections
from model.data.correction_files import log_path
from model.data.corrections import Correction, read_corrections, write_corrections
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import JOINT
from model.runtime.signals import Stopped, StopSignal
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.out_of_fold import answer_out_of_fold
from model.training.plan import Plan, make_plan
from model.training.resume import Claim

AUTO = "auto"
SUSPECTS = "suspects"  # the source of the changes in metrics.json
FOLDS = 5  # of --clean auto without --folds
FOLDER = "clean"  # of the folds of --clean auto
MODELS = "models"  # of these folds, inside the folder of their checkpoints
CLEANED_CSV = "cleaned.csv"  # next to split.csv

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class FoldsJob:
    """The training of folds whose predictions judge the training labels of one split.

    Attributes:
        split: Name of the split in Plan.splits.
        plan: The folds of its training images.
    """

    split: str
    plan: Plan

    @property
    def folder(self) -> str:
        """Folder of the folds, relative to the job's folder of checkpoints or of outputs."""
        return f"{FOLDER}/{self.split}".rstrip("/")

    def claim(self, claim: Claim) -> Claim:
        """The name, folder and checkpoints of the folds. Their models are next to the checkpoints: they are not kept.

        claim: That of the whole job.
        """
        checkpoints = claim.checkpoints.member(self.folder)
        name = f"{claim.name}-{self.folder.replace('/', '-')}"
        return replace(claim, name=name, run_dir=checkpoints.folder / MODELS, checkpoints=checkpoints, state=None)


@dataclass(frozen=True)
class Decisions:
    """The changes of the training labels of one split.

    Attributes:
        corrections: The changes in the format of reviewers.
        record: Counts, for metrics.json and the model card.
    """

    corrections: list[Correction]
    record: dict[str, Any]


@dataclass(frozen=True)
class Cleaning:
    """How the training labels of a job are cleaned.

    Attributes:
        rule: When a label is changed.
        joint: Whether the models learn joint classes.
        jobs: The folds to train first, per split; none if predictions or suspects are read from a file.
        source: The predictions of an earlier run, or suspects; None for auto.
    """

    rule: AgreementRule | AcceptanceRule
    joint: bool
    jobs: list[FoldsJob]
    source: OutOfFold | SuspectsFile | None = None

    def identity(self) -> dict[str, Any]:
        """Identifies the predictions or suspects, in place of the setting `clean`, which may be a path."""
        return {FOLDER: AUTO if self.source is None else self.source.digest}


def clean_rule(settings: TrainSettings) -> AgreementRule | AcceptanceRule:
    """The rule of the setting `clean_args`. Raises InputError for unknown names and invalid values."""
    has_suspects = settings.clean not in (None, AUTO) and is_suspects_file(Path(settings.clean or ""))
    return AcceptanceRule.of(settings.clean_args) if has_suspects else AgreementRule.of(settings.clean_args)


def make_cleaning(settings: TrainSettings, plan: Plan, channel: Table) -> Cleaning | None:
    """Prepares --clean; None without it.

    Args:
        settings: Settings of the job.
        plan: Its models.
        channel: The whole training channel.

    Raises:
        InputError: The predictions or suspects cannot be read or do not fit the channel, or there are too few groups
            for the folds.
    """
    if not settings.clean:
        return None
    rule = clean_rule(settings)
    if isinstance(rule, AcceptanceRule):
        suspects = read_accepted(Path(settings.clean), channel, _reviewed(settings, channel))
        _warn_of_validation(_seen_validation(plan, suspects), f"{settings.clean} was found with")
        return Cleaning(rule, settings.target == JOINT, [], suspects)
    if settings.clean != AUTO:
        predictions = _earlier_predictions(Path(settings.clean))
        for datasets in plan.splits.values():
            predictions.of(datasets.train)
        seen = _seen_validation(plan, predictions)
        _warn_of_validation(seen, f"the models of {predictions.source} were trained on")
        return Cleaning(rule, settings.target == JOINT, [], predictions)
    own = replace(settings, folds=settings.folds or FOLDS, clean=None, clean_args={}, keep_epochs=0)
    own = replace(own, train_groups=None, validation_groups=None, split_column=None)
    jobs = [
        FoldsJob(name, make_plan(own, replace(datasets.train, sides=None), None))
        for name, datasets in plan.splits.items()
    ]
    log.info("--clean auto trains %s models on folds first", f"{sum(len(job.plan.runs) for job in jobs):,}")
    return Cleaning(rule, settings.target == JOINT, jobs)


def _reviewed(settings: TrainSettings, channel: Table) -> list[Correction]:
    """The log of the setting `corrections`, which has been read with the channel; empty without one."""
    for root in (channel.root, channel.root.parent) if settings.corrections else ():
        path = log_path(settings.corrections or "", root)
        if path.is_file():
            return read_corrections(path, Problems(""), settings.encoding)
    return []


def _warn_of_validation(seen: int, judges: str) -> None:
    """Logs that labels of `seen` validation images have an influence on training labels. judges: what was made of them,
    as the beginning of a sentence."""
    if seen:
        log.warning(
            "%s %s validation images, whose labels thereby affect training labels: validation scores may be slightly "
            "too high; --clean auto avoids this",
            *(judges, f"{seen:,}"),
        )


def _earlier_predictions(path: Path) -> OutOfFold:
    """The predictions that the setting `clean` names. Raises InputError if they are not out-of-fold predictions."""
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(
            f"clean = {path}: there is no such file or folder, expected auto or the folder {OUT_OF_FOLD} of a run with "
            f"--folds{did_you_mean(path.name, [*siblings, AUTO])}"
        )
    predictions = read_out_of_fold(path)
    if predictions.held_out != OUT_OF_FOLD:
        raise InputError(
            f"clean = {path}: these are not out-of-fold predictions; expected auto or the folder {OUT_OF_FOLD} of a "
            "run with --folds"
        )
    return predictions


def predict_folds(job: FoldsJob, checkpoints: Checkpoints, settings: TrainSettings, stop: StopSignal) -> int | None:
    """Writes the out-of-fold predictions of trained folds and removes their models, which are no longer needed.

    Args:
        job: The folds.
        checkpoints: Their checkpoints, next to which everything is written.
        settings: Batch size, workers, device and precision.
        stop: Signals that end it early.

    Returns:
        The signal that stopped it; None if it is finished.
    """
    models = checkpoints.folder / MODELS
    try:
        answer_out_of_fold(job.plan, models, settings, checkpoints.folder, stop)
    except Stopped:
        return stop.received
    checkpoints.clear()
    checkpoints.finish({})
    shutil.rmtree(models, ignore_errors=True)
    return None


def decide(cleaning: Cleaning, plan: Plan, checkpoints: Path, output: Path) -> dict[str, Decisions]:
    """Judges the training labels of each split, and writes the changes to cleaned.csv next to split.csv.

    Args:
        cleaning: How labels are cleaned.
        plan: The models of the job.
        checkpoints: Folder of its checkpoints, which has the predictions of --clean auto.
        output: Its output folder. With folds, each has its own cleaned.csv in a subfolder.
    """
    decisions = {}
    for name, datasets in plan.splits.items():
        source = cleaning.source
        if source is None:
            source = read_out_of_fold(checkpoints / FOLDER / name / OUT_OF_FOLD)
        judged = _judge(datasets.train, source, cleaning)
        corrections, record = judged.corrections(), _record(judged, cleaning, source, plan)
        file = output / name / CLEANED_CSV
        write_corrections(file, corrections)
        counts = listing(f"{attribute} {own['relabelled']:,}" for attribute, own in record["attributes"].items())
        log.info(
            "%scleaned training labels: relabelled %s; left out %s of %s images; list: %s",
            f"{name}: " if name else "",
            counts,
            f"{record['left_out']:,}",
            f"{len(datasets.train):,}",
            file,
        )
        capped = {attribute: own["capped"] for attribute, own in record["attributes"].items() if own["capped"]}
        if capped:
            log.info(
                "doubted, but kept: %s images; at most %g of a class may change, see cap of --clean_args",
                listing(f"{attribute} {count:,}" for attribute, count in capped.items()),
                cleaning.rule.cap,
            )
        decisions[name] = Decisions(corrections, record)
    return decisions


def _judge(table: Table, source: OutOfFold | SuspectsFile, cleaning: Cleaning) -> Agreement | Acceptance:
    """What happens to the labels of training images."""
    if isinstance(source, SuspectsFile):
        assert isinstance(cleaning.rule, AcceptanceRule)
        return accept(table, source, cleaning.rule, cleaning.joint)
    assert isinstance(cleaning.rule, AgreementRule)
    return agree(table, source.of(table), cleaning.rule, cleaning.joint)


def cleaned_plan(plan: Plan, decisions: Mapping[str, Decisions]) -> Plan:
    """The plan with the changed training labels. Its split, its validation images and its table are unchanged."""
    runs = []
    for run in plan.runs:
        own, given = decisions[run.split], run.datasets.train
        attributes = ("", *given.scheme.names)  # target separate: those of other attributes do not apply
        problems = Problems(CLEANED_CSV)
        table = apply_corrections(given, [row for row in own.corrections if row.attribute in attributes], problems)
        problems.raise_if_any()
        train = replace(table, corrected=given.corrected)
        runs.append(replace(run, datasets=replace(run.datasets, train=train, given=given, cleaning=own.record)))
    return replace(plan, runs=runs)


def _record(
    judged: Agreement | Acceptance, cleaning: Cleaning, source: OutOfFold | SuspectsFile, plan: Plan
) -> dict[str, Any]:
    """The content of `cleaning` in metrics.json: counts, and nothing about a single image."""
    counts: dict[str, dict[str, float]] = {name: dict(own) for name, own in judged.counts().items()}
    if isinstance(judged, Agreement):
        for name, temperature in judged.temperatures.items():
            counts[name]["temperature"] = round(temperature, 3)
    kind = SUSPECTS if isinstance(source, SuspectsFile) else OUT_OF_FOLD
    return {
        "predictions": AUTO if cleaning.source is None else kind,
        "hash": source.digest,
        "rule": vars(cleaning.rule) | {},
        "attributes": counts,
        "left_out": judged.left_out,
        "seen_validation": 0 if cleaning.source is None else _seen_validation(plan, source),
    }


def _seen_validation(plan: Plan, source: OutOfFold | SuspectsFile) -> int:
    """How many validation images have an influence on training labels: those that an earlier run predicted out of
    fold, as its models were trained on them, or all of a channel whose suspects were found with them."""
    return sum(
        sum(isinstance(source, SuspectsFile) or normal_text(path) in source.rows for path in own.locations.paths)
        for own in (datasets.validation for datasets in plan.splits.values())
        if own is not None and own.root == plan.table.root
    )
