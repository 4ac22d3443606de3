"""Matches a model's answers with the truth by the images' names, never by the order of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.files import beside_answers, labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import (
    ANSWER_COLUMNS,
    ANSWER_NAME,
    ClassTable,
)
from model.answers.seen_images import count_seen
from model.artifacts.files import LABELS
from model.artifacts.provenance import Provenance
from model.attributes import DROPPED, normal_text, number_column
from model.data.correction_record import CorrectionRecord
from model.data.corrections import CorrectionLog
from model.data.readers.columns import PICTURE_COLUMNS
from model.errors import Problems, listing
from model.evaluation.answer_tables import (
    Tables,
    TruthReading,
    check_picture_column,
    read_tables,
    read_truth_table,
    spelled_alike,
    truth_options,
)
from model.evaluation.asked import read_asked
from model.evaluation.corrected_truth import correct_truth, correction_notes, read_truth_log
from model.evaluation.label_scheme import (
    check_probability_columns,
    check_same_classes,
    find_scheme,
    true_classes,
    with_true_combinations,
)
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.matched_numbers import match_numbers
from model.evaluation.truth import LEFT_OUT
from model.evaluation.truth_groups import column_in_training, find_groups
from model.label_values import INDICES, NAMES
from model.labels import Scheme
from model.metrics.scores import NO_ANSWER

DEFAULT_READING = TruthReading()


def match_answers(
    truth: Path,
    answers_file: Path,
    labels: Path | None = None,
    group_column: str | None = None,
    other_file: Path | None = None,
    label_values: str | None = None,
    reading: TruthReading = DEFAULT_READING,
) -> MatchedAnswers:
    """Reads the true labels and a model's predictions, checks them, and matches them by image name.

    If the file of predictions is missing and at least two subfolders of its folder have a file of that name, as several
    hosts write them, the rows of those are read. Probabilities are read if they are next to the predictions.

    Args:
        truth: Table of image names and true classes, or a labelled channel (truth.truth_location).
        answers_file: output.csv.
        labels: The label scheme; None for labels.json next to the predictions. Without that file the classes are the
            columns of the probabilities, or, without probabilities, 0 to the greatest class in the tables.
        group_column: Column of persons or senders in the true labels; None for one with a usual name.
        other_file: Predictions of another model to compare with.
        label_values: Whether the true labels are names or indices of classes; None to decide by the column.
        reading: How the true labels are read.

    Raises:
        InputError: Lists all errors of all files.
    """
    problems = Problems("evaluation cannot read its input")
    notes: list[str] = []
    # read all tables and the classes in them; collect every problem
    tables = read_tables(answers_file, other_file, reading.picture_column, problems, notes)
    if not tables.labelled_file.parent.is_dir():  # labels.json, by which the others are read, is missing too
        problems.raise_if_any()
    labels_json = LabelsJson.read(labels) if labels else tables.labels
    options = truth_options(tables, reading.picture_column, reading.encoding)
    truth_table = read_truth_table(truth, tables, labels_json, group_column, options, problems, notes)
    tables = replace(tables, truth=truth_table)
    check_picture_column(tables, reading.picture_column, problems)
    classes = _find_classes(tables, labels_json, label_values, problems, notes)
    pattern = labels_json.trained_with("group_pattern") if labels_json else None
    record = None
    if reading.corrections:
        log = read_truth_log(reading.corrections, truth, reading.encoding, problems)
        if tables.truth and classes:
            tables, classes, record = _correct(log, tables, classes, (group_column, pattern), problems, notes)
    if tables.truth and classes:
        kept, classes = _leave_out(tables.truth, classes, notes)
        tables = replace(tables, truth=kept)
    if tables.truth:
        _check_truth(tables.truth, problems, notes)
    groups = find_groups(tables.truth, group_column, pattern, problems, notes)
    problems.raise_if_any()
    assert classes and tables.truth and tables.answers  # otherwise there were problems
    # match by image name, in the order of the true labels
    written = tables.answers.names  # as inference has written them
    tables = spelled_alike(tables, problems, notes)
    problems.raise_if_any()
    assert tables.truth and tables.answers
    names = tables.truth.names.tolist()
    extra = _without_truth(names, tables.answers, notes)
    answers = _match_classes(names, tables.answers, classes.answers, notes)
    probabilities = None
    if tables.probabilities is not None:
        probabilities = _match_probabilities(names, tables.probabilities, classes.scheme, notes)
    other = None
    if tables.other and classes.other is not None:
        other = _match_classes(names, tables.other, classes.other, notes)
    provenance = _read_provenance(tables.labelled_file, classes.labels, notes)
    sources = _sources(truth, answers_file, labels_json)
    matched = MatchedAnswers(
        scheme=classes.scheme,
        names=names,
        truth=classes.truth,
        answers=answers,
        probabilities=probabilities,
        groups=groups.codes,
        group_column=groups.column,
        trained_column=column_in_training(groups.column, provenance) if sources["held_out"] else "",
        group_names=groups.names,
        metadata=_match_metadata(tables.truth, tables.answers, groups.column),
        other=other,
        provenance=provenance,
        unanswered=[name for name, answer in zip(names, answers, strict=True) if answer == NO_ANSWER],
        left_out=extra,
        notes=notes,
        learnt_from=count_seen(tables.labels_by_part(), written[tables.answers.names.isin(names)]),
        truth_by_attribute=_truth_by_attribute(tables.truth),
        corrected=record,
        numbers={},
        asked=_match_asked(names, tables, written),
        **sources,
    )
    numbers = match_numbers(matched, tables.truth, written, tables.answers.names, tables.parts)
    own_columns = {number_column(name).lower() for name in numbers}
    metadata = {name: texts for name, texts in matched.metadata.items() if name.lower() not in own_columns}
    return replace(matched, numbers=numbers, metadata=metadata)


def _correct(
    log: CorrectionLog,
    tables: Tables,
    classes: _Classes,
    groups: tuple[str | None, str | None],
    problems: Problems,
    notes: list[str],
) -> tuple[Tables, _Classes, CorrectionRecord]:
    """The tables and classes with corrected true labels, and what was changed. Arguments: see correct_truth."""
    assert tables.truth is not None
    corrected = correct_truth(log, tables.truth, classes.truth, classes.scheme, groups, problems)
    notes += correction_notes(corrected.record, tables.truth.names.tolist())
    tables = replace(tables, truth=corrected.truth)
    return tables, replace(classes, truth=corrected.codes, scheme=corrected.scheme), corrected.record


def _without_truth(names: Sequence[str], answers: ClassTable, notes: list[str]) -> list[str]:
    """Image names in the predictions that are not in the true labels."""
    extra = answers.names[~answers.names.isin(set(names))].tolist()
    if extra:
        notes.append(f"predictions without a true label, which are not scored: {len(extra):,} ({listing(extra, 3)})")
    return extra


def _sources(truth: Path, answers_file: Path, labels: LabelsJson | None) -> dict[str, str]:
    """The fields of MatchedAnswers on the origin of the images. Paths have their last two parts only, because the page
    may be shared."""
    paths = {"truth_source": truth, "answers_source": answers_file}
    sources = {name: "/".join(path.absolute().parts[-2:]) for name, path in paths.items()}
    return sources | {"held_out": labels.held_out() if labels else ""}


def _read_provenance(labelled_file: Path, labels: LabelsJson | None, notes: list[str]) -> Provenance | None:
    """The provenance in the labels.json of the predictions, which is `labels` unless another file was set."""
    path = beside_answers(labelled_file, LABELS)
    if labels and labels.path == path:
        return labels.provenance(notes)
    return LabelsJson.read(path).provenance(notes) if path.is_file() else None


@dataclass(frozen=True)
class _Classes:
    """Classes of each table in the order of its rows, int64 (rows,), and the labels.json with their names."""

    labels: LabelsJson | None
    scheme: Scheme
    truth: np.ndarray
    answers: np.ndarray
    other: np.ndarray | None


def _find_classes(
    tables: Tables, labels: LabelsJson | None, label_values: str | None, problems: Problems, notes: list[str]
) -> _Classes | None:
    """Finds the label scheme and reads all classes; None, with problems, if that is not possible.

    Args:
        tables: The tables.
        labels: labels.json; None without one.
        label_values: As in match_answers.
        problems: Collects errors.
        notes: Collects how classes were read.
    """
    path = labels.path if labels else labels_file(tables.labelled_file)
    columns = list(tables.probabilities.columns) if tables.probabilities is not None else []
    if tables.answers is None and labels is None and not columns:
        return None  # the missing predictions are the problem, not the scheme next to them
    class_tables = [table for table in (tables.truth, tables.answers, tables.other) if table]
    scheme = find_scheme(labels, path, columns, class_tables, problems, notes)
    if scheme is None:
        return None
    if tables.probabilities is not None:
        check_probability_columns(columns, scheme, tables.probabilities_file, problems)
    if tables.other and tables.other_labelled_file:
        check_same_classes(scheme, tables.other_labelled_file, problems)
    truth = answers = other = None
    predicted_scheme = scheme
    if tables.truth:
        scheme = with_true_combinations(scheme, tables.truth, notes)
        channel = labels.channel_scheme() if labels else None
        truth = true_classes(tables.truth, scheme, channel, label_values, problems, notes)
    if tables.answers:
        answers = _predicted_classes(tables.answers, predicted_scheme, problems)
    if tables.other:
        other = _predicted_classes(tables.other, predicted_scheme, problems)
    return None if truth is None or answers is None else _Classes(labels, scheme, truth, answers, other)


def _predicted_classes(table: ClassTable, scheme: Scheme, problems: Problems) -> np.ndarray:
    """Predicted classes, int64 (rows,), from indices as in output.csv, or from names as other systems write them."""
    return np.maximum(table.codes(table.read(scheme, (INDICES, NAMES)), problems), NO_ANSWER)


def _leave_out(truth: ClassTable, classes: _Classes, notes: list[str]) -> tuple[ClassTable, _Classes]:
    """The true labels without the rows whose label the model's scheme drops."""
    dropped = classes.truth == DROPPED
    if not dropped.any():
        return truth, classes
    counts = truth.values[dropped].value_counts()
    labels = listing(f"{label or 'no label'} ({count:,})" for label, count in counts.items())
    notes.append(f"{LEFT_OUT}: {int(dropped.sum()):,} ({labels})")
    kept = replace(truth, names=truth.names[~dropped], values=truth.values[~dropped], table=truth.table[~dropped])
    return kept, replace(classes, truth=classes.truth[~dropped])


