"""`python -m model weights`: fits the weights of an ensemble's members to their predictions for labelled images."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.answers.files import answers_file
from model.artifacts.ensemble import SOFT, Ensemble, load, save_ensemble
from model.artifacts.ensemble_file import read_ensemble_file
from model.errors import InputError, Problems, listing
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.matching import match_answers
from model.evaluation.mixture_weights import Gain, fit_weights, nested_gain
from model.evaluation.truth import truth_location
from model.metrics.bootstrap import Interval
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model weights ENSEMBLE --answers DIR1 DIR2 ... [--ground_truth PATH] [--write]

Fits the weights of an ensemble (combine: soft) to predictions of its members, in their order, for images that they
were not trained on: validation images, or out-of-fold predictions. Each DIR contains output.csv and probabilities.csv.
Prints the weights and their gain over equal weights on groups that they were not fitted on; --write writes them into
ensemble.json.

    python -m model weights runs/both --answers runs/a.validation runs/b.validation"""
DIGITS = 4  # of a weight

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class WeightsSettings:
    ensemble: str | None = setting(None, "Folder of the ensemble", section="Ensemble", positional=True)
    answers: list[str] = setting(
        [], "Folders with the predictions of the members (or files like output.csv), in the members' order"
    )
    ground_truth: str | None = setting(
        None, "True labels of these images, as for evaluation.py", unset="gt.csv in the first folder"
    )
    group_column: str | None = setting(
        None,
        "Column of the true labels with the group of each image, such as its person or sender",
        unset="group, person, sender or people_path",
    )
    write: bool = setting(False, "Write the weights into ensemble.json")
    resamples: int = setting(2000, "Number of bootstrap resamples for the intervals", low=0)
    seed: int = setting(0, "Random seed of folds and resamples", low=0)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.ensemble:
            yield "the ensemble is missing; name its folder: python -m model weights runs/both --answers ..."
        if not self.answers:
            yield "--answers is missing: the folders with the predictions of each member"


@dataclass(frozen=True)
class FittedWeights:
    """Fitted weights of an ensemble.

    Attributes:
        paths: Folders of the members, relative to the ensemble's.
        weights: One per member, at least 0, of sum 1.
        images: Number of images that they were fitted on.
        groups: Number of groups of these images; None without groups.
        gain: Nested gain over equal weights; None if there is a single group.
    """

    paths: tuple[str, ...]
    weights: tuple[float, ...]
    images: int
    groups: int | None
    gain: Gain | None

    def text(self) -> str:
        """Tables of the weights and of the gain, and what follows from it."""
        over = f"{self.images:,} images" + ("" if self.groups is None else f" of {self.groups:,} groups")
        rows = [[path, f"{weight:.{DIGITS}f}"] for path, weight in zip(self.paths, self.weights, strict=True)]
        lines = [f"fitted on {over}", text_table(["member", "weight"], rows, right=[1])]
        if self.gain is None:
            return "\n".join([*lines, "all images are in one group: the gain over equal weights cannot be estimated"])
        scores = {
            "log likelihood": self.gain.log_likelihood,
            "accuracy": self.gain.accuracy,
            "macro F1": self.gain.macro_f1,
        }
        rows = [[name, f"{score.value:+.4f}", _bounds(score)] for name, score in scores.items()]
        lines.append("gain over equal weights on groups that the weights were not fitted on:")
        lines.append(text_table(["score", "gain", "95 % interval"], rows, right=[1]))
        lines.append(
            "the fitted weights have a higher likelihood than equal ones"
            if self.gain.is_positive
            else "the fitted weights are not clearly better than equal ones: keep equal weights"
        )
        return "\n".join(lines)


def _bounds(score: Interval) -> str:
    return "" if score.low is None or score.high is None else f"{score.low:+.4f} to {score.high:+.4f}"


