"""The plan of a training job: which models it trains and which ensembles they form. There is one model, or one per
attribute (target separate), per fold (folds), or per attribute and fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts.ensemble import PRODUCT, SOFT
from model.data.datasets import Datasets, hold_out, labelled_for, make_datasets, save_skipped, write_split
from model.data.leaks import warn_of_duplicates
from model.data.split_report import SplitReport, report_split
from model.data.splits import assign
from model.data.table import SIDE, Table
from model.decisions import Decision
from model.errors import InputError, listing
from model.labels import HEADS, Scheme
from model.settings.choices import SEPARATE
from model.settings.train import TrainSettings
from model.training.decision import trained_decision
from model.training.learned_numbers import numbers_identity
from model.training.metadata import check_metadata, metadata_identity
from model.training.separate import settings_by_attribute


@dataclass(frozen=True)
class Run:
    """One model to train.

    Attributes:
        folder: Its folder, relative to the saved model's; "" if it is the only model.
        settings: Its settings.
        datasets: Its training and validation images.
        fold: The fold that is held out, from 0; None without folds.
        split: Name of its split in Plan.splits.
        decision: Rule that selects the class from its probabilities.
    """

    folder: str
    settings: TrainSettings
    datasets: Datasets
    fold: int | None = None
    split: str = ""
    decision: Decision = Decision()


@dataclass(frozen=True)
class EnsembleSpec:
    """An ensemble: models that predict together.

    Attributes:
        folder: Folder of its ensemble.json, relative to the saved model's; "" for the outermost ensemble.
        members: Folders of its models and ensembles, relative to its own.
        combine: How their probabilities are combined: SOFT (mean) or PRODUCT (over attributes).
        decision: Rule that selects the class from the combined probabilities.
    """

    folder: str
    members: list[str]
    combine: str
    decision: Decision


@dataclass(frozen=True)
class Plan:
    """All models of a training job.

    Attributes:
        runs: The models, in the order of training.
        ensembles: The ensembles of them, inner before outer.
        table: The training channel, reduced to the attributes of the target.
        channel: Label scheme of the whole channel.
        decision: Decision of the saved model, which is the only model or the outermost ensemble.
        folds: Fold of each row of table, int64 (n,); None without folds.
        validation: The validation images, including those that lack the label of an attribute; None with folds or
            without validation.
        report: How the channel was split; None if it was not split.
        splits: Training and validation images by name of the fold, with the labels of all attributes; by "" without
            folds.
    """

    runs: list[Run]
    ensembles: list[EnsembleSpec]
    table: Table
    channel: Scheme
    decision: Decision
    folds: np.ndarray | None = None
    validation: Table | None = None
    report: SplitReport | None = None
    splits: Mapping[str, Datasets] = field(default_factory=dict)

    @property
    def is_single(self) -> bool:
        """Whether there is only one model."""
        return not self.ensembles

    def identity(self) -> dict[str, Any]:
        """Identifies the data. An unfinished job is resumed only if this and its settings are unchanged."""
        settings, metadata = self.runs[0].settings, [metadata_identity(run.settings, run.datasets) for run in self.runs]
        numbers = [numbers_identity(settings, datasets) for datasets in self.splits.values()]
        further = next(filter(None, metadata), {}) | next(filter(None, numbers), {})
        return {**self.runs[0].datasets.identity(), **further}

    def text(self) -> str:
        """A readable summary of the channel, its attributes and its split."""
        table = self.table
        grouped = f" of {len(set(table.groups)):,} groups by {table.grouped_by}" if table.grouped_by else ""
        lines = [f"{table.root}: {table.source}, {len(table):,} images{grouped}"]
        for attribute in table.scheme.attributes:
            codes = table.labels[attribute.name]
            counts = np.bincount(codes[codes >= 0], minlength=len(attribute.values))
            by_value = listing(f"{value} {count:,}" for value, count in zip(attribute.values, counts))
            lines.append(f"{attribute.name}, {len(attribute.values):,} values: {by_value}")
        return "\n".join([*lines, *([self.report.text()] if self.report else [])])

    def save_split(self, folder: Path) -> None:
        """Logs the split, and writes split.csv (group, labels and side or fold of each image) and split.json."""
        if self.folds is None:
            self.runs[0].datasets.save_split(folder)
        elif self.report:
            save_skipped(folder, [self.table])
            sides = np.array(self.report.side_names)[self.folds]
            write_split(folder, self.report, self.table.frame().assign(**{SIDE: sides}))


def make_plan(settings: TrainSettings, train: Table, validation: Table | None) -> Plan:
    """Makes the plan for the settings `target` and `folds`. The models of all attributes hold out the same groups.

    Args:
        settings: Settings of the job.
        train: The training channel.
        validation: The validation channel; None if there is none.

    Raises:
        InputError: If the settings do not fit the channel.
    """
    is_separate = settings.target == SEPARATE
    table = train if is_separate else labelled_for(train, settings.target)
    if is_separate and len(train.scheme.attributes) < 2:
        only = listing(train.scheme.names)
        raise InputError(f"target separate needs at least two attributes; the channel has only {only}")
    if settings.folds and validation is not None:
        raise InputError("folds and a validation channel cannot be combined: each fold of train is held out in turn")
    # Split the channel once for all attributes: into folds, or into train and validation
    folds, report = _assign_folds(settings, table) if settings.folds else (None, None)
    if folds is None:
        whole = replace(settings, target=HEADS) if is_separate else settings
        splits = {"": make_datasets(whole, train, validation)}
    else:
        share = 1 / settings.folds
        splits = {
            name: hold_out(table, np.flatnonzero(folds == fold), share)
            for fold, name in enumerate(_fold_names(settings.folds))
        }
    # The decision is of joint classes. The models of folds share it, so that their votes are cast by equal biases
    decision = _decision(settings, table if settings.folds else splits[""].train)
    own_decision = Decision() if is_separate else decision
    # One model per attribute and fold. The folds of an attribute form an ensemble, and the attributes form another
    runs, ensembles = [], []
    for attribute, own_settings in settings_by_attribute(settings, train.scheme.names).items():
        check_metadata(own_settings, train.scheme)
        for fold, (fold_name, datasets) in enumerate(splits.items()):
            folder = "/".join(part for part in (_folder(attribute), fold_name) if part)
            own_datasets = datasets.narrowed(own_settings.target) if is_separate else datasets
            number = fold if settings.folds else None
            runs.append(Run(folder, own_settings, own_datasets, number, fold_name, own_decision))
        if settings.folds:
            ensembles.append(EnsembleSpec(_folder(attribute), list(splits), SOFT, own_decision))
    if is_separate:
        ensembles.append(EnsembleSpec("", [_folder(name) for name in train.scheme.names], PRODUCT, decision))
    whole_validation = None if settings.folds else splits[""].validation
    report = report or runs[0].datasets.report
    return Plan(runs, ensembles, table, train.scheme, decision, folds, whole_validation, report, splits)


def _decision(settings: TrainSettings, train: Table) -> Decision:
    """The decision that the settings define. Raises InputError with the classes' names if it does not fit them."""
    try:
        return trained_decision(settings, train)
    except InputError as error:
        raise InputError(f"decision_args: {error}; the classes are {listing(train.scheme.class_names, 20)}") from None


def _assign_folds(settings: TrainSettings, table: Table) -> tuple[np.ndarray, SplitReport]:
    classes, names = table.classes(), _fold_names(settings.folds)
    folds = assign(table.groups, table.strata().rows, [1.0] * settings.folds, settings.seed)
    warn_of_duplicates(table, folds)
    reached = np.bincount(folds, minlength=settings.folds)
    class_names, codes = table.scheme.class_names, table.codes()
    report = report_split(table.groups, classes, folds, class_names, names, table.grouped_by, reached, codes)
    return folds, report


def _fold_names(folds: int) -> list[str]:
    return [f"fold{number}" for number in range(1, folds + 1)]


def _folder(attribute: str) -> str:
    return attribute.replace("/", "-").lstrip(".")