def _check_truth(truth: ClassTable, problems: Problems, notes: Sequence[str]) -> None:
    if truth.table.empty:
        left_out = [note for note in notes if note.startswith(LEFT_OUT)]
        reason = f" to score; {listing(left_out)}" if left_out else ""
        problems.add("empty tables", f"{truth.file} has no rows{reason}")
    without = truth.values == ""
    if truth.labels is not None:
        without &= (truth.labels < 0).all(axis=1)
        if (truth.values == "").all():
            counts = listing(f"{name} {count:,}" for name, count in (truth.labels >= 0).sum().items())
            detail = f"none of {len(truth.values):,} images has labels for all attributes; number of labels: {counts}"
            problems.add("no image with labels for all attributes", f"{truth.file}: {detail}")
    for row in truth.values.index[without]:
        problems.add("images without a true class", f"{truth.file} row {row}: {truth.names[row]!r}")


def _truth_by_attribute(truth: ClassTable) -> dict[str, np.ndarray]:
    """See MatchedAnswers."""
    if truth.labels is None:
        return {}
    return {str(name): classes.to_numpy(np.int64) for name, classes in truth.labels.items()}


def _match_classes(names: Sequence[str], table: ClassTable, classes: np.ndarray, notes: list[str]) -> np.ndarray:
    """A table's classes in the order of names, int64 (N,), -1 without a row or for an empty value."""
    rows = pd.Index(table.names).get_indexer(pd.Index(names))
    absent = [name for name, row in zip(names, rows, strict=True) if row < 0]
    matched = np.where(rows < 0, NO_ANSWER, classes[rows] if len(classes) else NO_ANSWER)
    empty = [name for name, row, code in zip(names, rows, matched, strict=True) if row >= 0 and code == NO_ANSWER]
    file = Path(
        table.file.parent.name, table.file.name
    )  # notes may be shared, so they do not name the other folders of this machine
    for reason, pictures in (("no row", absent), ("no prediction", empty)):
        if pictures:
            share = f"{len(pictures):,} of {len(names):,}"
            notes.append(f"images with {reason} in {file}, which count as wrong: {share} ({listing(pictures, 3)})")
    return matched.astype(np.int64)


