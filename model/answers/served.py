"""`python -m model transform`: converts the output of a batch transform, one file per image, to that of inference."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from model.answers.files import ERRORS, OUTPUT, answer_files, beside_answers
from model.answers.write import Answers, write_answers
from model.artifacts.archive import opened_model
from model.artifacts.ensemble import answering_decision, load, provenance_of
from model.artifacts.learned_numbers import number_names
from model.artifacts.provenance import PROVENANCE_KEY
from model.attributes import number_column
from model.data.readers.columns import PICTURE_COLUMNS
from model.errors import InputError, Problems
from model.labels import Scheme
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model transform FOLDER --model_dir MODEL --output FILE

Converts the output of a SageMaker batch transform (one file IMAGE.out per image) to the files that inference.py writes:
predictions, probabilities, labels.json and errors.csv. The predicted class is chosen with the model's decision rule.
Images are named by their paths in FOLDER, and rows are sorted by name. The .out files may contain JSON, JSON Lines or
CSV.

    python -m model transform results/faces-eval/transform --model_dir runs/faces --output scores/output.csv"""

ENDING = ".out"  # added by batch transform to the name of an input
BATCH = 4096  # predictions in memory at a time


@dataclass(frozen=True)
class TransformSettings:
    folder: list[str] = setting([], "folder of the .out files", section="Transform", positional=True)
    model_dir: str | None = setting(None, "the saved model of the transform, or its model.tar.gz")
    output: str = setting(f"output/{OUTPUT}", "file to write the predictions to")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.folder) != 1:
            yield f"expected one folder of .out files, not {len(self.folder)}"
        if not self.model_dir:
            yield "--model_dir is missing: the saved model of the transform"


def answered_images(folder: Path) -> list[str]:
    """The paths of the images relative to a folder of .out files, sorted. InputError if there is none."""
    names = [
        Path(parent, name).relative_to(folder).as_posix().removesuffix(ENDING)
        for parent, _, files in os.walk(folder)
        for name in files
        if name.endswith(ENDING)
    ]
    if not names:
        raise InputError(
            f"{folder}: contains no output of a batch transform; expected a file IMAGE{ENDING} for each image"
        )
    return sorted(names)


def read_answers(folder: Path, names: Sequence[str], scheme: Scheme, numbers: Sequence[str] = ()) -> Iterator[Answers]:
    """The predictions in batches.

    Args:
        folder: Folder of the .out files.
        names: Names of the images, from answered_images.
        scheme: The label scheme of the model.
        numbers: Names of the attributes whose number the model estimates; only verbose responses have numbers.

    Raises:
        InputError: After the last batch, lists all files without a prediction of this model.
    """
    problems = Problems(f"output of a batch transform ({folder})")
    for first in range(0, len(names), BATCH):
        rows, probabilities, unreadable = [], [], {}
        estimated: dict[str, list[float]] = {name: [] for name in numbers}
        for row, name in enumerate(names[first : first + BATCH], first):
            path = folder / f"{name}{ENDING}"
            try:
                text = path.read_text(encoding="utf-8")
                answer, own = _parse(text, scheme), _parse_numbers(text, numbers)
            except (OSError, ValueError) as error:
                problems.add("files without a valid prediction of the model in --model_dir", f"{path}: {error}")
                continue
            if isinstance(answer, str):
                unreadable[row] = answer
            else:
                rows.append(row)
                probabilities.append(answer)
                for attribute, number in own.items():
                    estimated[attribute].append(number)
        array = np.array(probabilities, np.float32).reshape(-1, scheme.num_classes)
        own_numbers = {attribute: np.array(values) for attribute, values in estimated.items()}
        yield Answers(np.array(rows, np.int64), array, unreadable, numbers=own_numbers)
    problems.raise_if_any()


def _parse(text: str, scheme: Scheme) -> list[float] | str:
    """The probabilities in a response, or why the image is unreadable. ValueError if it is neither."""
    content: Any
    if text.lstrip().startswith("{"):
        content = json.loads(text)
        if isinstance(content.get("error"), str):
            return str(content["error"])
        if content.get("labels", scheme.class_names) != scheme.class_names:
            raise ValueError(
                f"the labels in the file are not the {scheme.num_classes:,} classes of the model in --model_dir"
            )
        values = content.get("probabilities")
        if not isinstance(values, list):
            raise ValueError("expected the response for one image, with probabilities")
    else:
        lines = list(csv.reader(text.splitlines()))
        if len(lines) != 1:
            raise ValueError(f"expected one line (the response for one image), found {len(lines)}")
        values = lines[0]
        if len(values) == scheme.num_classes + 1 and not any(values[:-1]):
            return values[-1]
    if len(values) != scheme.num_classes:
        raise ValueError(f"has {len(values):,} probabilities, expected {scheme.num_classes:,}, one per class")
    try:
        numbers = [float(value) for value in values]
    except TypeError:  # null, a list or an object in JSON
        raise ValueError("expected probabilities from 0 to 1") from None
    if not all(0 <= number <= 1 for number in numbers):
        raise ValueError("expected probabilities from 0 to 1")
    return numbers


def _parse_numbers(text: str, names: Sequence[str]) -> dict[str, float]:
    """The estimated numbers in a response by attribute, NaN if it has none. ValueError if one is not a number."""
    content = json.loads(text) if names and text.lstrip().startswith("{") else {}
    numbers = {name: content.get(number_column(name)) for name in names}
    if any(not isinstance(number, (int, float, NoneType)) for number in numbers.values()):
        raise ValueError(f"expected a number in {', '.join(map(number_column, names))}")
    return {name: math.nan if number is None else float(number) for name, number in numbers.items()}


def main(argv: Sequence[str]) -> int:
    settings = from_flags(TransformSettings, argv, USAGE)
    folder = Path(settings.folder[0])
    names = answered_images(folder)
    with opened_model(Path(settings.model_dir or "")) as model_folder:
        saved = load(model_folder)
        labels = saved.labels() | {PROVENANCE_KEY: provenance_of(saved, 1).to_dict()}
        decision, numbers = answering_decision(saved, views_vote=False), number_names(saved)
    info = pd.DataFrame({PICTURE_COLUMNS[0]: names}, dtype=object)
    output, probabilities = answer_files(Path(), settings.output)
    answers = read_answers(folder, names, saved.scheme, numbers)
    unread = write_answers(answers, info, PICTURE_COLUMNS[0], labels, output, probabilities, decision, numbers)
    why = f"; {unread:,} of them could not be read, see {beside_answers(output, ERRORS)}" if unread else ""
    print(f"{len(names):,} images converted to {output}{why}")
    return 0
