"""Fits the decision of the trained model on its predictions for held-out images (the setting fit_decision)."""

from __future__ import annotations

import logging
from pathlib import Path

from model.answers.files import OUTPUT, TRUTH
from model.artifacts.ensemble import load
from model.artifacts.saved_decision import save_decision
from model.calibration.command import fit_on_answers
from model.calibration.fit import NONE, Goal
from model.calibration.score_biases import F1, GMEAN
from model.calibration.tables import fitted_text
from model.errors import InputError
from model.settings.train import TrainSettings

log = logging.getLogger("rarebird")


def fit_saved_decision(settings: TrainSettings, model: Path, folder: Path) -> None:
    """Fits the decision of a saved model or an ensemble, saves it, and logs scores with and without it.

    If it cannot be fitted, that is only logged, because the model is already saved.

    Args:
        settings: fit_decision, promise and best_criterion.
        model: Folder of the saved model or ensemble.
        folder: Folder of its predictions for held-out images, with their true labels.
    """
    if not settings.fit_decision:
        return
    score = GMEAN if settings.best_criterion == GMEAN else F1
    goal = Goal(score if settings.promise is None else NONE, settings.promise)
    try:
        saved = load(model)
        fitted, held_out = fit_on_answers(saved, folder / OUTPUT, folder / TRUTH, goal)
    except InputError as error:
        log.warning("the decision could not be fitted: %s", error)
        return
    log.info("%s", fitted_text(fitted, held_out))
    save_decision(saved, fitted.decision)
    log.info("decision.json of %s: %s", model, fitted.decision.rule)
