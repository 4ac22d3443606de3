"""Reads and writes decision.json: how a saved model or an ensemble turns probabilities into a class. No torch."""

from __future__ import annotations

from pathlib import Path

from model.artifacts.files import DECISION
from model.artifacts.metadata import read_json_object
from model.atomic_write import write_json
from model.decisions import Decision, decision_from_dict
from model.errors import InputError


def read_decision(folder: Path, num_classes: int) -> Decision:
    """The decision of the model or ensemble in a folder; the default if it has no decision.json, as in early versions.

    Args:
        folder: Folder of decision.json.
        num_classes: Number of classes of the model or ensemble.

    Raises:
        InputError: The file is unreadable or does not fit the classes; the message names file and fields.
    """
    if not (folder / DECISION).exists():
        return Decision()
    content = read_json_object(folder / DECISION)
    try:
        return decision_from_dict(content, num_classes)
    except InputError as error:
        raise InputError(f"{DECISION}: {error}") from None


def write_decision(folder: Path, decision: Decision) -> None:
    """Writes decision.json into folder."""
    write_json(folder / DECISION, decision.to_dict())
