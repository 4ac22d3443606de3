"""How many of the known wrong labels are among the first suspects. docs/experiments.md has the results.

    nice python -m benchmarks.suspects --faces data/faces --tagging data/tagging --weights FILE
    ... --faces_answers runs/faces/out_of_fold --tagging_answers runs/tagging/out_of_fold

faces: a folder with the channel `train` and train_noise_truth.csv (columns person, what; what is an attribute). The
figures are the persons with a wrong label among the first 100 and 130 persons of the list, by attribute. tagging: a
folder with `train` and train_truth.csv (image_name, label). The figure is the area under the ROC curve (AUROC) of the
score over images. The truth is only read to score.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from benchmarks.command_line import run
from exploration.channels import EmbeddedChannel, embeddings_of, read_labelled
from model.cleaning.detection import Detection, DetectionSettings, detect
from model.cleaning.predicted import read_predicted
from model.data.table import Table
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
REVIEWED = (100, 130)  # persons
TAGS = ("top", "bottom", "footwear_hat", "outer_dress", "unclassified")


@dataclass(frozen=True)
class SuspectsSettings(EmbeddedChannel):
    faces: str | None = setting(None, "folder of the faces", section="Data", common=True)
    faces_answers: str | None = setting(None, "out_of_fold of a training on the faces", common=True)
    tagging: str | None = setting(None, "folder of the tagging data", common=True)
    tagging_answers: str | None = setting(None, "out_of_fold of a training on the tagging data", common=True)


def runs(settings: SuspectsSettings, channel: Path, answers: str | None) -> list[tuple[str, Table, Detection, float]]:
    """The detections from embeddings, from predictions and from both: source, table, detection and seconds."""
    start = time.perf_counter()
    table = read_labelled(settings, channel)
    features = embeddings_of(settings, table).normalised()
    embedded = time.perf_counter() - start
    predicted = read_predicted(Path(answers), table) if answers else {}
    variants: list[tuple[str, np.ndarray | None, dict[str, np.ndarray]]] = [("embeddings", features, {})]
    if predicted:
        variants += [("folds", None, predicted), ("embeddings and folds", features, predicted)]
    results = []
    for name, own_features, own_predicted in variants:
        start = time.perf_counter()
        detection = detect(table, own_features, own_predicted, DetectionSettings(most=0))
        seconds = time.perf_counter() - start + (embedded if own_features is not None else 0)
        results.append((name, table, detection, seconds))
    return results


def found_among_first(table: Table, detection: Detection, wrong: dict[str, set[str]], count: int) -> dict[str, int]:
    """The number of groups with a wrong label among the first groups of the list, by attribute.

    Args:
        table: The channel.
        detection: The suspects.
        wrong: Groups with a wrong label by attribute.
        count: Number of groups that are reviewed.
    """
    groups = list(dict.fromkeys(str(table.groups[one.rows[0]]) for one in detection.suspects))[:count]
    return {attribute: len(persons.intersection(groups)) for attribute, persons in wrong.items()}


def faces_rows(settings: SuspectsSettings) -> list[list[str]]:
    """A row of the table per source."""
    assert settings.faces
    wrong: dict[str, set[str]] = {}
    with open(Path(settings.faces) / "train_noise_truth.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            wrong.setdefault(row["what"], set()).add(row["person"])
    rows = []
    for name, table, detection, seconds in runs(settings, Path(settings.faces) / "train", settings.faces_answers):
        for count in REVIEWED:
            found = found_among_first(table, detection, wrong, count)
            cells = [f"{found[what]} of {len(wrong[what])}" for what in ("gender", "mask", "age")]
            rows.append([name, str(count), *cells, f"{seconds:.0f}"])
    return rows


def tagging_rows(settings: SuspectsSettings) -> list[list[str]]:
    """A row of the table per source."""
    assert settings.tagging
    with open(Path(settings.tagging) / "train_truth.csv", encoding="utf-8", newline="") as file:
        truth = {Path(row["image_name"]).name: int(row["label"]) for row in csv.DictReader(file)}
    own = replace(settings, group_column="sender", attributes={"label": list(TAGS)})
    rows = []
    for name, table, detection, seconds in runs(own, Path(settings.tagging) / "train", settings.tagging_answers):
        true = np.array([truth[Path(path).name] for path in table.locations.paths])
        wrong = true != table.labels["label"].to_numpy()
        estimated = detection.attributes[0].wrong
        counts = f"{estimated:.0f} of {int(wrong.sum())}"
        rows.append([name, f"{area_under_roc(detection.scores['label'], wrong):.4f}", counts, f"{seconds:.0f}"])
    return rows


def area_under_roc(scores: np.ndarray, wrong: np.ndarray) -> float:
    """The probability that a wrong label has a higher score than a right one; ties count half."""
    ranks, count = rankdata(scores), int(wrong.sum())
    return float((ranks[wrong].sum() - count * (count + 1) / 2) / (count * (len(wrong) - count)))


def main(argv: Sequence[str]) -> int:
    settings = from_flags(SuspectsSettings, argv, USAGE)
    if settings.faces:
        header = ["faces", "persons reviewed", "wrong genders", "exchanged masks", "wrong ages", "seconds"]
        print(text_table(header, faces_rows(settings)), flush=True)
    if settings.tagging:
        print(text_table(["tagging", "AUROC", "wrong, estimated of true", "seconds"], tagging_rows(settings)))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
