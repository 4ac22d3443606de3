"""Suspects that are accepted without a reviewer: labels that `python -m exploration noise` doubts are replaced.

A label whose score is high enough gets the suggested label; without a suggestion its image is left out. A share of each
class's images may change, the highest scores first. Imports no torch. Training (--clean suspects.csv) applies the
result.
"""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts.fingerprint import file_digest
from model.cleaning.agreement import (
    CAPPED,
    DROPPED,
    KEPT,
    RELABELLED,
    ROUNDING,
    UNKNOWN,
    Actions,
    keep_unknown_combinations,
    rule_from,
)
from model.cleaning.suspects import GROUP, SUSPECT_COLUMNS, Suspect, collect_suspects
from model.cleaning.temperature import Codes
from model.cleaning.verdicts import RIGHT, LabelJudge
from model.data.corrected_labels import LabelReader
from model.data.corrections import DELETE, RELABEL, Correction
from model.data.table import Table
from model.errors import Problems

REVIEWER = "suspects"  # in corrections
SIGNS = ("attribute", "score")  # columns of suspects.csv that probabilities of classes do not have
STALE, UNKNOWN_VALUE, REPEATED = "labels that have changed since", "unknown values", "labels that several rows doubt"

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class AcceptanceRule:
    """When a suspect is accepted.

    Attributes:
        relabel_at: Least probability that the label is wrong.
        cap: Largest share of a class's images whose labels may be changed.
    """

    relabel_at: float = 0.6
    cap: float = 0.3

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> AcceptanceRule:
        """The rule with some of its arguments. Raises InputError for unknown names and values that are no shares."""
        return rule_from(cls, arguments)


def is_suspects_file(path: Path) -> bool:
    """Whether a file is a list of suspects, by its header; False for other files, folders and missing ones."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return all(name in header for name in SIGNS) and header[0] in SUSPECT_COLUMNS


@dataclass(frozen=True)
class SuspectsFile:
    """The suspects of a channel.

    Attributes:
        digest: Hash of the file's content (BLAKE2b).
        table: The channel, to whose rows the suspects refer.
        suspects: In the order of the file, without those whose label a reviewer has decided about.
    """

    digest: str
    table: Table
    suspects: Sequence[Suspect]


def read_accepted(path: Path, table: Table, reviewed: Iterable[Correction] = ()) -> SuspectsFile:
    """Reads suspects.csv and checks that every row fits the channel.

    Args:
        path: The file.
        table: The whole channel, with its corrections.
        reviewed: The log of these corrections. A label that a reviewer has changed or kept stays, and the log may have
            deleted images of the file.

    Raises:
        InputError: The file is missing or invalid, or has images, attributes or values that the channel does not have,
            labels that differ from the channel's, or several rows for one label; lists all problems.
    """
    decided, problems = list(reviewed), Problems(str(path))
    skips = bool(decided or table.skipped)  # these images are not in the table
    suspects = collect_suspects(path, table, problems, skips)
    is_decided = LabelJudge(table).judge(decided).status == RIGHT
    readers = {attribute.name: LabelReader(attribute) for attribute in table.scheme.attributes}
    kept, lines = [], dict[tuple[str, int], int]()
    for suspect in suspects:
        column = table.scheme.names.index(suspect.attribute)
        if is_decided[list(suspect.rows), column].any():
            continue
        _check(suspect, table, readers[suspect.attribute], lines, problems)
        kept.append(suspect)
    problems.raise_if_any()
    if skips and not suspects:
        log.warning("%s names no image of %s that is left after corrections", path, table.root)
    return SuspectsFile(file_digest(path), table, kept)


def _check(
    suspect: Suspect, table: Table, reader: LabelReader, lines: dict[tuple[str, int], int], problems: Problems
) -> None:
    """Adds a problem for unknown values, a label that has changed, and a label that another row doubts.

    Args:
        suspect: The suspect.
        table: The channel.
        reader: Reads the values of its attribute.
        lines: By attribute and row of the table, the line of the file that doubts the label; is completed.
        problems: Collects what is wrong.
    """
    where, path = f"line {suspect.line}", table.locations.paths[suspect.rows[0]]
    for text in filter(None, (suspect.given, suspect.suggested)):
        if reader.read(text) is None:
            problems.add(UNKNOWN_VALUE, f"{where}: {reader.problem(text, problems.shows_next(UNKNOWN_VALUE))}")
    codes, given = table.labels[suspect.attribute].to_numpy(np.int64), reader.read(suspect.given)
    numbers = table.numbers.get(suspect.attribute)
    # of a group all images have the class; the number is that of any, as that of a person's photographs may differ
    present = [(int(codes[row]), np.nan if numbers is None else float(numbers.iloc[row])) for row in suspect.rows]
    fits = any(reader.equals(one, suspect.given) for one in present)
    if given is not None and not (fits and all(code == given[0] for code, _ in present)):
        now = next((code for code, _ in present if code != given[0]), present[0][0])
        label = reader.attribute.values[now] if now >= 0 else "no label"
        if now == given[0]:
            label = f"{present[0][1]:.12g}"
        problems.add(
            STALE,
            f"{where}: {path!r}, {suspect.attribute} {suspect.given} in the file, {label} in the channel",
            "Run python -m exploration noise again.",
        )
    earlier = {lines.setdefault((suspect.attribute, row), suspect.line) for row in suspect.rows} - {suspect.line}
    if earlier:
        problems.add(REPEATED, f"{where}: {path!r}, {suspect.attribute}, as in line {min(earlier)}")


@dataclass(frozen=True)
class Acceptance:
    """What happens to the suspects of a table.

    Attributes:
        table: The images with their labels.
        suspects: The suspects whose score is high enough, with rows of this table, the highest score first.
        actions: int8 (n, A), KEPT, RELABELLED, DROPPED, CAPPED or UNKNOWN of each image and attribute.
        doubted: Number of suspects of each attribute, whatever their score.
    """

    table: Table
    suspects: Sequence[Suspect]
    actions: Actions
    doubted: Mapping[str, int]

    @property
    def left_out(self) -> int:
        """Number of images that are left out."""
        return int((self.actions == DROPPED).any(axis=1).sum())

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of images by attribute and by what happens to their label, and of suspects (judged)."""
        names = {RELABELLED: "relabelled", DROPPED: "dropped", CAPPED: "capped", UNKNOWN: "unknown"}
        return {
            attribute: {"judged": self.doubted.get(attribute, 0)}
            | {text: int((self.actions[:, column] == action).sum()) for action, text in names.items()}
            for column, attribute in enumerate(self.table.scheme.names)
        }

    def corrections(self) -> list[Correction]:
        """The changes as rows of a log of corrections: one for a group whose images all change, otherwise one per
        image."""
        time, changes = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), list[Correction]()
        paths = self.table.locations.paths
        for suspect in self.suspects:
            own = self.actions[list(suspect.rows), self.table.scheme.names.index(suspect.attribute)]
            change = (suspect.attribute, RELABEL, suspect.suggested, suspect.given)
            change = change if suspect.suggested else ("", DELETE, "", "")
            rows = [row for row, action in zip(suspect.rows, own) if action in (RELABELLED, DROPPED)]
            group = str(self.table.groups[suspect.rows[0]]) if self.table.grouped_by else ""
            group = "" if group == paths[suspect.rows[0]] else group
            if group and suspect.level == GROUP and len(rows) == len(suspect.rows):
                changes.append(Correction("", group, *change, REVIEWER, time, REVIEWER))
            else:
                changes += [Correction(paths[row], group, *change, REVIEWER, time, REVIEWER) for row in rows]
        return changes


