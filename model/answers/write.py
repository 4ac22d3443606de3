"""The files of answers: output.csv, probabilities.csv, labels.json and errors.csv, or STEM.csv, STEM.probabilities.csv
and so on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.answers.files import ERRORS, beside_answers
from model.artifacts.files import LABELS, is_saved_model
from model.artifacts.provenance import PROVENANCE_KEY
from model.atomic_write import remove_parts, write_beside, write_json
from model.data.readers.columns import column_named
from model.runtime.terminal import ProgressBar


def write_answers(
    answers: Iterator[Answers],
    info: pd.DataFrame,
    name_column: str,
    labels: Mapping[str, Any],
    answers_file: Path,
    probabilities_file: Path,
) -> int:
    """Writes answers as they come, a row for every row of info in its order, and labels.json and errors.csv beside
    them; all files take their names when the last is done. labels: what labels.json shall hold, the names under
    `classes` among it. Returns the number of pictures without an answer."""
    for file in (answers_file, probabilities_file):
        remove_parts(file.parent, file.name)
    header = [str(column) for column in info.columns]
    place = header.index(name_column)
    names = info.iloc[:, place].tolist()
    only_answer = name_column.lower() == "image_name"
    answer = None if only_answer else column_named(header, "ans")
    kept = info.to_numpy(dtype=object, copy=True)
    if only_answer:
        header, kept = [name_column, "y_pred"], kept[:, [place]]
    elif answer is None:
        header.append("ans")
    at = len(header) - 1 if answer is None else header.index(answer)
    kept = kept if answer is not None else np.column_stack([kept, np.full(len(kept), "", dtype=object)])
    errors_file = beside_answers(answers_file, ERRORS)
    errors: list[tuple[str, str]] = []
    with ExitStack() as files, ProgressBar("answers", len(info)) as bar:
        answer_rows = files.enter_context(csv_writer(answers_file))
        probability_rows = files.enter_context(csv_writer(probabilities_file))
        answer_rows.writerow(header)
        probability_rows.writerow([name_column, *labels["classes"]])
        for batch in answers:
            read = dict(zip(batch.rows.tolist(), batch.probabilities))
            for row in sorted([*read, *batch.unreadable]):
                probabilities = read.get(row)
                cells = list(kept[row])
                cells[at] = "" if probabilities is None else int(probabilities.argmax())
                answer_rows.writerow(cells)
                told = [""] * len(labels["classes"]) if probabilities is None else [f"{p:.7g}" for p in probabilities]
                probability_rows.writerow([names[row], *told])
                if probabilities is None:
                    errors.append((names[row], batch.unreadable[row]))
            bar.update(len(batch.rows) + len(batch.unreadable))
        if errors:
            error_rows = files.enter_context(csv_writer(errors_file))
            error_rows.writerows([(name_column, "error"), *errors])
        _write_labels(answers_file, labels)
    if not errors:
        errors_file.unlink(missing_ok=True)
    return len(errors)


def _write_labels(answers_file: Path, labels: Mapping[str, Any]) -> None:
    """Beside STEM.csv STEM.labels.json, and labels.json where that does not tell the same classes: it tells of
    output.csv how its model was made. In a saved model's folder labels.json is the model's own, which tells its heads
    too."""
    own, shared = beside_answers(answers_file, LABELS), answers_file.with_name(LABELS)
    of_model = is_saved_model(answers_file.parent)
    if own != shared or not of_model:
        write_json(own, dict(labels))
    classes = {name: told for name, told in labels.items() if name != PROVENANCE_KEY}
    if own != shared and not of_model and not _tells(shared, classes):
        write_json(shared, classes)


def _tells(path: Path, classes: dict[str, Any]) -> bool:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told | classes == told


@contextmanager
def csv_writer(path: Path) -> Iterator[Any]:
    """A csv writer of a UTF-8 file that is written beside its place first."""
    with write_beside(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        yield csv.writer(file, lineterminator="\n")


@dataclass(frozen=True)
class Answers:
    """rows: int64 (N,) of the input that could be read; probabilities: float32 (N, joint classes); unreadable:
    {row: reason}."""

    rows: np.ndarray
    probabilities: np.ndarray
    unreadable: dict[int, str]
