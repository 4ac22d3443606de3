"""`python -m model join`: the weighted mean of the probabilities of several inferences, as new predictions."""

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

Averages probabilities that inference.py has written, matched by image name. Writes the predictions to FILE, and their
probabilities (STEM.probabilities.csv) and labels.json to the same folder. If an image has no probabilities in one file,
its probabilities from the other files are averaged. The prediction is the most probable class; the decision.json files
of the models are not used.

    python -m model join output/probabilities.csv output-b/probabilities.csv:2 --output joined.csv"""


@dataclass(frozen=True)
class JoinSettings:
    files: list[str] = setting(
        [], "files of probabilities; a weight other than 1 follows after a colon", section="Joined", positional=True
    )
    output: str = setting(f"output/{OUTPUT}", "file to write the predictions to")
    picture_column: str | None = setting(
        None,
        "column of image names; default: the one in labels.json, otherwise ImageID, image_name, path, filename, ...",
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.files) < 2:
            yield f"expected at least two files of probabilities, not {len(self.files)}"


def average_probabilities(
    files: Sequence[Path], weights: Sequence[float], picture_column: str | None = None
) -> tuple[pd.DataFrame, Scheme]:
    """Averages the probabilities of each image over the files that have probabilities for it.

    Args:
        files: probabilities.csv of each inference, matched by image name and by class name.
        weights: One per file, at least 0.
        picture_column: Column of image names; None for the one in labels.json, otherwise one of the usual names.

    Returns:
        The mean, float64 (N, C), in the order of the first file, with one column per class; its index is named like the
        column of image names. A row is NaN if no file has probabilities for it. And the label scheme of the classes.

    Raises:
        InputError: Lists every problem: unreadable files, invalid weights, different classes, missing images.
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
            problems.add("weights", f"{file}: weight {weight:g}, expected at least 0")
    if not sum(weights) > 0:
        problems.add("weights", "all weights are 0; at least one must be positive")
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
            own, expected = listing(table.columns), listing(first.columns)
            problems.add("different classes", f"{file} has {own}; {files[0]} has {expected}")
        for one, other, one_file, other_file in ((first, table, files[0], file), (table, first, file, files[0])):
            for name in one.index.difference(other.index):
                problems.add("images missing in a file", f"{name} is in {one_file} but not in {other_file}")


def _weighted_mean(tables: Sequence[pd.DataFrame], weights: Sequence[float]) -> pd.DataFrame:
    """The mean, with the rows and columns of the first table; rows of NaN are ignored."""
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
    unreadable = {int(row): "no file has probabilities for this image" for row in np.flatnonzero(~is_read)}
    answers = Answers(np.flatnonzero(is_read), mean.to_numpy(np.float32)[is_read], unreadable)
    output, probabilities = answer_files(Path(), settings.output)
    info = pd.DataFrame({mean.index.name: mean.index})
    write_answers([answers], info, str(mean.index.name), scheme.to_dict(), output, probabilities, Decision())
    print(f"{len(mean):,} images joined from {len(weighted)} files: {output}")
    return 0