def fit_ensemble_weights(
    folder: Path,
    answers: Sequence[str],
    ground_truth: str | None = None,
    group_column: str | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> FittedWeights:
    """Fits the weights of an ensemble to its members' predictions.

    Args:
        folder: Folder of the ensemble.
        answers: Folder or file of the predictions of each member, in the members' order.
        ground_truth: True labels; None for gt.csv next to the first predictions.
        group_column: Column of the groups in the true labels; None for one of the usual names.
        resamples: Number of bootstrap resamples.
        seed: Seed of folds and resamples.

    Raises:
        InputError: The ensemble does not average its members, or the predictions cannot be read, do not fit the members
            or have no probabilities; all problems of one kind are listed.
    """
    ensemble = load(folder)
    if not isinstance(ensemble, Ensemble) or ensemble.combine != SOFT:
        what = f"combines by {ensemble.combine!r}" if isinstance(ensemble, Ensemble) else "is a single model"
        raise InputError(f"{folder}: {what}; weights are fitted for an ensemble with combine {SOFT!r} (a mean)")
    paths = read_ensemble_file(ensemble.folder).paths
    if len(answers) != len(paths):
        raise InputError(
            f"answers: {len(answers)} given, but the ensemble has {len(paths)} members: {listing(paths)}; give the "
            "predictions of each, in this order"
        )
    files = [answers_file(Path(path)) for path in answers]
    truth = truth_location(Path(ground_truth) if ground_truth else files[0].parent)
    matched = [match_answers(truth, file, group_column=group_column) for file in files]
    _check(ensemble, paths, files, matched)
    _warn(files, matched)
    first = matched[0]
    known = first.has_all_labels.copy()
    probabilities = [np.asarray(own.probabilities, np.float64) for own in matched]
    for own in probabilities:
        known &= ~np.isnan(own).any(axis=1)
    if not known.any():
        raise InputError(f"answers: no image of {truth} has probabilities of every member: {listing(files)}")
    if (~known).any():
        log.warning("%s images without a label or without probabilities of every member are not used", (~known).sum())
    rows = np.flatnonzero(known)
    groups: NDArray[np.int64] | None = None
    if first.groups is not None:
        groups = np.unique(first.groups[rows], return_inverse=True)[1]
    stacked, classes = np.stack([own[rows] for own in probabilities]), first.truth[rows]
    weights = np.round(fit_weights(stacked[:, np.arange(len(rows)), classes].T), DIGITS)
    gain = nested_gain(stacked, classes, groups, ensemble.decision.classes, resamples, seed)
    number = None if groups is None else int(groups.max()) + 1
    return FittedWeights(tuple(paths), tuple(map(float, weights)), len(rows), number, gain)


def _check(ensemble: Ensemble, paths: Sequence[str], files: Sequence[Path], matched: Sequence[MatchedAnswers]) -> None:
    """Raises InputError if predictions have no probabilities, other classes than the ensemble or are of another
    member."""
    problems, names = Problems("predictions do not fit the ensemble"), [Path(path).name for path in paths]
    for file, name, own in zip(files, names, matched, strict=True):
        if own.probabilities is None:
            problems.add("predictions without probabilities", f"{file.parent}: there is no probabilities.csv")
        if own.scheme.class_names != ensemble.scheme.class_names:
            known = listing(ensemble.scheme.class_names)
            problems.add("different classes", f"{file}: {listing(own.scheme.class_names)}; the ensemble has {known}")
        written = own.provenance.model if own.provenance else name
        if written != name and written in names:
            problems.add("predictions of another member", f"{file}: by {written}, expected those of {name}")
    problems.raise_if_any()


def _warn(files: Sequence[Path], matched: Sequence[MatchedAnswers]) -> None:
    """Warns of predictions for images that the member was trained on."""
    for file, own in zip(files, matched, strict=True):
        trained = (own.learnt_from or {}).get("train", 0)
        if trained and not own.held_out:
            log.warning(
                "%s: the model was trained on %s of the images; weights that are fitted to them are too high for "
                "models that overfit: use validation images or out-of-fold predictions",
                *(file, f"{trained:,}"),
            )


def main(argv: Sequence[str]) -> int:
    settings = from_flags(WeightsSettings, argv, USAGE)
    folder = Path(settings.ensemble or "")
    fitted = fit_ensemble_weights(
        folder, settings.answers, settings.ground_truth, settings.group_column, settings.resamples, settings.seed
    )
    print(fitted.text())
    if settings.write:
        ensemble = load(folder)
        content = read_ensemble_file(ensemble.folder)
        name = ensemble.folder.resolve().name
        save_ensemble(
            ensemble.folder,
            fitted.paths,
            fitted.weights,
            content.combine,
            ensemble.decision.on_changed_model(),
            finished=content.finished,
            name=name,
        )
        print(f"written to {ensemble.folder}")
        if ensemble.decision != ensemble.decision.on_changed_model():
            print("its promise does not hold with other weights, so a person is asked about every image: fit it again")
    else:
        print("ensemble.json is unchanged; --write writes the weights into it")
    return 0