def _match_asked(names: Sequence[str], tables: Tables, written: pd.Series) -> np.ndarray | None:
    """Whether to ask a person about each of the names, bool (N,); None without such advice.

    Args:
        names: Names of the images in the true labels.
        tables: The tables, with names spelled as in the true labels.
        written: Names as in output.csv, in the order of its rows.
    """
    asked = read_asked(tables.parts, written.tolist())
    if asked is None or tables.answers is None:
        return None
    rows = pd.Index(tables.answers.names).get_indexer(pd.Index(names))
    return np.where(rows < 0, True, asked[rows]) if len(asked) else None


def _match_probabilities(
    names: Sequence[str], probabilities: pd.DataFrame, scheme: Scheme, notes: list[str]
) -> np.ndarray:
    """Probabilities in the order of names and of the scheme's classes, float64 (N, C), with a row of NaN without them.

    The last classes, which only the true labels have, get probability 0.
    """
    known = scheme.class_names[: len(probabilities.columns)]
    matched = probabilities[known].reindex(names).to_numpy(dtype=float)
    zeros = np.where(np.isnan(matched[:, :1]), np.nan, np.zeros((len(names), scheme.num_classes - len(known))))
    matched = np.hstack([matched, zeros])
    without = [name for name, row in zip(names, matched, strict=True) if np.isnan(row).all()]
    if without:
        notes.append(
            f"images without probabilities, which the calibration error ignores: {len(without):,} "
            f"({listing(without, 3)})"
        )
    return matched


def _match_metadata(truth: ClassTable, answers: ClassTable, group_column: str | None) -> dict[str, list[str]]:
    """Columns other than image, class and group, in the order of the true labels.

    If both tables have a column of the same name, that of the true labels is used.
    """
    own = (truth.name_column, answers.name_column, group_column or "")
    known = {name.lower() for name in (*PICTURE_COLUMNS, *ANSWER_COLUMNS, ANSWER_NAME, *own)}
    matched = answers.table.set_axis(pd.Index(answers.names)).reindex(truth.names).fillna("")
    columns = {name: table[name] for table in (matched, truth.table) for name in table.columns}
    return {name: texts.map(normal_text).tolist() for name, texts in columns.items() if name.lower() not in known}
