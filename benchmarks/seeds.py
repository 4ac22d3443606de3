"""Models that are trained with several seeds, and their scores on the same other images, with paired intervals.

Groups of images and seeds are resampled together, the same ones for all kinds of models: a difference between two kinds
varies with the images that it is measured on and with the seeds of the trainings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.answers.files import OUTPUT
from model.artifacts.combine import create_ensemble
from model.artifacts.files import METRICS
from model.atomic_write import write_json
from model.errors import Failure, InputError, did_you_mean, listing
from model.evaluation.matching import match_answers
from model.evaluation.targets import JOINT_CLASS, resampled_totals, scores_of_targets, targets_of
from model.evaluation.truth import truth_location
from model.metrics.bootstrap import Interval, interval
from model.metrics.proportions import number_of_units
from model.metrics.scores import Counts, scores_of

ROOT = Path(__file__).resolve().parents[1]
CONFIDENCE = 0.95
COST = "cost.json"  # beside output.csv: the minutes that the training took


@dataclass(frozen=True)
class Scored:
    """The scores of one model.

    Attributes:
        values: By name of the score, float64 (1 + resamples,): on the images, and on each resample of their groups. A
            score of an attribute is called ATTRIBUTE.SCORE.
        units: Number of groups, or of images without groups.
        minutes: Duration of its training.
    """

    values: Mapping[str, NDArray[np.float64]]
    units: int
    minutes: float


def train_and_predict(folder: Path, train: Sequence[object], predict: Sequence[object], script: str) -> None:
    """Trains a model and predicts with it, unless an earlier run has.

    Args:
        folder: Folder of the predictions. The model is saved in `models` beside it, under the same name.
        train: Flags of train.py.
        predict: Flags of the inference.
        script: inference.py or inference_TTA.py.
    """
    if (folder / OUTPUT).is_file():
        return
    start = time.monotonic()
    own = ["--name", folder.name, "--model_dir", folder.parent / "models", "--report", "false", "--tracking", "none"]
    _run("train.py", *train, *own)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / COST, {"minutes": (time.monotonic() - start) / 60})
    _run(script, *predict, "--model_dir", model_folder(folder), "--output_data_dir", folder)


def combine_and_predict(folder: Path, members: Sequence[Path], predict: Sequence[object], script: str) -> None:
    """Makes an ensemble of models and predicts with it, unless an earlier run has.

    Args:
        folder: Folder of the predictions; the ensemble is saved as in train_and_predict.
        members: Folders of the predictions of its models.
        predict: Flags of the inference.
        script: inference.py or inference_TTA.py.
    """
    if (folder / OUTPUT).is_file():
        return
    if not model_folder(folder).exists():
        create_ensemble([str(model_folder(member)) for member in members], model_folder(folder))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / COST, {"minutes": sum(training_minutes(member) for member in members)})
    _run(script, *predict, "--model_dir", model_folder(folder), "--output_data_dir", folder)


def training_minutes(folder: Path) -> float:
    """Minutes that the training of the model with predictions in a folder took; NaN if they are not known."""
    return json.loads((folder / COST).read_text())["minutes"] if (folder / COST).is_file() else float("nan")


def model_folder(folder: Path) -> Path:
    """The saved model of a folder of predictions."""
    return folder.parent / "models" / folder.name


def _run(script: str, *flags: object) -> None:
    words = [script, *map(str, flags)]
    code = subprocess.run([sys.executable, ROOT / script, *words[1:]], check=False).returncode
    if code:
        raise Failure(f"{' '.join(words)}: exit code {code}")


def score(
    folder: Path, ground_truth_dir: str, group_column: str | None, resamples: int, shots: Sequence[int] = ()
) -> Scored:
    """Scores the predictions in a folder.

    Args:
        folder: Folder of output.csv.
        ground_truth_dir: Folder or table with the true labels.
        group_column: Column of their groups; None: one with a usual name, otherwise each image is a group.
        resamples: Number of resamples of the groups; they are the same for all models.
        shots: Numbers of training images, decreasing, that divide the classes, as in (20, 8): those with 20 or more,
            with 8 to 19, and with fewer. The scores of a part are called SCORE@20, SCORE@8 and SCORE@0.

    Raises:
        InputError: The predictions or the true labels are invalid.
    """
    matched = match_answers(truth_location(Path(ground_truth_dir)), folder / OUTPUT, group_column=group_column)
    targets = targets_of(matched, np.unique(matched.truth[matched.truth >= 0]).tolist())
    totals = resampled_totals(matched, targets, resamples, seed=0)
    values = {
        f"{target}.{name}" if target else name: own
        for target, scores in scores_of_targets(targets, totals.counts, matched.scheme.is_large).items()
        for name, own in scores.items()
    }
    if shots:
        values |= _scores_by_shots(totals.counts[JOINT_CLASS], training_counts(model_folder(folder)), shots)
    return Scored(values, number_of_units(matched.groups, len(matched.names)), training_minutes(folder))


def _scores_by_shots(
    counts: Counts, trained: NDArray[np.int64], shots: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """The scores over the classes whose number of training images is in each interval. trained: int64 (C,)."""
    values: dict[str, NDArray[np.float64]] = {}
    for low, high in zip([*shots, 0], [np.inf, *shots]):
        classes = np.flatnonzero((trained >= low) & (trained < high) & (counts.truth[0] > 0))
        if len(classes):
            values |= {f"{name}@{low}": own for name, own in scores_of(counts.only(classes)).items()}
    return values


def training_counts(model: Path) -> NDArray[np.int64]:
    """Images of each class that a model, or the first member of an ensemble, was given, validation included."""
    metrics = json.loads(next(iter(sorted(model.rglob(METRICS)))).read_text())
    sides = [metrics["data"][side] for side in ("train", "validation")]
    return np.sum([side["class_counts"] for side in sides if side], axis=0)


@dataclass(frozen=True)
class Result:
    """A score of one kind of models. mean: over seeds; gain: minus that of another kind, None for the first."""

    mean: Interval
    gain: Interval | None


def compare(
    kinds: Mapping[str, Sequence[Scored]], names: Sequence[str], of_previous: bool = False
) -> dict[str, dict[str, Result]]:
    """The mean scores over the seeds, and their differences, on the same resamples of groups and seeds.

    Each resample draws one seed fewer than there are: the variance of a mean of m of n draws is (n - 1) / n s^2 / m, so
    that m = n - 1 gives the unbiased s^2 / n also for few seeds (Rao and Wu 1988, "Resampling Inference with Complex
    Survey Data", JASA 83, page 233).

    Args:
        kinds: The models of each kind, one per seed, in the same order of seeds.
        names: Scores to compare, as in Scored.values.
        of_previous: Whether a kind is compared with the one before it, otherwise with the first.

    Returns:
        By kind and score.

    Raises:
        InputError: There is no such score; names the nearest.
    """
    first = next(iter(kinds.values()))[0]
    unknown = [f"{name!r}{did_you_mean(name, first.values)}" for name in names if name not in first.values]
    if unknown:
        raise InputError(f"scores: there is no {listing(unknown)}; expected some of {listing(first.values, 40)}")
    results: dict[str, dict[str, Result]] = {}
    against: dict[str, NDArray[np.float64]] = {}
    for kind, models in kinds.items():
        means = {name: _mean_over_seeds(np.array([model.values[name] for model in models])) for name in names}
        results[kind] = {
            name: Result(
                interval(own, CONFIDENCE, first.units),
                interval(own - against[name], CONFIDENCE, first.units, is_difference=True) if against else None,
            )
            for name, own in means.items()
        }
        against = means if of_previous or not against else against
    return results


def _mean_over_seeds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over all seeds, and over the resampled seeds of each resample, (1 + resamples,), from (seeds, ...)."""
    seeds, columns = values.shape
    resampled = values[0, 1:]
    if seeds > 1:
        draws = np.random.default_rng(0).integers(seeds, size=(seeds - 1, columns - 1))
        resampled = np.take_along_axis(values[:, 1:], draws, axis=0).mean(axis=0)
    return np.concatenate([[values[:, 0].mean()], resampled])


def result_rows(results: Mapping[str, Mapping[str, Result]]) -> list[list[str]]:
    """A table row per kind: its name, and each score with its interval and its gain with its interval."""

    def cell(result: Result) -> str:
        text = f"{result.mean.value:.3f}{_bounds(result.mean, '')}"
        return text if result.gain is None else f"{text}; {result.gain.value:+.3f}{_bounds(result.gain, '+')}"

    return [[kind, *map(cell, scores.values())] for kind, scores in results.items()]


def _bounds(value: Interval, sign: str) -> str:
    return "" if value.low is None or value.high is None else f" ({value.low:{sign}.3f} to {value.high:{sign}.3f})"


def results_dict(results: Mapping[str, Mapping[str, Result]]) -> dict[str, object]:
    """The results as a JSON object."""
    return {
        kind: {
            name: {"mean": result.mean.to_dict(), "gain": result.gain.to_dict() if result.gain else None}
            for name, result in scores.items()
        }
        for kind, scores in results.items()
    }
