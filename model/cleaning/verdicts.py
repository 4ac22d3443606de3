"""Verdicts of reviewers on labels: what the rows of a log of corrections say about each image and attribute, and which
of them belong to an audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.attributes import UNKNOWN, normal_text
from model.cleaning.grouped import rows_of_groups
from model.data.corrected_labels import LabelReader
from model.data.corrections import DELETE, KEEP, MARKED, RELABEL, Correction, Key, effective
from model.data.corrections import UNSURE as IS_UNSURE
from model.data.table import Table

NOT_REVIEWED, RIGHT, WRONG, UNSURE = -1, 0, 1, 2  # status of a label
AUDIT = "audit"  # source of the rows of an audit
SHARE_OF_GROUPS = 0.95  # of the groups whose images must agree for a label to be one of the group

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on n images and A attributes.

    Attributes:
        status: int8 (n, A), the verdict in force.
        census: bool (n, A), whether a review outside of the audit has seen the label.
        in_audit: bool (n, A), whether a row of the audit judges the label.
        looked_at: bool (n,), whether the audit has looked at all labels of the image: there is a row of the audit that
            is not a `keep` of a single attribute.
    """

    status: NDArray[np.int8]
    census: Flags
    in_audit: Flags
    looked_at: Flags

    def audited(self, positions: NDArray[np.int64], group_of_row: NDArray[np.int64]) -> Flags:
        """Whether the audit has reviewed each group of its sample, bool (sample, A).

        A group before the last reviewed one that a review of suspects had already judged counts too: the reviewer
        passed over it.

        Args:
            positions: int64 (sample,), groups of the sample in the order of review.
            group_of_row: int64 (n,), group of each image.
        """
        groups = int(group_of_row.max(initial=-1)) + 1
        looked_at, own, judged = (np.zeros((groups, self.status.shape[1]), dtype=bool) for _ in range(3))
        np.logical_or.at(looked_at, group_of_row, self.looked_at[:, None])
        np.logical_or.at(own, group_of_row, self.in_audit)
        np.logical_or.at(judged, group_of_row, self.status != NOT_REVIEWED)
        reviewed = (looked_at | own)[positions]
        passed = np.flip(np.logical_or.accumulate(np.flip(reviewed, 0), 0), 0)
        return reviewed | (passed & judged[positions])


def is_of_group(table: Table, name: str) -> bool:
    """Whether an attribute is one of the whole group, as the gender of a person: the labels of all images agree, in
    nearly every group that has several.

    Here a label of the group is changed, or counted, as one. This is only right if the labels agree, so the rule is
    stricter than grouped.is_constant, which recognises the attribute although many labels of single images are wrong.
    """
    if not table.grouped_by:
        return False
    codes = table.codes()[name]
    rows = codes >= 0
    if not rows.any():
        return False
    _, groups = np.unique(table.groups[rows].astype(str), return_inverse=True)
    low, high = np.full(groups.max() + 1, np.iinfo(np.int64).max), np.full(groups.max() + 1, -1)
    np.minimum.at(low, groups, codes[rows])
    np.maximum.at(high, groups, codes[rows])
    several = np.bincount(groups) > 1
    return bool(several.any()) and float((low == high)[several].mean()) >= SHARE_OF_GROUPS


