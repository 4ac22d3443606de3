"""Datasets of a run: the tables it trains on and validates on, from its channels, a split or lists of groups."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.atomic_write import write_frame, write_json
from model.data.checked_tables import UNREADABLE_CSV
from model.data.leaks import check_channels, warn_of_duplicates
from model.data.pixel_range import find_range
from model.data.readers.split_names import TRAIN, VALIDATION
from model.data.split_report import SplitReport, report_split
from model.data.splits import split
from model.data.table import SIDE, Table
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import HEADS, JOINT, normal_text, target_scheme
from model.settings.train import TrainSettings

LABEL_VALUES = "label values"
ADDED_DATA = (LABEL_VALUES,)  # of the identity, what checkpoints of earlier versions lack

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Datasets:
    """The tables of a run, with the labels of its target only.

    Attributes:
        train: Images to train on.
        validation: Images to validate on, if any.
        report: What is on the two sides; None without validation.
    """

    train: Table
    validation: Table | None
    report: SplitReport | None = None

    def identity(self) -> dict[str, Any]:
        """What must be the same, beside the settings, for a run to be resumed."""
        identity = {
            "training data": self.train.fingerprint(),
            "training pictures": len(self.train),
            LABEL_VALUES: self.train.scheme.values_fingerprint(),
        }
        if self.validation is not None:
            identity |= {
                "validation data": self.validation.fingerprint(),
                "validation pictures": len(self.validation),
            }
        if pixel_range := find_range(self.train):
            identity["pixel values"] = list(pixel_range)
        return identity

    def summary(self) -> dict[str, Any]:
        """What metrics.json and the model card record."""
        return {
            "name": "/".join(self.train.root.absolute().parts[-2:]),  # `train` alone would say nothing
            "source": self.train.source,
            "grouped_by": self.train.grouped_by,
            "train": _counts(self.train),
            "validation": None if self.validation is None else _counts(self.validation),
            "split": self.report.to_dict() if self.report else None,
        }

    def save_split(self, folder: Path) -> None:
        """Logs the split; writes split.csv (each image with its group, labels and side) and split.json, and the
        images that were left out because they cannot be read."""
        save_left_out(folder, [table for table in (self.train, self.validation) if table is not None])
        if self.report is None or self.validation is None:
            return
        sides = [self.train.frame().assign(**{SIDE: "train"}), self.validation.frame().assign(**{SIDE: "validation"})]
        write_split(folder, self.report, pd.concat(sides))

    def narrowed(self, target: str) -> Datasets:
        """The same images with the labels of one target only."""

        validation = self.validation and labelled_for(self.validation, target)
        return replace(self, train=labelled_for(self.train, target), validation=validation)


def labelled_for(table: Table, target: str) -> Table:
    """The rows that a target can learn from, with its labels only. Target heads learns from rows with any label.

    InputError where target joint lacks the label of an optional attribute.
    """
    table = replace(table, scheme=target_scheme(table.scheme, target))
    is_labelled = table.has_all_labels()
    if target == HEADS or is_labelled.all():
        return table
    if target == JOINT:
        counts = (table.labels[list(table.scheme.names)] < 0).sum()
        missing = listing(f"{name} {count:,}" for name, count in counts.items() if count)
        raise InputError(
            f"{table.source}: target joint needs every label of an image, and {(~is_labelled).sum():,} lack some "
            f"({missing}); --target heads learns from the labels that there are"
        )
    log.info("%s images without a label of %s left out", f"{(~is_labelled).sum():,}", target)
    return table.take(np.flatnonzero(is_labelled))


def save_left_out(folder: Path, tables: Sequence[Table]) -> None:
    """Writes the images that were left out of the tables because they cannot be read, if there are any."""
    # two tables have those of the channel that both were split from
    left_out = dict.fromkeys((str(table.root), *image) for table in tables for image in table.left_out)
    if left_out:
        write_frame(folder / UNREADABLE_CSV, pd.DataFrame(list(left_out), columns=["channel", "path", "error"]))


def write_split(folder: Path, report: SplitReport, images: pd.DataFrame) -> None:
    """Logs a report and writes it as split.json, and the images with their sides as split.csv."""
    log.info("%s", report.text())
    write_json(folder / "split.json", report.to_dict())
    write_frame(folder / "split.csv", images)


def _counts(table: Table) -> dict[str, Any]:
    return {
        "pictures": len(table),
        "groups": len(set(table.groups)),
        "class_counts": table.class_counts().tolist(),
    }


def make_datasets(settings: TrainSettings, train: Table, validation: Table | None) -> Datasets:
    """Narrows the tables to the target and, without a validation channel, splits a validation off train if one is set.

    Raises:
        InputError: Lists of groups do not fit the tables or each other.
    """
    train = labelled_for(train, settings.target)
    if validation is not None:
        if settings.validation_groups:
            raise InputError("validation_groups and a validation channel both name who is chosen by; give one of them")
        train = train.take(_listed_rows(train, settings.train_groups)) if settings.train_groups else train
        check_channels(train, validation, settings.allow_overlap)
        validation = labelled_for(validation, settings.target)
        return Datasets(train, validation, _report_channels(train, validation))
    if train.sides is not None:
        return _split_by_column(settings, train, train.sides)
    if settings.train_groups or settings.validation_groups:
        return _split_by_lists(settings, train)
    if not settings.validation:
        return Datasets(train, None)
    _, validation_rows = split(train.groups, train.strata().rows, settings.validation, settings.seed)
    if not len(validation_rows):
        log.warning("every image is of group %s, which cannot be parted: there is no validation", train.groups[0])
        return Datasets(train, None)
    return _hold_out_and_compare(train, validation_rows, settings.validation)


def _split_by_column(settings: TrainSettings, table: Table, sides: np.ndarray) -> Datasets:
    """Splits a table as its column says; without a row of validation, that is split off the others.

    sides: The side of each row, str (n,).
    """
    column = settings.split_column
    train_rows, validation_rows = np.flatnonzero(sides == TRAIN), np.flatnonzero(sides == VALIDATION)
    if not len(train_rows):
        raise InputError(f"split_column {column}: no image is of {TRAIN}")
    if not len(validation_rows):
        log.info("split_column %s: no image is of %s", column, VALIDATION)
        return make_datasets(replace(settings, split_column=None), replace(table, sides=None), None)
    if not settings.allow_overlap:
        both_sides = f"{TRAIN} and {VALIDATION} of split_column {column}"
        way_out = "; --allow_overlap true takes them as they are"
        _refuse_shared_groups(table, train_rows, validation_rows, both_sides, way_out)
    return _hold_out_and_compare(table, validation_rows, len(validation_rows) / len(table))


def _refuse_shared_groups(
    table: Table, train_rows: np.ndarray, validation_rows: np.ndarray, both_sides: str, way_out: str = ""
) -> None:
    """InputError where a group is on both sides.

    both_sides: What names the sides, for the message; way_out: its end.
    """
    shared = sorted(set(table.groups[train_rows]) & set(table.groups[validation_rows]))
    if shared:
        raise InputError(f"{both_sides} both hold {len(shared):,} groups: {listing(shared)}{way_out}")


def _split_by_lists(settings: TrainSettings, table: Table) -> Datasets:
    """Splits a table by lists of groups.

    With validation_groups alone, train is the rest; with train_groups alone, validation is split off these groups.
    """
    if not settings.validation_groups:
        train_rows = _listed_rows(table, settings.train_groups)
        log.info("%s images are of no group in %s", f"{len(table) - len(train_rows):,}", settings.train_groups)
        return make_datasets(replace(settings, train_groups=None), table.take(train_rows), None)
    validation_rows = _listed_rows(table, settings.validation_groups)
    if settings.train_groups:
        train_rows = _listed_rows(table, settings.train_groups)
    else:
        train_rows = np.setdiff1d(np.arange(len(table)), validation_rows)
    both_sides = f"{settings.train_groups} and {settings.validation_groups}"
    _refuse_shared_groups(table, train_rows, validation_rows, both_sides)
    if not len(train_rows):
        raise InputError(f"{settings.validation_groups} names every group; none is left to learn from")
    left_out = len(table) - len(train_rows) - len(validation_rows)
    if left_out:
        log.info("%s images are of no group in the lists", f"{left_out:,}")
    kept = table.take(np.concatenate([train_rows, validation_rows]))
    return _hold_out_and_compare(kept, np.arange(len(train_rows), len(kept)), None)


def _listed_rows(table: Table, path: str | None) -> np.ndarray:
    """Rows, int64 ascending, of the groups that a file lists, one per line, by name or by the folder of their images.

    InputError where the file cannot be read, names no group or one that the table does not have.
    """
    problems = Problems(f"list of groups {path}")
    try:
        lines = Path(path or "").read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"list of groups {path}: cannot be read: {error}") from None
    folders = [normal_text(name.rsplit("/", 2)[-2]) if "/" in name else "" for name in table.locations.paths]
    rows = pd.Series(np.arange(len(table)))
    rows_by_name = {**rows.groupby(np.array(folders, dtype=object)).indices, **rows.groupby(table.groups).indices}
    listed = []
    for number, line in enumerate(lines, 1):
        name = normal_text(line)
        if name and name not in rows_by_name:
            near = did_you_mean(name, rows_by_name) if problems.shows_next("unknown groups") else ""
            problems.add("unknown groups", f"line {number}: {name!r}{near}")
        elif name:
            listed.append(rows_by_name[name])
    problems.raise_if_any()
    if not listed:
        raise InputError(f"list of groups {path}: it names none")
    return np.unique(np.concatenate(listed))


def _hold_out_and_compare(table: Table, validation_rows: np.ndarray, share: float | None) -> Datasets:
    """As hold_out, with a warning where the sides hold the same image."""
    warn_of_duplicates(table, np.isin(np.arange(len(table)), validation_rows).astype(np.int64))
    return hold_out(table, validation_rows, share)


def hold_out(table: Table, validation_rows: Sequence[int] | np.ndarray, share: float | None) -> Datasets:
    """Splits a table in two.

    Args:
        table: The table.
        validation_rows: Rows to validate on; the others are to train on.
        share: The share of validation that was asked for, for the report; None where its groups were listed.
    """
    sides = np.zeros(len(table), np.int64)
    sides[validation_rows] = 1
    report = report_split(
        table.groups,
        table.classes(),
        sides,
        table.scheme.class_names,
        ["train", "validation"],
        table.grouped_by,
        shares=None if share is None else (1 - share, share),
        labels=table.codes(),
    )
    return Datasets(table.take(np.flatnonzero(sides == 0)), table.take(np.flatnonzero(sides == 1)), report)


def _report_channels(train: Table, validation: Table) -> SplitReport:
    """What is on the two sides where each is a channel of its own."""
    grouped = train.grouped_by and validation.grouped_by
    return report_split(
        np.concatenate([train.groups, validation.groups]) if grouped else np.arange(len(train) + len(validation)),
        np.concatenate([train.classes(), validation.classes()]),
        np.repeat([0, 1], [len(train), len(validation)]),
        train.scheme.class_names,
        ["train", "validation"],
        train.grouped_by if grouped else None,
        labels={name: np.concatenate([codes, validation.codes()[name]]) for name, codes in train.codes().items()},
    )