def accept(table: Table, file: SuspectsFile, rule: AcceptanceRule, joint: bool = True) -> Acceptance:
    """Decides which labels of a table are changed.

    Args:
        table: Images of the channel, such as the training images. Suspects of other images and of attributes that it
            does not have are ignored.
        file: The suspects of the channel.
        rule: When a suspect is accepted.
        joint: Whether the cap holds for the joint classes too, because a model learns these.
    """
    position = {path: row for row, path in enumerate(table.locations.paths)}
    paths, names = file.table.locations.paths, table.scheme.names
    doubted: Counter[str] = Counter()
    accepted = []
    for suspect in file.suspects:
        rows = tuple(position[paths[row]] for row in suspect.rows if paths[row] in position)
        if not rows or suspect.attribute not in names:
            continue
        doubted[suspect.attribute] += 1
        if suspect.score >= rule.relabel_at:
            labels = (suspect.attribute, suspect.given, suspect.suggested)
            accepted.append(Suspect(rows, suspect.level, *labels, suspect.score, suspect.reason))
    accepted.sort(key=lambda suspect: -suspect.score)
    columns = [table.labels[name].to_numpy(np.int64) for name in names]
    columns += [table.classes()] if joint and len(names) > 1 else []
    actions, suggested = _capped(table, accepted, columns, rule.cap)
    keep_unknown_combinations(table, actions, suggested)
    return Acceptance(table, accepted, actions, doubted)


def _capped(table: Table, suspects: Sequence[Suspect], columns: Sequence[Codes], cap: float) -> tuple[Actions, Codes]:
    """The changes of labels (int8 (n, A)) and the suggested classes (int64 (n, A)), as far as the cap allows.

    At most the share `cap` of the images of a class may be changed, and never the last one.

    Args:
        table: The images.
        suspects: Suspects with rows of the table, the highest score first.
        columns: int64 (n,) for each attribute, its classes; a further one has the joint classes, if they count.
        cap: Largest share.
    """
    names = table.scheme.names
    actions = np.full((len(table), len(names)), KEPT, np.int8)
    suggested = np.stack(columns[: len(names)], axis=1)
    counts = [Counter(codes[codes >= 0].tolist()) for codes in columns]
    limits = [{code: min(int(cap * n + ROUNDING), n - 1) for code, n in own.items()} for own in counts]
    readers = [LabelReader(attribute) for attribute in table.scheme.attributes]
    lost: set[tuple[int, int, int]] = set()  # column, class and row of changed labels
    changed: Counter[tuple[int, int]] = Counter()
    for suspect in suspects:
        column = names.index(suspect.attribute)
        label = readers[column].read(suspect.suggested) if suspect.suggested else None
        # a dropped image is missing in the classes of all attributes, a relabelled one in its own and the joint class
        affected = range(len(columns)) if label is None else (column, *range(len(names), len(columns)))
        losses = {
            (other, int(columns[other][row]), row)
            for other in affected
            for row in suspect.rows
            if columns[other][row] >= 0 and (label is None or columns[column][row] != label[0])
        } - lost
        by_class = Counter((other, code) for other, code, _ in losses)
        rows = list(suspect.rows)
        if any(changed[key] + count > limits[key[0]][key[1]] for key, count in by_class.items()):
            actions[rows, column] = CAPPED
            continue
        lost |= losses
        changed += by_class
        actions[rows, column] = DROPPED if label is None else RELABELLED
        if label is not None:
            suggested[rows, column] = label[0]
    return actions, suggested