class LabelJudge:
    """Finds what logs of corrections say about the labels of a table.

    Args:
        table: The channel with its labels as they were reviewed, without corrections.

    Attributes:
        group_names: str (G,), names of the groups, sorted.
        group_of_row: int64 (n,), group of each image.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.group_names, self.group_of_row = np.unique(table.groups.astype(str), return_inverse=True)
        self._by_path = {normal_text(path): row for row, path in enumerate(table.locations.paths)}
        self._by_group = dict(zip(self.group_names.tolist(), rows_of_groups(self.group_of_row)))
        self._readers = [LabelReader(attribute) for attribute in table.scheme.attributes]

    def judge(self, corrections: Iterable[Correction]) -> Verdicts:
        """The verdicts in a log of corrections.

        relabel to another label, delete and marked mean that the label is wrong, keep that it is right. Rows for
        single images take precedence over rows for their group, and rows for one attribute over rows for all.

        Args:
            corrections: All rows of the log.
        """
        log = list(corrections)
        in_force = effective(log)
        shape = (len(self.table), len(self.table.scheme.names))
        status = np.full(shape, NOT_REVIEWED, dtype=np.int8)
        for correction in _general_first(in_force):
            for column in self._columns(correction.attribute).tolist():
                rows = self._rows(correction)
                status[rows, column] = self._status(correction, rows, column)
        census, in_audit = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        looked_at = np.zeros(len(self.table), dtype=bool)
        for correction in _of_source(log, in_force, is_audit=False):
            census[np.ix_(self._rows(correction), self._columns(correction.attribute))] = True
        for correction in _of_source(log, in_force, is_audit=True):
            rows = self._rows(correction)
            in_audit[np.ix_(rows, self._columns(correction.attribute))] = True
            looked_at[rows] |= correction.action != KEEP or not correction.attribute
        # what the audit has looked at and has no row about is right
        seen = np.bincount(self.group_of_row, weights=looked_at)[self.group_of_row] > 0
        status[seen[:, None] & (status == NOT_REVIEWED)] = RIGHT
        return Verdicts(status, census, in_audit, looked_at)

    def elsewhere(self, corrections: Iterable[Correction]) -> list[Correction]:
        """The rows in force of images and groups that the channel does not have."""
        return [row for row in effective(corrections).values() if not len(self._rows(row))]

    def _rows(self, correction: Correction) -> NDArray[np.int64]:
        """Images of a correction, int64; empty if the channel does not have them."""
        if correction.path:
            row = self._by_path.get(normal_text(correction.path))
            return np.array([] if row is None else [row], dtype=np.int64)
        return np.asarray(self._by_group.get(correction.group, []), dtype=np.int64)

    def _columns(self, attribute: str) -> NDArray[np.int64]:
        """Positions of an attribute; of all attributes for ""."""
        names = self.table.scheme.names
        columns = [column for column, name in enumerate(names) if not attribute or name == attribute]
        return np.array(columns, dtype=np.int64)

    def _status(self, correction: Correction, rows: NDArray[np.int64], column: int) -> NDArray[np.int8]:
        """The verdict on each label, int8 (rows,)."""
        if correction.action != RELABEL:
            by_action = {DELETE: WRONG, MARKED: WRONG, KEEP: RIGHT, IS_UNSURE: UNSURE}
            return np.full(len(rows), by_action[correction.action], dtype=np.int8)
        # read like training reads it: 63.0 is 63, and the name of a band is every number in it
        name = self.table.scheme.names[column]
        code, number = self._readers[column].read(correction.value) or (UNKNOWN, np.nan)
        is_same = self.table.labels[name].to_numpy()[rows] == code
        if name in self.table.numbers and not np.isnan(number):
            numbers = self.table.numbers[name].to_numpy()[rows]
            is_same &= np.isnan(numbers) | (numbers == number)
        return np.where(is_same, RIGHT, WRONG).astype(np.int8)


def _of_source(rows: Iterable[Correction], in_force: Mapping[Key, Correction], is_audit: bool) -> list[Correction]:
    """The last rows of the audit, or of other reviews, by key; without keys whose rows are all withdrawn."""
    own = effective(row for row in rows if (row.source == AUDIT) == is_audit)
    return [row for key, row in own.items() if key in in_force]


def _general_first(in_force: Mapping[Key, Correction]) -> list[Correction]:
    """Rows in force, the most general first: groups before images, all attributes before one."""
    return sorted(in_force.values(), key=lambda row: (bool(row.path), bool(row.attribute)))
