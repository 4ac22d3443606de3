"""Datasets of a run: the tables to train and validate on, made from its channels, a split or lists of groups."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.atomic_write import write_frame, write_json
from model.data.checked_tables import UNREADABLE_CSV
from model.data.correction_files import records_by_log
from model.data.correction_record import merged
from model.data.crops import CROPS, read_crops
from model.data.leaks import check_channels, warn_of_duplicates
from model.data.pixel_range import find_range
from model.data.readers.split_names import TRAIN, VALIDATION
from model.data.split_report import MAX_CLASSES, SplitReport, report_split
from model.data.splits import split
from model.data.table import SIDE, Table
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import HEADS, JOINT, normal_text, target_scheme
from model.settings.train import TrainSettings

LABEL_VALUES = "label values"
ADDED_DATA = (LABEL_VALUES,)  # entries of the identity that checkpoints of earlier versions do not have

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Datasets:
    """The tables of a run with the labels of its target.

    Attributes:
        train: Images to train on.
        validation: Images to validate on, if any.
        report: Counts of both sides; None without validation.
        given: Training images before --clean changed their labels; None without --clean.
        cleaning: What --clean changed, for metrics.json.
    """

    train: Table
    validation: Table | None
    report: SplitReport | None = None
    given: Table | None = None
    cleaning: Mapping[str, Any] | None = None

    @property
    def _tables(self) -> list[Table]:
        """Training and validation images with the labels of the channel."""
        train = self.train if self.given is None else self.given
        return [train] if self.validation is None else [train, self.validation]

    def identity(self) -> dict[str, Any]:
        """What must be equal, in addition to the settings, for a run to be resumed."""
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
        """The description of the data for metrics.json and the model card."""
        crops = read_crops(self.train.root)
        return {
            "name": "/".join(self.train.root.absolute().parts[-2:]),  # the folder's own name is often just `train`
            "ids": self.content_ids(),
            "source": self.train.source,
            "grouped_by": self.train.grouped_by,
            "train": _counts(self.train),
            "validation": None if self.validation is None else _counts(self.validation),
            "split": self.report.to_dict() if self.report else None,
            "corrections": [merged(records).to_dict() for records in records_by_log(self._tables)],
            "cleaning": None if self.cleaning is None else dict(self.cleaning),
            **({CROPS: crops} if crops else {}),
        }

    def content_ids(self) -> dict[str, str]:
        """By attribute, a number (hex) of all images' paths and labels, the same for every split of a channel."""
        totals = dict.fromkeys(self.train.scheme.names, 0)
        for table in self._tables:
            paths = [path.encode("utf-8", "surrogateescape") for path in table.locations.paths]
            hashes = pd.util.hash_array(np.array(paths, dtype=object), categorize=False)
            for name, codes in table.codes().items():
                # sum of a hash per labelled row: the order does not matter
                rows = pd.util.hash_array(hashes[codes >= 0] ^ codes[codes >= 0].astype(np.uint64))
                totals[name] += int(rows.sum(dtype=np.uint64))
        return {name: f"{total % 2**64:016x}" for name, total in totals.items()}

    def save_split(self, folder: Path) -> None:
        """Logs the split and writes it to a folder.

        Writes split.csv (each image with its group, labels and side), split.json and, if unreadable images were
        skipped, unreadable.csv.
        """
        save_skipped(folder, self._tables)
        if self.report is None or self.validation is None:
            return
        sides = [self.train.frame().assign(**{SIDE: "train"}), self.validation.frame().assign(**{SIDE: "validation"})]
        write_split(folder, self.report, pd.concat(sides))

    def narrowed(self, target: str) -> Datasets:
        """The images that have a label of this target, with its labels only."""
        validation = self.validation and labelled_for(self.validation, target)
        return replace(self, train=labelled_for(self.train, target), validation=validation)


def labelled_for(table: Table, target: str) -> Table:
    """The rows that a target can train on, with its labels only. Target heads trains on rows with at least one label.

    Args:
        table: The images of a channel.
        target: joint, heads or the name of an attribute.

    Raises:
        InputError: The target is joint and a label is missing.
    """
    table = replace(table, scheme=target_scheme(table.scheme, target))
    is_labelled = table.has_all_labels()
    if target == HEADS or is_labelled.all():
        return table
    if target == JOINT:
        counts = (table.labels[list(table.scheme.names)] < 0).sum()
        missing = listing(f"{name} {count:,}" for name, count in counts.items() if count)
        raise InputError(
            f"{table.source}: target joint requires every label of an image, and {(~is_labelled).sum():,} images have "
            f"missing labels ({missing}); --target heads trains on images with missing labels too"
        )
    log.info("skipped %s images without a label of %s", f"{(~is_labelled).sum():,}", target)
    return table.take(np.flatnonzero(is_labelled))


def save_skipped(folder: Path, tables: Sequence[Table]) -> None:
    """Writes unreadable.csv, the images that were skipped because they cannot be read, if there are any."""
    # Tables that were split from one channel both list its unreadable images
    skipped = dict.fromkeys((str(table.root), *image) for table in tables for image in table.skipped)
    if skipped:
        log.info("list of the unreadable images: %s", folder / UNREADABLE_CSV)
        write_frame(folder / UNREADABLE_CSV, pd.DataFrame(list(skipped), columns=["channel", "path", "error"]))


