"""Checks whether a decision for a model can be fitted on predictions."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.answers.files import OUT_OF_FOLD
from model.artifacts.ensemble import VOTE, Ensemble, provenance_of, saved_models
from model.artifacts.provenance import Provenance
from model.artifacts.saved_model import SavedModel
from model.errors import InputError, listing
from model.evaluation.matched_answers import MatchedAnswers

WHOLE = 1e-5  # largest difference of a share of votes from its text in probabilities.csv

log = logging.getLogger("rarebird")


def check_answers(model: SavedModel | Ensemble, matched: MatchedAnswers, answers: Path, truth: Path) -> None:
    """Raises InputError if the predictions have other classes than the model, are of images that it was trained on, or
    have no probabilities to fit a decision on.

    Args:
        model: The model that the decision is for.
        matched: The predictions.
        answers, truth: Their files, for messages.
    """
    own, expected = matched.scheme.class_names, model.scheme.class_names
    if own[: len(expected)] != expected or (len(own) > len(expected) and not model.scheme.is_large):
        raise InputError(f"{answers} has the classes {listing(own)}; {model.folder} has {listing(expected)}")
    if len(own) > len(expected):  # combinations that only the true labels have
        more = listing(matched.scheme.class_names[len(expected) :])
        raise InputError(f"{truth}: the model {model.folder} has no class for {more}")
    seen = (matched.learnt_from or {}).get("train", 0)
    if seen:
        raise InputError(
            f"{answers}: {seen:,} of the images were used to train the model; a decision needs images that were not"
        )
    if matched.probabilities is None:
        raise InputError(f"{answers}: there is no probabilities.csv next to it")
    views = matched.provenance.views if matched.provenance else 1
    members_vote = isinstance(model, Ensemble) and model.combine == VOTE
    if views > 1 and not members_vote and _are_votes(matched.probabilities, views * len(saved_models(model))):
        raise InputError(
            f"{answers}: the probabilities are shares of the votes of {views} views, for which no decision is fitted; "
            "predict with tta_mode soft"
        )


def warn_of_other_model(model: SavedModel | Ensemble, matched: MatchedAnswers, answers: Path, promises: bool) -> None:
    """Warns if the predictions are of another model, or of the single models of a training with folds.

    Args:
        model: The model that the decision is for.
        matched: The predictions.
        answers: Their file, for messages.
        promises: Whether the decision promises an error.
    """
    made = matched.provenance
    if made and _trainings(made) != _trainings(provenance_of(model, 1)):
        log.warning(
            "%s has predictions of another model (%s) than %s; a decision fits the model that made the predictions",
            *(answers, made.model, model.folder),
        )
    elif promises and matched.held_out == OUT_OF_FOLD:
        log.warning(
            "%s has predictions of the single models of the folds; for their ensemble %s, the promise is an "
            "approximation",
            *(answers, model.folder),
        )


def _trainings(provenance: Provenance) -> list[tuple[int, float]]:
    """What tells the trainings of a model's members from others: epoch and seconds of each."""
    return sorted((member.epoch, member.seconds) for member in provenance.members)


def _are_votes(probabilities: NDArray[np.float64], votes: int) -> bool:
    """Whether all probabilities are shares of this number of votes, and not all 0 or 1."""
    shares = probabilities[~np.isnan(probabilities)]
    are_whole = np.abs(shares - np.round(shares * votes) / votes) < WHOLE
    return bool(are_whole.all() and ((shares > WHOLE) & (shares < 1 - WHOLE)).any())
