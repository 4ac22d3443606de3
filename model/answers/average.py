"""`python -m model join`: probabilities of earlier inferences, averaged by weight into new answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.files import PROBABILITIES, answer_files, labels_file
from model.answers.read import read_probabilities, read_scheme
from model.answers.write import Answers, write_answers
from model.errors import Problems, listing
from model.labels import Attribute, Scheme
from model.paths import parse_weighted
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model join PROBABILITIES[:WEIGHT] ... --output FILE

Averages probabilities that inference.py wrote, joined by the pictures' names, and writes the answers, their
probabilities (FILE's STEM.probabilities.csv) and labels.json beside them. Pictures that one file could not read are
answered from the others.

    python -m model join output/probabilities.csv output-b/probabilities.csv:2 --output joined.csv"""


@dataclass(frozen=True)
class JoinSettings:
    files: list[str] = setting(
        [], "probabilities, each with its weight behind a colon where that is not 1", section="Joined", positional=True
    )
    output: str = setting("output/output.csv", "file of the answers")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.files) < 2:
            yield f"at least two files of probabilities are needed, not {len(self.files)}"


def join_probabilities(files: Sequence[Path], weights: Sequence[float]) -> tuple[pd.DataFrame, Scheme]:
    """The weighted mean by picture, in the first file's order, a column a class; the index is named as the pictures'
    column; a row of NaN where no file has probabilities. InputError tells all faults: classes that differ, pictures
    that a file lacks, weights that are none."""
    problems = Problems("probabilities cannot be joined")
    frames = [read_probabilities(file, problems) for file in files]
    for file, weight in zip(files, weights):
        if not 0 <= weight < np.inf:
            problems.add("weights", f"{file}: {weight:g}, expected 0 or more")
    if not sum(weights) > 0:
        problems.add("weights", "all are 0")
    problems.raise_if_any()
    first, *others = [frame for frame in frames if frame is not None]
    for file, frame in zip(files[1:], others):
        if sorted(frame.columns) != sorted(first.columns):
            problems.add("classes", f"{file}: {listing(frame.columns)}; {files[0]}: {listing(first.columns)}")
        for one, other, in_one, in_other in ((first, frame, files[0], file), (frame, first, file, files[0])):
            for name in one.index.difference(other.index):
                problems.add("pictures that a file lacks", f"{name} of {in_one} is not in {in_other}")
    beside = [labels_of_probabilities(file) for file in files]
    schemes = [read_scheme(file, problems) for file in beside if file.is_file()]
    problems.raise_if_any()
    total, share = np.zeros(first.shape), np.zeros((len(first), 1))
    for frame, weight in zip([first, *others], weights):
        values = frame.loc[first.index, first.columns].to_numpy()
        known = ~np.isnan(values).any(axis=1, keepdims=True)
        total += np.where(known, values, 0) * weight
        share += known * weight
    mean = np.divide(total, share, out=np.full(first.shape, np.nan), where=share > 0)
    fitting = [scheme for scheme in schemes if scheme and scheme.class_names == list(first.columns)]
    scheme = fitting[0] if fitting else Scheme((Attribute("class", tuple(first.columns)),))
    return pd.DataFrame(mean, index=first.index, columns=first.columns), scheme


def labels_of_probabilities(file: Path) -> Path:
    """The labels.json of the answers that probabilities lie beside."""
    stem = file.name.removesuffix(f".{PROBABILITIES}")
    return labels_file(file.with_name("output.csv" if file.name == PROBABILITIES else f"{stem}.csv"))


def main(argv: Sequence[str]) -> int:
    settings = from_flags(JoinSettings, argv, USAGE)
    weighted = parse_weighted(settings.files)
    joined, scheme = join_probabilities([file for file, _ in weighted], [weight for _, weight in weighted])
    read = ~joined.isna().any(axis=1).to_numpy()
    unreadable = {int(row): "no file has probabilities for it" for row in np.flatnonzero(~read)}
    answers = Answers(np.flatnonzero(read), joined.to_numpy(np.float32)[read], unreadable)
    output, probabilities = answer_files(Path(), settings.output)
    info = pd.DataFrame({joined.index.name: joined.index})
    write_answers(iter([answers]), info, str(joined.index.name), scheme.to_dict(), output, probabilities)
    print(f"{len(joined):,} pictures joined from {len(weighted)} files: {output}")
    return 0