def write_split(folder: Path, report: SplitReport, images: pd.DataFrame) -> None:
    """Logs a report and writes it as split.json, and the images with their sides as split.csv."""
    log.info("%s", report.text())
    split_json = folder / "split.json"
    write_json(split_json, report.to_dict())
    if len(report.class_names) > MAX_CLASSES:
        log.info("all %s classes: %s", f"{len(report.class_names):,}", split_json)
    write_frame(folder / "split.csv", images)


def _counts(table: Table) -> dict[str, Any]:
    return {
        "pictures": len(table),
        "groups": len(set(table.groups)),
        "class_counts": table.class_counts().tolist(),
    }


def make_datasets(settings: TrainSettings, train: Table, validation: Table | None) -> Datasets:
    """Selects the labels of the target and, without a validation channel, splits train as the settings say.

    Args:
        settings: Target, split column, lists of groups, or share of validation.
        train: Table of the training channel.
        validation: Table of the validation channel, if any.

    Raises:
        InputError: Lists of groups do not match the tables or each other, or the channels overlap.
    """
    train = labelled_for(train, settings.target)
    if validation is not None:
        if settings.validation_groups:
            raise InputError(
                "validation_groups and a validation channel both define the validation images; set only one"
            )
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
        log.warning(
            "all images are in one group, %s, which cannot be split, so there is no validation", train.groups[0]
        )
        return Datasets(train, None)
    return _hold_out_and_compare(train, validation_rows, settings.validation)


def _split_by_column(settings: TrainSettings, table: Table, sides: np.ndarray) -> Datasets:
    """Splits a table by its split column. If no row is for validation, the rows of train are split.

    sides: The side of each row, str (n,).
    """
    column = settings.split_column
    train_rows, validation_rows = np.flatnonzero(sides == TRAIN), np.flatnonzero(sides == VALIDATION)
    if not len(train_rows):
        raise InputError(f"split_column {column}: no image has the split {TRAIN}")
    if not len(validation_rows):
        log.info("split_column %s: no image has the split %s", column, VALIDATION)
        return make_datasets(replace(settings, split_column=None), replace(table, sides=None), None)
    if not settings.allow_overlap:
        both_sides = f"{TRAIN} and {VALIDATION} of split_column {column}"
        way_out = "; --allow_overlap true trains anyway"
        _refuse_shared_groups(table, train_rows, validation_rows, both_sides, way_out)
    return _hold_out_and_compare(table, validation_rows, len(validation_rows) / len(table))


def _refuse_shared_groups(
    table: Table, train_rows: np.ndarray, validation_rows: np.ndarray, both_sides: str, way_out: str = ""
) -> None:
    """Raises InputError if a group is on both sides.

    both_sides: Names of the two sides for the message; way_out: end of the message.
    """
    shared = sorted(set(table.groups[train_rows]) & set(table.groups[validation_rows]))
    if shared:
        groups = "1 group" if len(shared) == 1 else f"{len(shared):,} groups"
        raise InputError(f"{both_sides} share {groups}: {listing(shared)}{way_out}")


def _split_by_lists(settings: TrainSettings, table: Table) -> Datasets:
    """Splits a table by lists of groups.

    With validation_groups alone, train is the rest; with train_groups alone, validation is split off these groups.
    """
    if not settings.validation_groups:
        train_rows = _listed_rows(table, settings.train_groups)
        skipped = len(table) - len(train_rows)
        log.info("skipped %s images whose group is not in %s", f"{skipped:,}", settings.train_groups)
        return make_datasets(replace(settings, train_groups=None), table.take(train_rows), None)
    validation_rows = _listed_rows(table, settings.validation_groups)
    if settings.train_groups:
        train_rows = _listed_rows(table, settings.train_groups)
    else:
        train_rows = np.setdiff1d(np.arange(len(table)), validation_rows)
    both_sides = f"{settings.train_groups} and {settings.validation_groups}"
    _refuse_shared_groups(table, train_rows, validation_rows, both_sides)
    if not len(train_rows):
        raise InputError(f"{settings.validation_groups} lists every group; none is left to train on")
    skipped = len(table) - len(train_rows) - len(validation_rows)
    if skipped:
        log.info("skipped %s images whose group is in neither list", f"{skipped:,}")
    kept = table.take(np.concatenate([train_rows, validation_rows]))
    return _hold_out_and_compare(kept, np.arange(len(train_rows), len(kept)), None)


def _listed_rows(table: Table, path: str | None) -> np.ndarray:
    """Rows, int64 ascending, of the groups that a file lists.

    The file has one group per line, by name or by the folder of its images. Raises InputError if the file cannot be
    read, is empty, or lists a group that the table does not have.
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
        raise InputError(f"list of groups {path}: the file lists no group")
    return np.unique(np.concatenate(listed))


def _hold_out_and_compare(table: Table, validation_rows: np.ndarray, share: float | None) -> Datasets:
    """Calls hold_out, and warns if copies of an image are on both sides."""
    warn_of_duplicates(table, np.isin(np.arange(len(table)), validation_rows).astype(np.int64))
    return hold_out(table, validation_rows, share)


def hold_out(table: Table, validation_rows: Sequence[int] | np.ndarray, share: float | None) -> Datasets:
    """Splits a table in two.

    Args:
        table: The table.
        validation_rows: Rows to validate on; the others are to train on.
        share: The requested share of validation, for the report; None if its groups were listed.
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
    """The report of two channels."""
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
