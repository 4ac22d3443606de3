"""What one training command makes: one model, or several that answer together (an attribute each, a fold each)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts.ensemble import PRODUCT, SOFT
from model.data.datasets import Datasets, hold_out, make_datasets, write_split
from model.data.split_report import SplitReport, report_split
from model.data.splits import assign
from model.data.table import Table
from model.errors import InputError, did_you_mean, listing
from model.labels import JOINT, Scheme, target_scheme
from model.settings.fields import Layer, as_dict, build, canonical, names_in_sections
from model.settings.train import TrainSettings

SEPARATE = "separate"
OWN_SECTIONS = ("Sampling and loss", "Network", "Pictures", "Loop", "Machine")


@dataclass(frozen=True)
class Run:
    """One model to train. place: its folder below that of the whole, "" where it is the whole; fold: the part of the
    channel that it does not see."""

    place: str
    settings: TrainSettings
    data: Datasets
    fold: int | None = None


@dataclass(frozen=True)
class Join:
    """Models that answer together. place: the folder of ensemble.json; members: folders below it."""

    place: str
    members: list[str]
    combine: str


@dataclass(frozen=True)
class Plan:
    """runs: models in the order in which they are trained; joins: what they are joined to, innermost first; table:
    the training channel, narrowed to what is learnt; channel: its whole scheme; folds: int64 (n,), the part that each
    row of table belongs to, None without folds; report: what parting the channel did, None where nothing was parted."""

    runs: list[Run]
    joins: list[Join]
    table: Table
    channel: Scheme
    folds: np.ndarray | None = None
    report: SplitReport | None = None

    @property
    def is_one(self) -> bool:
        """Whether a single model is made."""
        return not self.joins

    def identity(self) -> dict[str, Any]:
        """What a command must share, beside its settings, to go on with what it began."""
        return self.runs[0].data.identity()

    def save_split(self, folder: Path) -> None:
        """Tells how the channel was parted; writes split.csv (every picture with its group, labels and part) and
        split.json."""
        if self.folds is None:
            self.runs[0].data.save_split(folder)
        elif self.report:
            parts = np.array(self.report.side_names)[self.folds]
            write_split(folder, self.report, self.table.frame().assign(side=parts))


def make_plan(settings: TrainSettings, train: Table, validation: Table | None) -> Plan:
    """The models that target and folds ask for, each with its settings and data. Every one leaves the same groups out,
    whatever it learns. InputError where the settings do not fit the channel."""
    separate = settings.target == SEPARATE
    whole = train if separate else replace(train, scheme=target_scheme(train.scheme, settings.target))
    if separate and len(train.scheme.attributes) < 2:
        raise InputError(f"target separate needs several attributes; the channel has {listing(train.scheme.names)}")
    if settings.folds and validation is not None:
        raise InputError("folds hold out each part of train in turn; with them a validation channel has no place")
    wholly = replace(settings, target=JOINT if separate else settings.target)
    folds, report = (_folds(settings, whole)) if settings.folds else (None, None)
    if folds is None:
        parts = {"": make_datasets(wholly, train, validation)}
    else:
        share = 1 / settings.folds
        parts = {
            f"fold{fold + 1}": hold_out(whole, np.flatnonzero(folds == fold), share) for fold in range(settings.folds)
        }
    runs, joins = [], []
    for attribute, own in _settings_of_each(settings, train.scheme.names).items():
        for fold, (part, data) in enumerate(parts.items()):
            place = "/".join(word for word in (_folder(attribute), part) if word)
            narrowed = data.narrowed(own.target) if separate else data
            runs.append(Run(place, own, narrowed, fold if settings.folds else None))
        if settings.folds:
            joins.append(Join(_folder(attribute), list(parts), SOFT))
    if separate:
        joins.append(Join("", [_folder(name) for name in train.scheme.names], PRODUCT))
    return Plan(runs, joins, whole, train.scheme, folds, report or runs[0].data.report)


def _folds(settings: TrainSettings, table: Table) -> tuple[np.ndarray, SplitReport]:
    classes, names = table.classes(), [f"fold{number + 1}" for number in range(settings.folds)]
    folds = assign(table.groups, classes, [1.0] * settings.folds, settings.seed)
    report = report_split(table.groups, classes, folds, table.scheme.class_names, names, table.grouped_by)
    return folds, report


def _settings_of_each(settings: TrainSettings, attributes: Sequence[str]) -> dict[str, TrainSettings]:
    """The settings of each attribute's model, or of the one there is, under "". InputError tells every fault."""
    alone = replace(settings, folds=0, separate={})
    if settings.target != SEPARATE:
        return {"": alone}
    alone = replace(alone, num_classes=0)  # that of the whole
    known = names_in_sections(TrainSettings, OWN_SECTIONS)
    faults, found = [], {}
    for name in settings.separate:
        if name not in attributes:
            faults.append(f"separate: {name!r} is not an attribute, expected {listing(attributes)}")
    for name in attributes:
        given = settings.separate.get(name) or {}
        if not isinstance(given, Mapping):
            faults.append(f"separate: {name}: expected settings by name, not {given!r}")
            continue
        unfit = [key for key in given if canonical(key) not in known]
        faults += [f"separate: {name}: {key} cannot be an attribute's own{did_you_mean(key, known)}" for key in unfit]
        if unfit:
            continue
        try:
            layers = [Layer("{}", {**as_dict(alone), "target": name}), Layer(f"separate: {name}: {{}}", given)]
            found[name] = build(TrainSettings, layers)
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    return found


def _folder(attribute: str) -> str:
    return attribute.replace("/", "-").lstrip(".")
