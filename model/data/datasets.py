"""The tables that a run learns from and chooses by, read from its channels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count

from model.atomic_write import write_beside, write_json
from model.data.channel import read_channel
from model.data.integrity import check_images
from model.data.splits import SplitReport, describe, split
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import target_scheme
from model.settings.train import TrainSettings

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Datasets:
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

    def narrowed(self, target: str) -> Datasets:
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
        same = settings.table if settings.table and (validation_dir / settings.table).is_file() else None
        tables.append(
            read_channel(
                validation_dir,
                problems[1],
                layout=settings.layout,
                table=same,
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
            check_images(table, told, settings.check, checked, workers=cpu_count())
    if any(problems):
        raise InputError("\n".join(str(told) for told in problems if told))
    train, *others = tables
    assert train is not None
    return train, others[0] if others else None


def make_datasets(settings: TrainSettings, train: Table, validation: Table | None) -> Datasets:
    """The tables narrowed to the target, a validation split off train where there is none and one is asked for."""
    scheme = target_scheme(train.scheme, settings.target)
    train = replace(train, scheme=scheme)
    if validation is not None:
        if settings.validation_groups:
            raise InputError("validation_groups and a validation channel both name who is chosen by; give one of them")
        train = train.take(_listed(train, settings.train_groups)) if settings.train_groups else train
        return Datasets(train, replace(validation, scheme=scheme))
    if settings.train_groups or settings.validation_groups:
        return _by_lists(settings, train)
    if not settings.validation:
        return Datasets(train, None)
    _, held_out = split(train.groups, train.classes(), settings.validation, settings.seed)
    if not len(held_out):
        log.warning("every picture is of group %s, which cannot be parted: there is no validation", train.groups[0])
        return Datasets(train, None)
    return hold_out(train, held_out, settings.validation)


def _by_lists(settings: TrainSettings, table: Table) -> Datasets:
    """The sides that lists of groups name. Where only one is named, validation is split off, or train is the rest."""
    if not settings.validation_groups:
        learnt = _listed(table, settings.train_groups)
        log.info("%s pictures are of no group in %s", f"{len(table) - len(learnt):,}", settings.train_groups)
        return make_datasets(replace(settings, train_groups=None), table.take(learnt), None)
    chosen = _listed(table, settings.validation_groups)
    everyone = np.arange(len(table))
    learnt = _listed(table, settings.train_groups) if settings.train_groups else np.setdiff1d(everyone, chosen)
    both = sorted(set(table.groups[learnt]) & set(table.groups[chosen]))
    if both:
        raise InputError(
            f"{settings.train_groups} and {settings.validation_groups} both hold {len(both):,} groups: {listing(both)}"
        )
    if not len(learnt):
        raise InputError(f"{settings.validation_groups} names every group; none is left to learn from")
    left_out = len(table) - len(learnt) - len(chosen)
    if left_out:
        log.info("%s pictures are of no group in the lists", f"{left_out:,}")
    kept = table.take(np.concatenate([learnt, chosen]))
    return hold_out(kept, np.arange(len(learnt), len(kept)), len(chosen) / len(kept))


def _listed(table: Table, path: str | None) -> np.ndarray:
    """Rows, rising, of the groups that a file lists, one a line: by the group's name or by its folder's."""
    problems = Problems(f"list of groups {path}")
    try:
        lines = Path(path or "").read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"list of groups {path}: cannot be read: {error}") from None
    folders = [name.rsplit("/", 2)[-2] if "/" in name else "" for name in table.locations.paths]
    rows = pd.Series(np.arange(len(table)))
    by_name = {**rows.groupby(np.array(folders, dtype=object)).indices, **rows.groupby(table.groups).indices}
    found = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if name and name not in by_name:
            problems.add("unknown groups", f"line {number}: {name!r}{did_you_mean(name, by_name)}")
        elif name:
            found.append(by_name[name])
    problems.raise_if_any()
    if not found:
        raise InputError(f"list of groups {path}: it names none")
    return np.unique(np.concatenate(found))


def hold_out(table: Table, held_out: Sequence[int] | np.ndarray, share: float) -> Datasets:
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
    return Datasets(table.take(np.flatnonzero(sides == 0)), table.take(np.flatnonzero(sides == 1)), report)
