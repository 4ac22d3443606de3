"""Applies a log of corrections to the labels of images: those of a channel, of a table, or of the ground truth."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.attributes import DROPPED, Attribute, normal_text
from model.data.correction_record import CorrectionRecord
from model.data.corrections import DELETE, PROBLEM, RELABEL, Correction, CorrectionLog, disagreements, effective
from model.data.readers.columns import column_named
from model.data.readers.split_names import SPLIT_NAMES, side_of
from model.errors import Problems, did_you_mean, listing
from model.label_values import INDICES, NAMES, is_quantity
from model.labels import Scheme

if TYPE_CHECKING:
    from model.data.table import Table

UNKNOWN_ATTRIBUTE, UNKNOWN_VALUE = f"{PROBLEM}unknown attribute", f"{PROBLEM}unknown value"

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]


class CorrectedImages:
    """The images of a channel with the rows of a log that apply to them.

    A row for one image beats a row for its group, and a verdict on all attributes of an image (an empty attribute)
    beats the rows for its group. A path of the log may begin with the name of the channel's folder, so that a log for
    train/ and validation/ can say which of two images of the same path it means.

    Args:
        log: The log.
        paths: Path of each image, relative to the channel; images with several rows occur several times.
        groups: Group of each image; its path if it has none.
        folder: Name of the channel's folder.

    Attributes:
        deleted: bool (n,), the images that are left out.
        relabels: By attribute, the row of the log that gives each image, by its position, another label.
    """

    def __init__(self, log: CorrectionLog, paths: Sequence[str], groups: Sequence[str], folder: str = "") -> None:
        self.log = log
        in_force = effective(log.corrections)
        rows = _rows_of(in_force.values(), paths, groups, folder)
        self.deleted = np.zeros(len(paths), dtype=bool)
        self.relabels: dict[str, dict[int, Correction]] = {}
        # Rows for single images first; those for groups then skip these images
        own: set[tuple[int, str]] = set()  # image and attribute
        for is_group in (False, True):
            for key, correction in in_force.items():
                if bool(key[0]) == is_group:
                    continue
                for row in rows.get(key, ()):
                    if is_group and ((row, correction.attribute) in own or (row, "") in own):
                        continue
                    if not is_group:
                        own.add((row, correction.attribute))
                    self._apply(row, correction)
        self._matched = [correction for key, correction in in_force.items() if key in rows]
        self._elsewhere = tuple(correction for key, correction in in_force.items() if key not in rows)
        # Counted by relabel
        self._relabelled: dict[str, int] = {}
        self._repaired = 0
        self._outdated: list[str] = []
        self._unusual: list[str] = []
        self._unused = 0

    def _apply(self, row: int, correction: Correction) -> None:
        """Notes that a row of the log applies to an image; a later row for the same image replaces an earlier one."""
        if not correction.attribute:
            self.deleted[row] = correction.action == DELETE
        elif correction.action == RELABEL:
            self.relabels.setdefault(correction.attribute, {})[row] = correction
        else:
            self.relabels.get(correction.attribute, {}).pop(row, None)

    def is_corrected(self, attribute: str) -> NDArray[np.bool_]:
        """Whether each image gets another label of this attribute or is left out, bool (n,)."""
        corrected = self.deleted.copy()
        corrected[list(self.relabels.get(attribute, ()))] = True
        return corrected

    def check_attributes(self, scheme: Scheme, columns: Collection[str], problems: Problems) -> None:
        """Adds a problem for each row of an attribute that does not exist.

        Args:
            scheme: The label scheme.
            columns: Columns of the channel. A correction of one that is not an attribute of the scheme is ignored.
            problems: Collects the unknown attributes.
        """
        for name, corrections in self.relabels.items():
            if name in scheme.names:
                continue
            distinct = list(dict.fromkeys(corrections.values()))
            if column_named(columns, name) is not None:
                self._unused += len(distinct)
                continue
            for correction in distinct:
                near = did_you_mean(name, scheme.names)
                detail = f"{name!r}, expected {listing(scheme.names)}{near}"
                problems.add(UNKNOWN_ATTRIBUTE, f"{self._where(correction)}: {detail}")

    def relabel(
        self, attribute: Attribute, codes: Codes, numbers: Numbers | None, problems: Problems
    ) -> tuple[Codes, Numbers | None]:
        """The labels of one attribute with the corrections.

        Args:
            attribute: The attribute.
            codes: int64 (n,), the class of each image; negative without one.
            numbers: float64 (n,), the number of each image, NaN without one; None if the attribute has none.
            problems: Collects unknown values.

        Returns:
            New arrays, or the given ones if there are no corrections.
        """
        relabels = {row: one for row, one in self.relabels.get(attribute.name, {}).items() if not self.deleted[row]}
        if not relabels:
            return codes, numbers
        labels = LabelReader(attribute)
        new_codes, new_numbers = codes.copy(), None if numbers is None else numbers.copy()
        for row, correction in relabels.items():
            label = labels.read(correction.value)
            if label is not None:
                new_codes[row] = label[0]
                if new_numbers is not None:
                    new_numbers[row] = label[1]
        changed = new_codes != codes
        if numbers is not None and new_numbers is not None:
            changed |= (new_numbers != numbers) & ~(np.isnan(new_numbers) & np.isnan(numbers))
        self._relabelled[attribute.name] = int(changed.sum())
        self._repaired += int((codes[list(relabels)] < 0).sum())
        self._review_again(attribute, labels, relabels, codes, numbers)
        self._report_unknown(labels, relabels.values(), problems)
        return new_codes, new_numbers

    def _review_again(
        self,
        attribute: Attribute,
        labels: LabelReader,
        relabels: Mapping[int, Correction],
        codes: Codes,
        numbers: Numbers | None,
    ) -> None:
        """Notes the rows of the log whose images had other labels in the review, and unusual numbers.

        Args:
            attribute: The attribute.
            labels: Its labels.
            relabels: Its rows of the log by the position of the image.
            codes: The classes without the corrections.
            numbers: The numbers without the corrections.
        """
        fits: dict[Correction, bool] = {}  # whether any image of a row has the label of the review, or the new one
        for row, one in relabels.items():
            present = int(codes[row]), np.nan if numbers is None else float(numbers[row])
            is_known = present[0] >= 0 and one.given
            fits[one] = fits.get(one, False) or not is_known or labels.equals(present, one.given, one.value)
        outdated = (one for one, fit in fits.items() if not fit)
        self._outdated += [f"{self._where(one)}: {one.subject}, {attribute.name} {one.given} then" for one in outdated]
        if numbers is None or np.isnan(numbers).all():
            return
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        for one in fits:
            label = labels.read(one.value)
            # One range beyond the range is no rule of statistics: 630 for 63 is found, and 80 among 18 to 60 is not
            if label is not None and high > low and abs(label[1] - (low + high) / 2) > 1.5 * (high - low):
                self._unusual.append(f"{self._where(one)}: {one.subject}, {attribute.name} {one.value}")

    def _report_unknown(self, labels: LabelReader, corrections: Iterable[Correction], problems: Problems) -> None:
        """Adds a problem for each row of the log whose value is not one of the attribute."""
        for correction in dict.fromkeys(corrections):
            if labels.read(correction.value) is None:
                near = problems.shows_next(UNKNOWN_VALUE)
                sentence = labels.problem(correction.value, near)
                problems.add(UNKNOWN_VALUE, f"{self._where(correction)}: {sentence}")

    def _where(self, correction: Correction) -> str:
        return f"{self.log.name} line {correction.line}" if correction.line else self.log.name

    def record(self) -> CorrectionRecord:
        """What was changed; to be called after relabel for each attribute."""
        effects = [one for one in self._matched if one.action in (RELABEL, DELETE)]
        return CorrectionRecord(
            file=self.log.name,
            digest=self.log.digest,
            relabelled=self._relabelled,
            deleted=int(self.deleted.sum()),
            repaired=self._repaired,
            groups=len({one.group for one in effects if not one.path}),
            rows=dict(Counter(one.action for one in self._matched)),
            unused=self._unused,
            outdated=tuple(self._outdated),
            unusual=tuple(self._unusual),
            elsewhere=self._elsewhere,
            paths=frozenset(one.path for one in effects if one.path),
            disagreements=len(disagreements(self.log.corrections)),
        )


class LabelReader:
    """Reads the values of corrections of one attribute as its classes and numbers.

    A value is the name of a class, or its index if no name is a number: a column of indices, whose classes the setting
    `attributes` names, may have been reviewed without this setting.
    """

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute
        self._readings = (NAMES,) if attribute.lookup.are_numbers else (NAMES, INDICES)
        self._read: dict[str, tuple[int, float] | None] = {}

    def read(self, text: str) -> tuple[int, float] | None:
        """Class and number (NaN without one) of a value; None if it is no number in a band, no name and no index."""
        if text not in self._read:
            self._read[text] = self._label(text)
        return self._read[text]

    def _label(self, text: str) -> tuple[int, float] | None:
        is_number = self.attribute.cuts and is_quantity(text) and text not in self.attribute.values
        if is_number and np.isfinite(float(text)):
            return self.attribute.band(float(text)), float(text)
        code = self.attribute.read([text], self._readings, bands=False).codes.get(text, DROPPED)
        return None if code < 0 else (code, np.nan)

    def equals(self, present: tuple[int, float], *texts: str) -> bool:
        """Whether a present class and number are those of one of the texts; a missing number equals all."""
        read = [label for label in map(self.read, texts) if label is not None and label[0] == present[0]]
        return any(np.isnan(present[1]) or np.isnan(number) or present[1] == number for _, number in read)

    def problem(self, text: str, near: bool) -> str:
        """Why a value cannot be read. near: whether to name the nearest one."""
        if self.attribute.rules.apply(text) is None:
            return f"{self.attribute.name} = {text!r}, whose rows `drop` skips; use the action {DELETE}"
        return self.attribute.expected(text, (NAMES,), near=near)


def _rows_of(
    corrections: Iterable[Correction], paths: Sequence[str], groups: Sequence[str], folder: str
) -> dict[tuple[str, str, str], list[int]]:
    """The positions of the images of each row of the log, by its key; without the rows of images that do not exist."""
    by_path: dict[str, list[Correction]] = {}
    by_group: dict[str, list[Correction]] = {}
    for correction in corrections:
        if correction.path:
            by_path.setdefault(correction.path, []).append(correction)
        else:
            by_group.setdefault(correction.group, []).append(correction)
    rows: dict[tuple[str, str, str], list[int]] = {}
    rows_of_path = _find(by_path, paths, folder)
    rows_of_group: dict[str, list[int]] = {}
    for row, group in enumerate(groups if by_group else ()):
        if group in by_group:
            rows_of_group.setdefault(group, []).append(row)
    for found, by_name in ((rows_of_path, by_path), (rows_of_group, by_group)):
        for name, positions in found.items():
            rows.update({correction.key: positions for correction in by_name[name]})
    return rows


def _find(wanted: Collection[str], paths: Sequence[str], folder: str) -> dict[str, list[int]]:
    """The positions of the images that paths of the log name, by path of the log.

    An exact path is preferred to one that differs in Unicode form, in `\\` for `/` or in `./` at the beginning, and
    this one to a path that begins with the name of the channel's folder.
    """
    if not wanted:
        return {}
    spellings = {path: _spellings(path, folder) for path in wanted}
    all_spellings = {spelling for own in spellings.values() for spelling in own}
    exact: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        for spelling in (path,) if path.isascii() else {path, normal_text(path)}:
            if spelling in all_spellings:
                exact.setdefault(spelling, []).append(row)
    found = {path: next((exact[one] for one in own if one in exact), None) for path, own in spellings.items()}
    return {path: rows for path, rows in found.items() if rows is not None}


def _spellings(path: str, folder: str) -> list[str]:
    """Possible spellings of a path in the channel, the most exact first."""
    plain = posixpath.normpath(normal_text(path).replace("\\", "/"))
    first, _, inside = plain.partition("/")
    side = side_of(folder)
    names = (folder, *(SPLIT_NAMES[side] if side is not None else ()))
    return [path, normal_text(path), plain, *([inside] if inside and first in names else ())]


def apply_corrections(table: Table, corrections: CorrectionLog | Sequence[Correction], problems: Problems) -> Table:
    """The table with corrected labels, without the images that are left out; `corrected` says what was changed.

    Args:
        table: The images of a channel.
        corrections: A log, or its rows.
        problems: Collects unknown attributes and values.
    """
    import pandas as pd

    log = corrections if isinstance(corrections, CorrectionLog) else CorrectionLog("corrections", "", [*corrections])
    images = CorrectedImages(log, table.locations.paths, table.groups.tolist(), table.root.name)
    images.check_attributes(table.scheme, list(table.metadata.columns), problems)
    labels: dict[str, Codes] = {}
    numbers: Mapping[str, Numbers] = {str(name): table.numbers[name].to_numpy(np.float64) for name in table.numbers}
    new_numbers: dict[str, Numbers] = {}
    for attribute in table.scheme.attributes:
        codes = table.labels[attribute.name].to_numpy(np.int64)
        labels[attribute.name], own = images.relabel(attribute, codes, numbers.get(attribute.name), problems)
        if own is not None:
            new_numbers[attribute.name] = own
    corrected = replace(
        table,
        labels=pd.DataFrame(labels, index=table.labels.index),
        numbers=pd.DataFrame(new_numbers, index=table.numbers.index),
        corrected=images.record(),
    )
    if not images.deleted.any():
        return corrected
    return replace(corrected.take(np.flatnonzero(~images.deleted)), set_aside=table.set_aside)
