"""`python -m exploration scores`: prints accuracy, macro F1 and the weakest classes of an evaluation.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.evaluation.files import EVALUATION_JSON
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m exploration scores [FILE or folder]

Prints accuracy, macro F1 and the weakest classes of an evaluation.json, or of that in a folder."""


@dataclass(frozen=True)
class ScoresSettings:
    evaluation: str = setting(
        f"output/{EVALUATION_JSON}",
        "evaluation.json of evaluation.py, or the folder that contains it",
        section="Table",
        positional=True,
    )
    weakest: int = setting(3, "number of classes to show, lowest F1 first", low=0)


def scores_text(evaluation: dict[str, Any], weakest: int) -> str:
    """The table of an evaluation.

    Args:
        evaluation: Content of evaluation.json.
        weakest: Number of classes to show, lowest F1 first; classes without images are skipped.
    """
    scores = evaluation["rarebird"]
    rows = [["accuracy", *_score_texts(scores["accuracy"])], ["macro F1", *_score_texts(scores["macro_f1"])]]
    per_class = {name: values for name, values in scores["per_class"].items() if values["support"]}
    for name in sorted(per_class, key=lambda name: per_class[name]["f1"]["value"])[:weakest]:
        rows.append([f"F1 of {name} ({per_class[name]['support']} images)", *_score_texts(per_class[name]["f1"])])
    over = "single images" if scores["resampled_over"] == "picture" else f"groups of column {scores['resampled_over']}"
    interval = f"interval over {over}" if scores["accuracy"]["low"] is not None else "no intervals"
    return text_table([f"{scores['pictures']:,} images", "score", interval], rows)


def _score_texts(score: dict[str, Any]) -> list[str]:
    """Value and interval of a score as text."""
    interval = "" if score["low"] is None else f"{score['low']:.4f} to {score['high']:.4f}"
    return [f"{score['value']:.4f}", interval]


def main(argv: Sequence[str]) -> int:
    settings = from_flags(ScoresSettings, argv, USAGE)
    path = Path(settings.evaluation)
    if path.is_dir():
        path /= EVALUATION_JSON
    if not path.is_file():
        raise InputError(f"{path}: no such file; evaluation.py writes it")
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        print(scores_text(evaluation, settings.weakest))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not an evaluation.json: {type(error).__name__}: {error}") from None
    return 0
