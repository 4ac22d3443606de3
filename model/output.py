"""The files of answers: output.csv, probabilities.csv, labels.json and errors.csv."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from model.finding import LABELS
from model.labels import Scheme
from model.prediction import Answers
from model.writing import write_beside, write_json

ERRORS = "errors.csv"


def answer_files(output: Path, given: str | None) -> tuple[Path, Path]:
    """Where answers and probabilities go: output.csv and probabilities.csv, or the file that --output names (a bare
    name lies in output) and STEM.probabilities.csv beside it."""
    if given is None:
        return output / "output.csv", output / "probabilities.csv"
    answers = output / given if Path(given).name == given else Path(given)
    return answers, answers.with_name(f"{answers.stem}.probabilities.csv")


def write_answers(
    answers: Iterator[Answers],
    info: pd.DataFrame,
    name_column: str,
    scheme: Scheme,
    answers_file: Path,
    probabilities_file: Path,
) -> int:
    """Writes answers as they come, a row for every row of info in its order, and labels.json and errors.csv beside
    them; all files take their names when the last is done. Returns the number of pictures without an answer."""
    names = info[name_column].tolist()
    only_answer = name_column == "image_name"
    answer_column = "y_pred" if only_answer else "ans"
    columns = [name_column] if only_answer else [column for column in info.columns if column != answer_column]
    kept = info[columns].to_numpy()
    header = [name_column, answer_column] if only_answer else [*info.columns]
    if answer_column not in header:
        header.append(answer_column)
    place = header.index(answer_column)
    errors_file = answers_file.parent / ERRORS
    errors: list[tuple[str, str]] = []
    with ExitStack() as files:
        answer_rows = files.enter_context(csv_writer(answers_file))
        probability_rows = files.enter_context(csv_writer(probabilities_file))
        answer_rows.writerow(header)
        probability_rows.writerow([name_column, *scheme.class_names])
        bar = tqdm(total=len(info), unit="picture", disable=not sys.stderr.isatty(), leave=False)
        for batch in answers:
            read = dict(zip(batch.rows.tolist(), batch.probabilities))
            for row in sorted([*read, *batch.unreadable]):
                probabilities = read.get(row)
                cells = list(kept[row])
                cells.insert(place, "" if probabilities is None else int(probabilities.argmax()))
                answer_rows.writerow(cells)
                told = [""] * scheme.num_classes if probabilities is None else [f"{p:.7g}" for p in probabilities]
                probability_rows.writerow([names[row], *told])
                if probabilities is None:
                    errors.append((names[row], batch.unreadable[row]))
            bar.update(len(batch.rows) + len(batch.unreadable))
        bar.close()
        if errors:
            error_rows = files.enter_context(csv_writer(errors_file))
            error_rows.writerows([(name_column, "error"), *errors])
        write_json(answers_file.parent / LABELS, scheme.to_dict())
    if not errors:
        errors_file.unlink(missing_ok=True)
    return len(errors)


@contextmanager
def csv_writer(path: Path) -> Iterator[Any]:
    """A csv writer of a UTF-8 file that is written beside its place first."""
    with write_beside(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        yield csv.writer(file, lineterminator="\n")
