"""Replaces the decision of a saved model or an ensemble."""

from __future__ import annotations

from model.artifacts.decision_file import write_decision
from model.artifacts.ensemble import COMBINE, Ensemble
from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import CARD
from model.artifacts.model_card import ensemble_card, model_card
from model.artifacts.saved_model import SavedModel
from model.atomic_write import write_text
from model.decisions import Decision


def save_decision(model: SavedModel | Ensemble, decision: Decision) -> None:
    """Writes decision.json, and the model card, which names the decision, into the folder of a model.

    Args:
        model: A model or an ensemble with a folder.
        decision: Its new decision.
    """
    folder, scheme = model.folder, model.scheme
    if isinstance(model, Ensemble):
        members = read_ensemble_file(folder).members
        card = ensemble_card(folder.resolve().name, scheme, COMBINE[model.combine], members, decision)
    else:
        card = model_card(model.settings, model.heads, model.pipeline.preprocessing, model.metrics, decision)
    write_text(folder / CARD, card)
    write_decision(folder, decision)
