"""Plants wrong labels in a channel along a model's own confusions, as a log of corrections for --corrections.

    python -m benchmarks.planted_noise data/train --rate 0.4 --output noisy.csv [--answers runs/folds/out_of_fold]
    python -m benchmarks.quality a.yaml b.yaml --corrections noisy.csv ...

A label of class c becomes class k with a probability in proportion to the mean probability of k among the images of
class c: out of fold, from a training with --folds (--answers) or a linear probe on the features of the images. The same
share of each class is changed, whole groups where the attribute is constant in groups, and no class is emptied. With
--corrections, the rows of that log come first, and wrong labels are planted in the labels that it corrects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.command_line import run
from exploration.channels import EmbeddedChannel, embeddings_of, read_labelled, require_writable
from model.cleaning.predicted import read_predicted
from model.cleaning.probe import FOLDS, centred, grouped_folds, out_of_fold_probe
from model.cleaning.suspects import label_texts
from model.cleaning.verdicts import is_of_group
from model.data.correction_files import log_path
from model.data.corrections import RELABEL, Correction, read_corrections, write_corrections
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
REVIEWER = "planted"  # in corrections

Codes = NDArray[np.int64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class PlantedNoiseSettings(EmbeddedChannel):
    channel: str = setting("", "folder of labelled images", section="Noise", positional=True, common=True)
    rate: float = setting(0.4, "share of each class whose labels become wrong", low=0, high=1, common=True)
    output: str = setting("planted.csv", "file to write the corrections to", common=True, placeholder="FILE")
    answers: str | None = setting(
        None,
        "folder out_of_fold of a training with --folds",
        unset="a linear probe on features",
        common=True,
        placeholder="DIR",
    )
    only: list[str] = setting([], "attributes whose labels are changed", unset="all")
    seed: int = setting(0, "seed of the choice of images and of the probe", low=0)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if not self.channel:
            yield "name the folder of a channel: python -m benchmarks.planted_noise data/train"
        yield from super().contradictions()


@dataclass(frozen=True)
class Planted:
    """The wrong labels of one attribute.

    Attributes:
        attribute: Its name.
        values: Names of its classes.
        level: What is changed together: "groups", the images of a group that have the same label, or "images".
        transition: float64 (K, K), probability of each class to be given to an image of a class if it is changed; a row
            of zeros for a class without images.
        units, changed: int64 (K,), number of groups or images of each class, and of those that are changed.
        images, wrong: int64 (K,), likewise of images.
        codes: int64 (n,), the new class of each image; negative if it has no label.
    """

    attribute: str
    values: Sequence[str]
    level: str
    transition: Matrix
    units: Codes
    changed: Codes
    images: Codes
    wrong: Codes
    codes: Codes

    def text(self) -> str:
        """The exact rates and the transition matrix."""
        rows = [
            [value, f"{units:,}", f"{changed:,}", f"{changed / max(units, 1):.3f}", f"{wrong / max(images, 1):.3f}"]
            + [f"{share:.3f}" if share else "" for share in shares]
            for value, units, changed, images, wrong, shares in zip(
                self.values, self.units, self.changed, self.images, self.wrong, self.transition
            )
        ]
        total = int(self.wrong.sum()), int(self.images.sum())
        headers = [self.attribute, self.level, "changed", "rate", "of images", *(f"to {name}" for name in self.values)]
        return f"{text_table(headers, rows)}\n{total[0]:,} of {total[1]:,} images, {total[0] / max(total[1], 1):.3f}"


def transition_matrix(codes: Codes, probabilities: Matrix) -> Matrix:
    """The share of each other class in the mean probabilities of the images of a class, float64 (K, K).

    Args:
        codes: int64 (n,), given classes; negative without a label.
        probabilities: (n, K), out of fold; rows of NaN without a prediction.
    """
    classes = probabilities.shape[1]
    known = (codes >= 0) & ~np.isnan(probabilities).any(axis=1)
    matrix = np.zeros((classes, classes))
    for code in np.unique(codes[known]).tolist():
        matrix[code] = probabilities[known & (codes == code)].mean(axis=0)
        matrix[code, code] = 0
        total = matrix[code].sum()
        matrix[code] = matrix[code] / total if total > 0 else 0
    return matrix


def plant(table: Table, attribute: str, probabilities: Matrix, rate: float, seed: int) -> Planted:
    """Chooses the labels that become wrong, and their new classes.

    The number of changes of a class is exact: its share, rounded, and never its last group or image. So is the number
    of each new class, up to rounding by largest remainders.

    Args:
        table: The channel.
        attribute: Name of the attribute.
        probabilities: float64 (n, K), out of fold.
        rate: Share of the groups or images of each class.
        seed: Seed of the choice.

    Raises:
        InputError: The images have fewer than two classes, or a class has no prediction.
    """
    codes = table.labels[attribute].to_numpy(np.int64)
    values = table.scheme.attribute(attribute).values
    if len(np.unique(codes[codes >= 0])) < 2:
        raise InputError(f"{attribute}: its labels are all alike; wrong ones need at least two classes")
    by_group, transition = is_of_group(table, attribute), transition_matrix(codes, probabilities)
    groups = np.unique(table.groups.astype(str), return_inverse=True)[1] if by_group else np.arange(len(table))
    generator, new = np.random.default_rng(seed), codes.copy()
    units, changed = np.zeros(len(values), np.int64), np.zeros(len(values), np.int64)
    for code in np.unique(codes[codes >= 0]).tolist():
        own = generator.permutation(np.unique(groups[codes == code]))
        units[code], changed[code] = len(own), min(round(rate * len(own)), len(own) - 1)
        if changed[code] and not transition[code].any():
            raise InputError(f"{attribute}: there is no out-of-fold prediction for an image of class {values[code]}")
        destinations = np.repeat(np.arange(len(values)), quotas(transition[code], int(changed[code])))
        for unit, other in zip(own, destinations):
            new[(groups == unit) & (codes == code)] = other
    images, wrong = (np.bincount(codes[rows], minlength=len(values)) for rows in (codes >= 0, new != codes))
    level = "groups" if by_group else "images"
    return Planted(attribute, values, level, transition, units, changed, images, wrong, new)


def quotas(shares: NDArray[np.float64], count: int) -> Codes:
    """Whole numbers that sum to `count` in these shares (largest remainders), int64 (K,)."""
    exact = shares * count
    whole = np.floor(exact).astype(np.int64)
    rest = count - int(whole.sum())
    whole[np.argsort(-(exact - whole), kind="stable")[:rest]] += 1
    return whole


def corrections_of(table: Table, planted: Planted, seed: int) -> list[Correction]:
    """The wrong labels as rows of a log, one per image.

    A wrong band of an attribute with numbers is the number of a random image of this band, if there is one; the images
    of a group that are changed together get the same number.

    Args:
        table: The channel.
        planted: The wrong labels.
        seed: Seed of the numbers.
    """
    generator, name = np.random.default_rng(seed), planted.attribute
    codes, texts = table.labels[name].to_numpy(np.int64), label_texts(table, name)
    rows_of = {code: np.flatnonzero(codes == code) for code in np.unique(codes[codes >= 0]).tolist()}
    drawn: dict[tuple[str, int, int], str] = {}  # by group, class and new class
    rows = []
    for row in np.flatnonzero(planted.codes != codes).tolist():
        new, group = int(planted.codes[row]), str(table.groups[row])
        value = str(planted.values[new])
        if name in table.numbers and new in rows_of:
            key = (group, int(codes[row]), new)
            value = drawn.setdefault(key, texts[int(generator.choice(rows_of[new]))])
        path = table.locations.paths[row]
        rows.append(Correction(path, "" if group == path else group, name, RELABEL, value, texts[row], REVIEWER))
    return rows


def probabilities_of(settings: PlantedNoiseSettings, table: Table, names: Sequence[str]) -> dict[str, Matrix]:
    """The out-of-fold probabilities of attributes by name, float64 (n, K): from --answers or a linear probe."""
    if settings.answers:
        predicted = read_predicted(Path(settings.answers), table)
        missing = [name for name in names if name not in predicted]
        if missing:
            raise InputError(f"{settings.answers} has no predictions of {listing(missing)}")
        return predicted
    features = centred(embeddings_of(settings, table).normalised())
    groups = np.unique(table.groups.astype(str), return_inverse=True)[1]
    result = {}
    for name in names:
        codes, classes = table.labels[name].to_numpy(np.int64), len(table.scheme.attribute(name).values)
        rows = np.flatnonzero((codes >= 0) & features.any(axis=1))
        result[name] = np.full((len(table), classes), np.nan)
        folds = grouped_folds(groups[rows], codes[rows], FOLDS, settings.seed)
        result[name][rows] = out_of_fold_probe(features[rows], codes[rows], folds, classes, settings.seed)
    return result


def main(argv: Sequence[str]) -> int:
    settings = from_flags(PlantedNoiseSettings, argv, USAGE)
    require_writable("output", settings.output)
    table = read_labelled(settings, Path(settings.channel))
    names = settings.only or list(table.scheme.names)
    unknown = [f"{name!r}{did_you_mean(name, table.scheme.names)}" for name in names if name not in table.scheme.names]
    if unknown:
        raise InputError(f"only: {listing(unknown)}, expected {listing(table.scheme.names)}")
    rows: list[Correction] = []
    if settings.corrections:
        rows = read_corrections(log_path(settings.corrections, table.root), Problems(""), settings.encoding)
    probabilities = probabilities_of(settings, table, names)
    for name in names:
        planted = plant(table, name, probabilities[name], settings.rate, settings.seed)
        print(planted.text(), end="\n\n")
        rows += corrections_of(table, planted, settings.seed)
    write_corrections(Path(settings.output), rows)
    print(f"wrote {settings.output}; train on it with: python train.py --corrections {settings.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
