"""`python -m model pseudo-label`: confident predictions for unlabelled images become training labels.

The images of a class that are predicted with the highest probabilities are taken, a limited number of each class, so
that frequent classes do not crowd out rare ones (class-balanced self-training, Zou et al., ECCV 2018). The table that
is written has the labelled images too, with a column of splits: pseudo-labelled images are never validated on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.answers.files import OUTPUT, PROBABILITIES, labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import read_probabilities
from model.atomic_write import write_frame
from model.attributes import normal_text
from model.cleaning.suspects import label_texts
from model.data.channel import ChannelOptions, read_channel
from model.data.groups import groups_of_paths
from model.data.readers.split_names import TRAIN, VALIDATION
from model.data.splits import split
from model.data.table import Table
from model.decisions import Decision
from model.errors import InputError, Problems, did_you_mean, listing, nearest_path
from model.labels import Scheme
from model.runtime.terminal import text_table
from model.settings.channel import ReadingSettings
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model pseudo-label CHANNEL --unlabelled FOLDER --answers DIR --output FILE [--FLAG VALUE ...]

Writes a table of the labelled images, and of the unlabelled ones that a model predicts with confidence:

    python inference.py --eval_dir data/new --model_dir runs/exp --output_data_dir answers
    python -m model pseudo-label data/train --unlabelled data/new --answers answers --output data/pseudo.csv
    python train.py --train_dir data --table pseudo.csv --split_column split --weight_column weight

--split_column is needed: it keeps pseudo-labelled images out of the validation. With the same seed and share the
validation images are those of a training on the channel alone, so the model that predicted was not trained on them."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PseudoLabelSettings(ReadingSettings):
    """Settings of `python -m model pseudo-label`."""

    channel: str = setting("", "Folder of labelled images", section="Pseudo-labels", positional=True, common=True)
    unlabelled: str = setting("", "Folder of the images without labels", common=True)
    answers: str = setting("", "Folder of the predictions of inference.py for them", common=True)
    output: str = setting("", "Table to write; both folders must be in its folder", common=True, placeholder="FILE")
    min_probability: float = setting(0.95, "Least probability of the predicted class", low=0, high=1, common=True)
    per_class_share: float = setting(
        0.5, "Largest number of pseudo-labels of a class, as a share of its labelled images", low=0, common=True
    )
    per_class_cap: int = setting(0, "Largest number of pseudo-labels of a class; 0: no limit", low=0, common=True)
    weight: float = setting(0.5, "Weight of a pseudo-labelled image; that of a labelled one is 1", low=0, common=True)
    validation: float = setting(0.2, "Share of the labelled groups or images to hold out", low=0.001, high=0.9)
    seed: int = setting(0, "Seed of the split, as that of the training", low=0)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        names = ("channel", "unlabelled", "answers", "output")
        yield from (f"{name} is missing" for name in names if not getattr(self, name))
        yield from self.reading_contradictions()


@dataclass(frozen=True)
class Predicted:
    """Predictions for unlabelled images.

    Attributes:
        names: Their paths, relative to their folder.
        probabilities: float64 (n, C), of the joint classes; rows of NaN for unreadable images.
        groups: Their groups; "" without.
    """

    names: Sequence[str]
    probabilities: Floats
    groups: Sequence[str]


def select(
    probabilities: Floats, labelled: NDArray[np.int64], least: float, share: float, cap: int = 0
) -> tuple[NDArray[np.int64], Floats]:
    """Selects the images that are predicted with the most confidence, class by class.

    Args:
        probabilities: float64 (n, C); rows of NaN are never selected.
        labelled: int64 (C,), number of labelled images of each class.
        least: Least probability.
        share: Largest number of selected images of a class, as a share of its labelled images.
        cap: Largest number of any class; 0: no limit.

    Returns:
        The class of each image, int64 (n,), -1 if it is not selected; the lowest selected probability of each class,
        float64 (C,), NaN for a class without selected images. Of equal probabilities, the first images are selected.
    """
    known = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    predicted, selected = Decision().classes(probabilities[known]), np.full(len(probabilities), -1, np.int64)
    thresholds = np.full(len(labelled), np.nan)
    for code, count in enumerate(labelled.tolist()):
        most = int(share * count + 1e-9)  # 0.29 * 100 is 28.999999999999996
        most = min(most, cap) if cap else most
        rows = known[predicted == code]
        rows = rows[probabilities[rows, code] >= least]
        rows = rows[np.argsort(-probabilities[rows, code], kind="stable")][:most]
        selected[rows] = code
        thresholds[code] = probabilities[rows[-1], code] if len(rows) else np.nan
    return selected, thresholds


def read_predicted_images(answers: Path, unlabelled: Path, table: Table, group_pattern: str | None) -> Predicted:
    """Reads the predictions of inference.py, and the groups of the images.

    A group is found by the pattern, or in output.csv (which has the columns of info.csv) in the column with the name of
    the channel's column of groups.

    Args:
        answers: Folder of the predictions.
        unlabelled: Folder of the images.
        table: The labelled channel, whose classes must be those of the predictions.
        group_pattern: The setting of the same name.

    Raises:
        InputError: Files are missing or invalid, the classes differ, or images do not exist; lists all problems.
    """
    if not answers.is_dir():
        raise InputError(f"answers {answers}: there is no such folder{nearest_path(answers)}; inference.py writes it")
    problems = Problems(str(answers))
    file = answers / PROBABILITIES
    scheme, frame = LabelsJson.read(labels_file(file)).scheme(problems), read_probabilities(file, problems)
    problems.raise_if_any()
    assert scheme is not None and frame is not None  # otherwise there is a problem
    _check_classes(scheme, list(frame.columns), table.scheme, problems)
    names = [str(name) for name in frame.index]
    files = set[str]()
    for name in names:
        if not (unlabelled / name).is_file():
            files = files or {path.relative_to(unlabelled).as_posix() for path in unlabelled.rglob("*")}
            near = did_you_mean(name, files) if problems.shows_next("images that do not exist") else ""
            problems.add("images that do not exist", f"{unlabelled / name}{near}")
    problems.raise_if_any()
    groups = groups_of_paths(names, group_pattern) if group_pattern else _groups_in(answers / OUTPUT, table, names)
    return Predicted(names, frame.to_numpy(np.float64), [normal_text(group) for group in groups])


def _check_classes(predicted: Scheme, columns: list[str], channel: Scheme, problems: Problems) -> None:
    """Adds a problem if attributes or classes of the predictions are not those of the channel."""
    for name in predicted.names:
        if name not in channel.names:
            near = did_you_mean(name, channel.names)
            problems.add(
                "attributes that the channel does not have", f"{name}, expected {listing(channel.names)}{near}"
            )
    for name in channel.names:
        expected = listing(channel.attribute(name).values)
        found = listing(predicted.attribute(name).values) if name in predicted.names else "no predictions"
        if found != expected:
            problems.add("classes that differ from the channel's", f"{name}: {found}; the channel has {expected}")
    if not problems and columns != list(channel.class_names):
        detail = f"{listing(columns)}; the channel has {listing(channel.class_names)}"
        problems.add("classes that differ from the channel's", detail)


def _groups_in(output: Path, table: Table, names: Sequence[str]) -> list[str]:
    """The groups in output.csv, whose rows are those of probabilities.csv; "" where it has no column of groups."""
    if table.grouped_by and output.is_file():
        rows = pd.read_csv(output, dtype=str, keep_default_na=False)
        if table.grouped_by in rows.columns and len(rows) == len(names):
            return [str(group) for group in rows[table.grouped_by]]
    return [""] * len(names)


def sides_of(table: Table, validation: float, seed: int) -> NDArray[np.bool_]:
    """Whether each labelled image is validated on, bool (n,): by the split column, otherwise split as train.py splits.

    Raises:
        InputError: No image is left to validate on.
    """
    if table.sides is not None:
        held_out = np.asarray(table.sides == VALIDATION, dtype=bool)
    else:
        held_out = np.zeros(len(table), dtype=bool)
        held_out[split(table.groups, table.strata().rows, validation, seed)[1]] = True
    if not held_out.any():
        raise InputError(f"{table.root}: no image is left to validate on, and pseudo-labels must not be validated on")
    return held_out


def joined_table(
    table: Table,
    held_out: NDArray[np.bool_],
    predicted: Predicted,
    selected: NDArray[np.int64],
    folders: tuple[str, str],
    weight: float,
) -> pd.DataFrame:
    """The rows of the table to train on: path, group if there are some, labels, split and weight.

    Args:
        table: The labelled channel.
        held_out: bool (n,), its images to validate on.
        predicted: The unlabelled images.
        selected: int64, the joint class of each unlabelled image, negative if it is not used.
        folders: Folders of the labelled and of the unlabelled images, relative to the table's.
        weight: Weight of the pseudo-labelled images.
    """
    rows, paths = np.flatnonzero(selected >= 0).tolist(), table.locations.paths
    codes = table.scheme.split(selected[rows])
    groups = ["" if group == path else str(group) for group, path in zip(table.groups, paths)]
    columns: dict[str, list[object]] = {
        "path": [*(f"{folders[0]}/{path}" for path in paths), *(f"{folders[1]}/{predicted.names[row]}" for row in rows)]
    }
    groups += [predicted.groups[row] for row in rows]
    if any(groups):
        columns["group"] = list(groups)
    for attribute in table.scheme.attributes:
        own = [attribute.values[code] for code in codes[attribute.name].tolist()]
        columns[attribute.name] = [*label_texts(table, attribute.name), *own]
    columns["split"] = [*np.where(held_out, VALIDATION, TRAIN).tolist(), *[TRAIN] * len(rows)]
    columns["weight"] = [*[1.0] * len(table), *[weight] * len(rows)]
    return pd.DataFrame(columns)


def _folders(settings: PseudoLabelSettings) -> tuple[str, str]:
    """The folders of the images relative to that of the table. Raises InputError if they are elsewhere or overlap."""
    root, problems = Path(settings.output).resolve().parent, []
    channel, unlabelled = Path(settings.channel).resolve(), Path(settings.unlabelled).resolve()
    for folder, name in ((channel, settings.channel), (unlabelled, settings.unlabelled)):
        if not folder.is_dir():
            problems.append(f"{name}: there is no such folder{nearest_path(Path(name))}")
        elif root not in folder.parents:
            problems.append(f"{name} is not in {root}, the folder of output; images must be below their table")
    if channel == unlabelled or channel in unlabelled.parents or unlabelled in channel.parents:
        problems.append(f"{settings.unlabelled} and {settings.channel}: one is in the other; expected two folders")
    if problems:
        raise InputError("\n".join(problems))
    return channel.relative_to(root).as_posix(), unlabelled.relative_to(root).as_posix()


def main(argv: Sequence[str]) -> int:
    settings = from_flags(PseudoLabelSettings, argv, USAGE)
    folders = _folders(settings)
    problems = Problems(settings.channel)
    table = read_channel(Path(settings.channel), problems, ChannelOptions.from_settings(settings))
    problems.raise_if_any()
    assert table is not None  # otherwise there is a problem
    predicted = read_predicted_images(Path(settings.answers), Path(settings.unlabelled), table, settings.group_pattern)
    held_out = sides_of(table, settings.validation, settings.seed)
    # images of a held-out person or sender would tell what is validated
    probabilities = predicted.probabilities.copy()
    probabilities[np.isin(predicted.groups, table.groups[held_out])] = np.nan
    counts = table.take(np.flatnonzero(~held_out)).class_counts()
    options = settings.min_probability, settings.per_class_share, settings.per_class_cap
    selected, thresholds = select(probabilities, counts, *options)
    write_frame(Path(settings.output), joined_table(table, held_out, predicted, selected, folders, settings.weight))
    found = np.bincount(selected[selected >= 0], minlength=len(counts))
    rows = [
        [name, f"{count:,}", f"{own:,}", "" if np.isnan(threshold) else f"{threshold:.3f}"]
        for name, count, own, threshold in zip(table.scheme.class_names, counts, found, thresholds)
    ]
    print(text_table(["class", "training images", "pseudo-labels", "lowest probability"], rows))
    print(f"wrote {settings.output}: {len(table):,} labelled and {int(found.sum()):,} pseudo-labelled images")
    return 0
