"""Applies a log of corrections to the true labels of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.read import ClassTable
from model.attributes import MISSING, normal_text
from model.combinations import number_of
from model.data.corrected_labels import CorrectedImages
from model.data.correction_files import elsewhere_texts, log_path
from model.data.correction_record import CorrectionRecord
from model.data.corrections import CorrectionLog, read_log
from model.errors import Problems, listing
from model.evaluation.picture_names import match_names
from model.evaluation.truth_groups import find_groups
from model.labels import Scheme

SHOWN = 3


@dataclass(frozen=True)
class CorrectedTruth:
    """The true labels with their corrections.

    Attributes:
        truth: The table of true labels, without the images that are left out.
        codes: int64 (N,), the classes of its rows.
        scheme: The scheme, with the combinations that only the corrections have.
        record: What was changed.
    """

    truth: ClassTable
    codes: np.ndarray
    scheme: Scheme
    record: CorrectionRecord


def read_truth_log(corrections: str, truth: Path, encoding: str, problems: Problems) -> CorrectionLog:
    """The log that the setting `corrections` names, in the working folder or next to the true labels.

    Args:
        corrections: The setting.
        truth: Table or folder with the true labels.
        encoding: Encoding of a log that is not UTF-8.
        problems: Collects what is wrong with the log.
    """
    return read_log(log_path(corrections, truth if truth.is_dir() else truth.parent), problems, encoding)


def correct_truth(
    log: CorrectionLog,
    truth: ClassTable,
    codes: np.ndarray,
    scheme: Scheme,
    groups: tuple[str | None, str | None],
    problems: Problems,
) -> CorrectedTruth:
    """The true labels with the corrections of a log, which are matched by image name and by group.

    A correction of one attribute changes the joint class. Corrections of attributes that the predictions do not have
    change nothing.

    Args:
        log: The log.
        truth: The table of true labels.
        codes: int64 (N,), the class of each row; negative without one.
        scheme: The scheme of the predictions.
        groups: The setting group_column, and the group_pattern of the training.
        problems: Collects unknown values.
    """
    paths = truth.table[truth.name_column].map(normal_text).tolist()
    images = CorrectedImages(_respelled(log, paths), paths, _groups(truth, paths, groups), truth.file.parent.name)
    images.check_attributes(scheme, list(images.relabels), problems)
    by_attribute = _codes_by_attribute(truth, codes, scheme)
    corrected = {
        attribute.name: images.relabel(attribute, by_attribute[attribute.name], None, problems)[0]
        for attribute in scheme.attributes
    }
    before, after = np.stack(list(by_attribute.values())), np.stack(list(corrected.values()))
    changed = (before != after).any(axis=0) & (after >= 0).all(axis=0)
    scheme = scheme.extended(np.unique(number_of(after[:, changed], scheme.sizes)).tolist())
    joint = codes.copy()
    joint[changed] = np.asarray(scheme.joint(dict(zip(scheme.names, after))))[changed]
    kept = ~images.deleted
    values = truth.values.copy()
    values[changed] = [scheme.class_names[code] for code in joint[changed]]
    labels = truth.labels
    if labels is not None:
        labels = pd.DataFrame(corrected, index=labels.index)[kept]
    table = replace(truth, names=truth.names[kept], values=values[kept], table=truth.table[kept], labels=labels)
    return CorrectedTruth(table, joint[kept], scheme, images.record())


def correction_notes(record: CorrectionRecord, paths: Sequence[str]) -> list[str]:
    """Sentences on the corrections for the reader of an evaluation.

    Args:
        record: What was changed.
        paths: Names of the images.
    """
    notes = [f"true labels were corrected: {record.text()}", *record.details()]
    if record.elsewhere:
        texts = elsewhere_texts(record, paths, [])
        notes.append(
            f"{len(texts):,} of {len(texts) + sum(record.rows.values()):,} corrections are for images or groups that "
            f"the true labels do not have ({listing(texts, SHOWN)})"
        )
    return notes


def _codes_by_attribute(truth: ClassTable, codes: np.ndarray, scheme: Scheme) -> dict[str, np.ndarray]:
    """The class of each row by attribute, int64 (N,); negative without one."""
    if truth.labels is not None:
        return {name: truth.labels[name].to_numpy(np.int64) for name in scheme.names}
    split = scheme.split(np.maximum(codes, 0))
    return {name: np.where(codes < 0, MISSING, split[name]).astype(np.int64) for name in scheme.names}


def _groups(truth: ClassTable, paths: Sequence[str], groups: tuple[str | None, str | None]) -> list[str]:
    """The group of each row as corrections name it: the name of its image if it has none."""
    found = find_groups(truth, *groups, Problems(""), [])
    if found.codes is None:
        return list(paths)
    return [found.names[code] or path for code, path in zip(found.codes.tolist(), paths, strict=True)]


def _respelled(log: CorrectionLog, paths: Sequence[str]) -> CorrectionLog:
    """The log with image names spelled as in the true labels: without images/, with another extension, ..."""
    distinct = list(dict.fromkeys(paths))
    own = list(dict.fromkeys(row.path for row in log.corrections if row.path))
    spelling = dict(match_names(own, distinct).respelled)
    rows = [replace(row, path=spelling.get(row.path, row.path)) for row in log.corrections]
    return replace(log, corrections=rows)
