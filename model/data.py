"""The tables that a run learns from and chooses by, read from its channels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.checking import check_pictures
from model.faults import InputError, Problems
from model.hardware import core_count
from model.heads import target_scheme
from model.settings import TrainSettings
from model.splits import SplitReport, describe, split
from model.table import Table, read_channel
from model.writing import write_beside, write_json

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Data:
    """train, validation: narrowed to the target's attributes; report: how validation was split off, None where it is
    a channel of its own or there is none."""

    train: Table
    validation: Table | None
    report: SplitReport | None = None

    def identity(self) -> dict[str, Any]:
        """What a run must share, beside its settings, to be gone on with."""
        found = {"training data": self.train.fingerprint(), "training pictures": len(self.train)}
        if self.validation is not None:
            found |= {"validation data": self.validation.fingerprint(), "validation pictures": len(self.validation)}
        return found

    def summary(self) -> dict[str, Any]:
        """As metrics.json and the card tell of it."""
        return {
            "source": self.train.source,
            "grouped_by": self.train.grouped_by,
            "train": _counts(self.train),
            "validation": None if self.validation is None else _counts(self.validation),
            "split": self.report.to_dict() if self.report else None,
        }

    def save_split(self, folder: Path) -> None:
        """Tells the split; writes split.csv (every picture with its group, labels and side) and split.json."""
        if self.report is None or self.validation is None:
            return
        sides = [self.train.frame().assign(side="train"), self.validation.frame().assign(side="validation")]
        write_split(folder, self.report, pd.concat(sides))

    def narrowed(self, target: str) -> Data:
        """The same pictures for one target alone."""

        def narrow(table: Table) -> Table:
            return replace(table, scheme=target_scheme(table.scheme, target))

        return replace(self, train=narrow(self.train), validation=self.validation and narrow(self.validation))


def write_split(folder: Path, report: SplitReport, pictures: pd.DataFrame) -> None:
    """Tells a report; writes it as split.json, and pictures with their sides as split.csv."""
    log.info("%s", report.text())
    write_json(folder / "split.json", report.to_dict())
    with write_beside(folder / "split.csv") as path:
        pictures.to_csv(path, index=False)


def _counts(table: Table) -> dict[str, Any]:
    return {
        "pictures": len(table),
        "groups": len(set(table.groups)),
        "class_counts": table.class_counts().tolist(),
    }


def read_tables(
    settings: TrainSettings, train_dir: Path, validation_dir: Path | None, checked: Path
) -> tuple[Table, Table | None]:
    """The labelled channels. Every fault of both, those of a full decode of each picture included, is told in one
    InputError. checked: file that remembers which pictures were found good."""
    problems = [Problems(f"channel train ({train_dir})")]
    tables: list[Table | None] = [
        read_channel(
            train_dir,
            problems[0],
            layout=settings.layout,
            table=settings.table,
            picture_column=settings.picture_column,
            group_column=settings.group_column,
            metadata_columns=settings.metadata_columns,
            attributes=settings.attributes or None,
            age_cuts=settings.age_cuts,
        )
    ]
    if validation_dir is not None:
        problems.append(Problems(f"channel validation ({validation_dir})"))
        tables.append(
            read_channel(
                validation_dir,
                problems[1],
                layout=settings.layout,
                picture_column=settings.picture_column,
                group_column=settings.group_column,
                metadata_columns=settings.metadata_columns,
                attributes=settings.attributes or None,
                age_cuts=settings.age_cuts,
                scheme=tables[0].scheme if tables[0] is not None else None,
            )
        )
    for table, told in zip(tables, problems):
        if table is not None:
            check_pictures(table, told, settings.check, checked, workers=core_count())
    if any(problems):
        raise InputError("\n".join(str(told) for told in problems if told))
    train, *others = tables
    assert train is not None
    return train, others[0] if others else None


def make_data(settings: TrainSettings, train: Table, validation: Table | None) -> Data:
    """The tables narrowed to the target, a validation split off train where there is none and one is asked for."""
    scheme = target_scheme(train.scheme, settings.target)
    train = replace(train, scheme=scheme)
    if validation is not None:
        return Data(train, replace(validation, scheme=scheme))
    if not settings.validation:
        return Data(train, None)
    _, held_out = split(train.groups, train.classes(), settings.validation, settings.seed)
    return held_out_data(train, held_out, settings.validation)


def held_out_data(table: Table, held_out: Sequence[int] | np.ndarray, share: float) -> Data:
    """A table cut in two: rows held_out are the validation, which was wanted to be this share."""
    sides = np.zeros(len(table), np.int64)
    sides[held_out] = 1
    names = ["train", "validation"]
    report = describe(
        table.groups,
        table.classes(),
        sides,
        table.scheme.class_names,
        names,
        table.grouped_by,
        shares=(1 - share, share),
    )
    return Data(table.take(np.flatnonzero(sides == 0)), table.take(np.flatnonzero(sides == 1)), report)
