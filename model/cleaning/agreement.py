"""Agreement of labels with out-of-fold predictions: each label is kept, relabelled or dropped.

The predictions of an image are those of a model that was not trained on it. Labels of whole groups, as the gender of a
person, are judged by all images of the group together: the mean log probability, normalised. The probabilities are
calibrated first by one temperature per attribute (model.cleaning.temperature).

Imports no torch. Training (--clean) applies the result; `corrections` has it in the format of reviewers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.cleaning.grouped import group_means, rows_of_groups
from model.cleaning.temperature import SMALLEST, Codes, Floats, fit_temperature, tempered
from model.cleaning.verdicts import is_of_group
from model.data.corrections import DELETE, RELABEL, Correction
from model.data.table import Table
from model.errors import InputError, did_you_mean, listing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Actions = NDArray[np.int8]

# What happens to a label. CAPPED: it is kept, because too many labels of its class would change. UNKNOWN: it is kept,
# because with the suggested class the combination of labels is not a joint class
KEPT, RELABELLED, DROPPED, CAPPED, UNKNOWN = range(5)
FEW_CLASSES = 10  # with K more than these, drop_below is divided by K / 10: right labels are improbable too
ALL = -1  # in place of an attribute's column: the image is deleted
ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996
REVIEWER = "out-of-fold"  # in corrections


Rule = TypeVar("Rule", bound="DataclassInstance")


def rule_from(cls: type[Rule], arguments: Mapping[str, Any], above: Mapping[str, float] | None = None) -> Rule:
    """A rule with some of its arguments.

    Args:
        cls: A dataclass whose fields are shares.
        arguments: The setting `clean_args`.
        above: Values that arguments must be above, by name.

    Raises:
        InputError: Names are unknown, or values are no shares; lists all.
    """
    names, above = [field.name for field in fields(cls)], above or {}
    problems = []
    for name, value in arguments.items():
        if name not in names:
            problems.append(f"clean_args: {name!r}, expected {listing(names)}{did_you_mean(name, names)}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            problems.append(f"clean_args: {name} = {value!r}, expected a number from 0 to 1")
        elif name in above and value <= above[name]:
            problems.append(f"clean_args: {name} = {value!r}, expected a number above {above[name]}")
    if problems:
        raise InputError("\n".join(problems))
    return cls(**{name: float(value) for name, value in arguments.items()})


@dataclass(frozen=True)
class AgreementRule:
    """When a label is changed.

    Attributes:
        relabel_at: Least probability of another class to relabel.
        drop_below: The label is dropped if its probability is lower, and that of no other class is relabel_at. With K
            classes, more than ten, the bound is drop_below * 10 / K.
        cap: Largest share of the groups of a class whose labels may be changed.
    """

    relabel_at: float = 0.9
    drop_below: float = 0.05
    cap: float = 0.3

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> AgreementRule:
        """The rule with some of its arguments. Raises InputError for unknown names and values that are no shares."""
        return rule_from(cls, arguments, above={"relabel_at": 0.5})


@dataclass(frozen=True)
class Agreement:
    """What happens to each label of a table.

    Attributes:
        table: The images with their labels.
        actions: int8 (n, A), KEPT, RELABELLED, DROPPED, CAPPED or UNKNOWN of each image and attribute.
        suggested: int64 (n, A), most probable class.
        given_probability, suggested_probability: float64 (n, A), calibrated; NaN if the label was not judged.
        is_of_group: Whether each attribute is one of the whole group.
        temperatures: Temperature by attribute.
    """

    table: Table
    actions: NDArray[np.int8]
    suggested: Codes
    given_probability: Floats
    suggested_probability: Floats
    is_of_group: tuple[bool, ...]
    temperatures: Mapping[str, float]

    @property
    def left_out(self) -> int:
        """Number of images that are left out, because the label of an attribute is dropped."""
        return int((self.actions == DROPPED).any(axis=1).sum())

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of images by attribute and by what happens to their label."""
        names = {RELABELLED: "relabelled", DROPPED: "dropped", CAPPED: "capped", UNKNOWN: "unknown"}
        judged = ~np.isnan(self.given_probability)
        counted = {}
        for column, attribute in enumerate(self.table.scheme.names):
            own = {"judged": int(judged[:, column].sum())}
            own |= {text: int((self.actions[:, column] == action).sum()) for action, text in names.items()}
            counted[attribute] = own
        return counted

    def reason(self, row: int, column: int) -> str:
        """A sentence on what happens to one label."""
        attribute = self.table.scheme.attributes[column]
        given = attribute.values[self.table.labels[attribute.name].to_numpy()[row]]
        own, other = self.given_probability[row, column], self.suggested_probability[row, column]
        suggested = f"{attribute.values[self.suggested[row, column]]} {other:.2f}"
        texts = {
            KEPT: f"kept: {given} {own:.2f}",
            RELABELLED: f"relabelled: {suggested}, {given} {own:.2f}",
            DROPPED: f"dropped: {given} {own:.2f}, and no other class is sure: {suggested}",
            CAPPED: f"kept although {suggested}, {given} {own:.2f}: too many labels of the class would change",
            UNKNOWN: f"kept although {suggested}, {given} {own:.2f}: no image has this combination of labels",
        }
        return f"{attribute.name} {texts[int(self.actions[row, column])]}"

    def corrections(self) -> list[Correction]:
        """The changes as rows of a log of corrections: one row for a group whose images all change alike, otherwise
        one per image."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        groups = _Groups(self.table)
        return [Correction(*change, REVIEWER, time, REVIEWER) for change in self._changes(groups)]

    def _changes(self, groups: _Groups) -> Iterator[tuple[str, str, str, str, str, str]]:
        """Yields path, group, attribute, action, value and given label of each change, in the order of the table."""
        dropped = (self.actions == DROPPED).any(axis=1)
        deleted_groups = groups.all_of(dropped)
        paths = self.table.locations.paths
        done: set[tuple[int, int]] = set()  # group and column of changes of whole groups
        for row in np.flatnonzero(dropped | (self.actions == RELABELLED).any(axis=1)).tolist():
            group, name = int(groups.of_row[row]), groups.name_of(row)
            for column in [ALL] if dropped[row] else np.flatnonzero(self.actions[row] == RELABELLED).tolist():
                change = ("", DELETE, "", "") if column == ALL else self._relabel(row, column)
                alike = deleted_groups[group] if column == ALL else self._is_alike(groups.rows[group], column)
                if not (name and alike):
                    yield paths[row], name, *change
                elif (group, column) not in done:
                    done.add((group, column))
                    yield "", name, *change

    def _relabel(self, row: int, column: int) -> tuple[str, str, str, str]:
        """Attribute, action, value and given label of a relabelled image."""
        attribute = self.table.scheme.attributes[column]
        given = attribute.values[self.table.labels[attribute.name].to_numpy()[row]]
        return attribute.name, RELABEL, attribute.values[self.suggested[row, column]], given

    def _is_alike(self, rows: Codes, column: int) -> bool:
        """Whether the images of a group had the same label of an attribute of groups, and are all relabelled."""
        codes = self.table.labels[self.table.scheme.names[column]].to_numpy()[rows]
        is_relabelled = (self.actions[rows, column] == RELABELLED).all()
        return bool(self.is_of_group[column] and is_relabelled and (codes == codes[0]).all())


class _Groups:
    """The groups of a table.

    Attributes:
        of_row: int64 (n,), 0 to G - 1.
        rows: Rows of each group, int64.
    """

    def __init__(self, table: Table) -> None:
        names, self.of_row = np.unique(table.groups.astype(str), return_inverse=True)
        self._names, self._paths = names.tolist(), table.locations.paths
        self._is_grouped = bool(table.grouped_by)
        self.rows = rows_of_groups(self.of_row)

    def name_of(self, row: int) -> str:
        """Name of an image's group, "" if it has none."""
        name = str(self._names[self.of_row[row]])
        return name if self._is_grouped and name != self._paths[row] else ""

    def all_of(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether all images of each group have a flag, bool (G,)."""
        return np.array([bool(flags[rows].all()) for rows in self.rows])


def agree(
    table: Table,
    probabilities: Mapping[str, Floats],
    rule: AgreementRule = AgreementRule(),
    joint: bool = True,
) -> Agreement:
    """Compares the labels of a table with out-of-fold predictions.

    Args:
        table: The images with their labels.
        probabilities: Out-of-fold probabilities by attribute, float64 (n, K); a row of NaN for an image without a
            prediction. Labels without a prediction are kept.
        rule: When a label is changed.
        joint: Whether the cap holds for the joint classes too, because a model learns these.
    """
    groups = _Groups(table)
    shape = (len(table), len(table.scheme.names))
    wanted, suggested = np.zeros(shape, np.int8), np.zeros(shape, np.int64)
    given_probability, suggested_probability = np.full(shape, np.nan), np.full(shape, np.nan)
    of_group, temperatures = tuple(is_of_group(table, name) for name in table.scheme.names), {}
    for column, name in enumerate(table.scheme.names):
        if name not in probabilities:
            continue
        codes = table.labels[name].to_numpy(np.int64)
        # one judgement per group or per image, calibrated
        own, units = probabilities[name], np.arange(len(table))
        if of_group[column]:
            own, units = _pooled(own, groups.of_row), groups.of_row
        temperatures[name] = fit_temperature(*_one_per_unit(own, codes, units))
        rows = np.flatnonzero((codes >= 0) & ~np.isnan(own).any(axis=1))
        calibrated = tempered(own[rows], temperatures[name])
        given = calibrated[np.arange(len(rows)), codes[rows]]
        suggested[rows, column] = calibrated.argmax(axis=1)
        given_probability[rows, column], suggested_probability[rows, column] = given, calibrated.max(axis=1)
        is_other = suggested[rows, column] != codes[rows]
        is_sure = is_other & (suggested_probability[rows, column] >= rule.relabel_at)
        is_improbable = is_other & (given < rule.drop_below * min(1, FEW_CLASSES / own.shape[1]))
        wanted[rows[is_improbable], column] = DROPPED
        wanted[rows[is_sure], column] = RELABELLED
    classes = [table.labels[name].to_numpy(np.int64) for name in table.scheme.names]
    classes += [table.classes()] if joint and len(classes) > 1 else []
    actions = _capped(classes, groups, wanted, given_probability, of_group, rule.cap)
    keep_unknown_combinations(table, actions, suggested)
    return Agreement(table, actions, suggested, given_probability, suggested_probability, of_group, temperatures)


def _pooled(probabilities: Floats, group_of_row: Codes) -> Floats:
    """The mean log probability of each image's group, normalised, float64 (n, K). Images of NaN do not count."""
    logs = np.log(np.maximum(probabilities, SMALLEST))  # NaN stays NaN
    return tempered(np.exp(group_means(logs, group_of_row)), 1.0)[group_of_row]


def _one_per_unit(probabilities: Floats, codes: Codes, units: Codes) -> tuple[Floats, Codes]:
    """The first labelled and predicted image of each judged image or group."""
    rows = np.flatnonzero((codes >= 0) & ~np.isnan(probabilities).any(axis=1))
    _, first = np.unique(units[rows], return_index=True)
    return probabilities[rows[first]], codes[rows[first]]


def _capped(
    columns: Sequence[Codes],
    groups: _Groups,
    wanted: NDArray[np.int8],
    given_probability: Floats,
    is_of_group: tuple[bool, ...],
    cap: float,
) -> NDArray[np.int8]:
    """The changes without those that would change too many groups of a class.

    At most the share `cap` of the groups of a class may be changed, and never the last one. Labels with the lowest
    probability are changed first.

    Args:
        columns: int64 (n,) for each attribute, its classes; a further one has the joint classes, if they count.
        groups: The groups of the images.
        wanted: int8 (n, A), the changes without a cap.
        given_probability: (n, A), of the given labels.
        is_of_group: Whether each attribute is one of the whole group, whose images change together.
        cap: Largest share.
    """
    classes = np.stack(columns, axis=1)
    limit = [_limits(codes, groups.of_row, cap) for codes in classes.T]
    changed: list[Counter[int]] = [Counter() for _ in columns]
    touched: set[tuple[int, int, int]] = set()  # column, class and group of changed labels
    actions = wanted.copy()
    rows, attributes = np.nonzero(wanted)
    for position in np.argsort(given_probability[rows, attributes], kind="stable").tolist():
        row, column = int(rows[position]), int(attributes[position])
        if is_of_group[column]:
            own = groups.rows[groups.of_row[row]]
            own = own[wanted[own, column] == wanted[row, column]]
            if row != own[0]:  # the first image decides for all
                continue
        else:
            own = np.array([row])
        # a dropped image is missing in the classes of all attributes, a relabelled one in its own and the joint class
        every = range(len(columns))
        affected = every if wanted[row, column] == DROPPED else {column, *every[wanted.shape[1] :]}
        group = int(groups.of_row[row])
        lost = {(c, int(code), group) for c in affected for code in np.unique(classes[own, c]) if code >= 0} - touched
        losses = Counter((c, code) for c, code, _ in lost)
        if any(changed[c][code] + count > limit[c][code] for (c, code), count in losses.items()):
            actions[own, column] = CAPPED
            continue
        touched |= lost
        for (c, code), count in losses.items():
            changed[c][code] += count
    return actions


def keep_unknown_combinations(table: Table, actions: Actions, suggested: Codes) -> None:
    """Marks relabels as UNKNOWN, in place, if the new combination of labels is not a joint class (Scheme.is_large)."""
    if table.scheme.combinations is None:
        return
    codes = np.stack([table.labels[name].to_numpy(np.int64) for name in table.scheme.names], axis=1)
    new = np.where(actions == RELABELLED, suggested, codes)
    known = {
        tuple(row) for row in np.stack([*table.scheme.split(np.arange(table.scheme.num_classes)).values()], axis=1)
    }
    rows = np.flatnonzero((actions == RELABELLED).any(axis=1) & (new >= 0).all(axis=1))
    unknown = [row for row in rows.tolist() if tuple(new[row]) not in known]
    own = actions[unknown]
    actions[unknown] = np.where(own == RELABELLED, UNKNOWN, own)


def _limits(codes: Codes, group_of_row: Codes, cap: float) -> dict[int, int]:
    """By class, the number of its groups that may be changed."""
    pairs = np.unique(np.stack([codes, group_of_row], axis=1)[codes >= 0], axis=0)
    found, counts = np.unique(pairs[:, 0], return_counts=True)
    return {int(code): min(int(cap * count + ROUNDING), int(count) - 1) for code, count in zip(found, counts)}
