"""`python -m model join`: the weighted mean of earlier inferences' probabilities, as new answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.files import OUTPUT, PROBABILITIES, answer_files, labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import read_probabilities
from model.answers.write import Answers, write_answers
from model.attributes import Attribute
from model.data.readers.columns import picture_columns
from model.decisions import Decision
from model.errors import Problems, listing
from model.labels import Scheme
from model.paths import parse_weighted
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model join PROBABILITIES[:WEIGHT] ... --output FILE

Averages probabilities that inference.py wrote, joined by the images' names, and writes the answers, their
probabilities (FILE's STEM.probabilities.csv) and labels.json beside them. Images that one file could not read are
answered from the others. The answer is the most probable class: decisions of the models (decision.json) are not used.

    python -m model join output/probabilities.csv output-b/probabilities.csv:2 --output joined.csv"""


@dataclass(frozen=True)
class JoinSettings:
    files: list[str] = setting(
        [], "probabilities, each with its weight behind a colon where that is not 1", section="Joined", positional=True
    )
    output: str = setting(f"output/{OUTPUT}", "file of the answers")
    picture_column: str | None = setting(
        None,
        "column that names the images; else the one in labels.json, else ImageID, image_name, path, filename, ...",
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.files) < 2:
            yield f"at least two files of probabilities are needed, not {len(self.files)}"


def average_probabilities(
    files: Sequence[Path], weights: Sequence[float], picture_column: str | None = None
) -> tuple[pd.DataFrame, Scheme]:
    """Averages the probabilities of each image over the files that have some for it.

    Args:
        files: probabilities.csv of each inference, matched by image name and by class name.
        weights: one a file, 0 or more.
        picture_column: column of image names; None for the one in labels.json, else one of a usual name.

    Returns:
        The mean, float64 (N, C), in the first file's order, a column a class and the index named as its column of
        images; a row is NaN where no file has probabilities. And the label scheme of the classes.

    Raises:
        InputError: lists every problem: unreadable files, invalid weights, different classes, images that a file lacks.
    """
    problems = Problems("probabilities cannot be joined")
    label_files = [path if path.is_file() else None for path in map(labels_of_probabilities, files)]
    labels = [LabelsJson.read(path) if path else None for path in label_files]
    remembered = [own.picture_column() if own else None for own in labels]
    frames = [
        read_probabilities(file, problems, (), [picture_column] if picture_column else picture_columns(column))
        for file, column in zip(files, remembered)
    ]
    for file, weight in zip(files, weights):
        if not 0 <= weight < np.inf:
            problems.add("weights", f"{file}: {weight:g}, expected 0 or more")
    if not sum(weights) > 0:
        problems.add("weights", "all are 0")
    problems.raise_if_any()
    tables = [frame for frame in frames if frame is not None]
    _check_same_rows_and_classes(files, tables, problems)
    schemes = [own.scheme(problems) for own in labels if own]
    problems.raise_if_any()
    classes = list(tables[0].columns)
    fitting = [scheme for scheme in schemes if scheme and scheme.class_names == classes]
    return _weighted_mean(tables, weights), fitting[0] if fitting else Scheme((Attribute("class", tuple(classes)),))


def labels_of_probabilities(file: Path) -> Path:
    """Path of the labels.json that belongs to a probabilities.csv or STEM.probabilities.csv."""
    stem = file.name.removesuffix(f".{PROBABILITIES}")
    return labels_file(file.with_name(OUTPUT if file.name == PROBABILITIES else f"{stem}.csv"))


def _check_same_rows_and_classes(files: Sequence[Path], tables: Sequence[pd.DataFrame], problems: Problems) -> None:
    first = tables[0]
    for file, table in zip(files[1:], tables[1:]):
        if sorted(table.columns) != sorted(first.columns):
            problems.add("classes", f"{file}: {listing(table.columns)}; {files[0]}: {listing(first.columns)}")
        for one, other, one_file, other_file in ((first, table, files[0], file), (table, first, file, files[0])):
            for name in one.index.difference(other.index):
                problems.add("images that a file lacks", f"{name} of {one_file} is not in {other_file}")


def _weighted_mean(tables: Sequence[pd.DataFrame], weights: Sequence[float]) -> pd.DataFrame:
    """The mean in the rows and columns of the first table; rows of NaN count for nothing."""
    first = tables[0]
    total, total_weight = np.zeros(first.shape), np.zeros((len(first), 1))
    for table, weight in zip(tables, weights):
        values = table.loc[first.index, first.columns].to_numpy()
        is_known = ~np.isnan(values).any(axis=1, keepdims=True)
        total += np.where(is_known, values, 0) * weight
        total_weight += is_known * weight
    mean = np.divide(total, total_weight, out=np.full(first.shape, np.nan), where=total_weight > 0)
    return pd.DataFrame(mean, index=first.index, columns=first.columns)


def main(argv: Sequence[str]) -> int:
    settings = from_flags(JoinSettings, argv, USAGE)
    weighted = parse_weighted(settings.files)
    mean, scheme = average_probabilities(
        [file for file, _ in weighted], [weight for _, weight in weighted], settings.picture_column
    )
    is_read = ~mean.isna().any(axis=1).to_numpy()
    unreadable = {int(row): "no file has probabilities for it" for row in np.flatnonzero(~is_read)}
    answers = Answers(np.flatnonzero(is_read), mean.to_numpy(np.float32)[is_read], unreadable)
    output, probabilities = answer_files(Path(), settings.output)
    info = pd.DataFrame({mean.index.name: mean.index})
    write_answers([answers], info, str(mean.index.name), scheme.to_dict(), output, probabilities, Decision())
    print(f"{len(mean):,} images joined from {len(weighted)} files: {output}")
    return 0
