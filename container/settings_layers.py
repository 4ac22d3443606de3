"""container/settings_layers.py."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from container.environment import Environment, log
from model.errors import InputError, did_you_mean
from model.settings.aliases import aliases_of, translate
from model.settings.cli import HelpAsked, help_text, parse_flags
from model.settings.decode import decode
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, as_dict, build, canonical
from model.settings.inference import InferenceSettings
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings

S = TypeVar("S")

SCRIPTS: dict[type, str] = {
    TrainSettings: "train.py",
    InferenceSettings: "inference.py",
    EvaluationSettings: "evaluation.py",
    ServeSettings: "serve",
}
CONFIG = Path("config.yaml")  # taken where it lies in the working folder and no other experiment file is named


def read(cls: type[S], argv: Sequence[str] | None, usage: str, **defaults: Any) -> tuple[S, Environment]:
    """A job's settings (flags over hyperparameters.json over SM_HP_* and .env over the experiment file) and its
    surroundings. defaults: this script's own, where they differ. --help prints and ends. InputError tells everything
    that is wrong at once."""
    try:
        flags = parse_flags(cls, sys.argv[1:] if argv is None else argv)
    except HelpAsked:
        print(help_text(cls, usage, defaults))
        raise SystemExit(0) from None
    env = Environment()
    told: list[Layer] = [Layer("default {}", defaults)]
    if cls is ServeSettings:
        told += env.serving_variables()
    else:
        told.append(Layer("variable SM_HP_{}", _of_this_job(cls, env.hyperparameter_variables())))
        told.append(Layer("hyperparameter {}", env.hyperparameters()))
    told.append(Layer("--{}", flags))
    if hasattr(cls, "config"):
        texts = (decode(str | None, layer.values.get("config")) for layer in reversed(told))
        named = next((text for text in texts if text), None)
        if named is None and CONFIG.is_file():
            log.info("settings from ./%s", CONFIG)
            named = str(CONFIG)
            told[0] = Layer("default {}", {**defaults, "config": named})
        if named is not None:
            told.insert(1, Layer(f"{named}: {{}}", read_experiment(Path(named))))
    ours = []
    for layer in told:
        values, sentences = translate(SCRIPTS[cls], layer.label, layer.values)
        ours.append(Layer(layer.label, values))
        for sentence in sentences:
            log.info("%s", sentence)
    return build(cls, ours), env


def _of_this_job(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the settings that only another job knows: one .env serves all."""
    known = {job: {*as_dict(job()), *aliases_of(script)} for job, script in SCRIPTS.items() if job is not ServeSettings}
    others = set().union(*(names for job, names in known.items() if job is not cls))
    kept = {canonical(key): value for key, value in values.items()}
    return {key: value for key, value in kept.items() if key in known[cls] or key not in others}


def read_experiment(path: Path) -> dict[str, Any]:
    """An experiment file's settings. InputError where it is missing or no YAML mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        beside = [entry.name for entry in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise InputError(f"config {path}: {error.strerror}{did_you_mean(path.name, beside)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"config {path}: not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"config {path}: expected settings by name, not {type(content).__name__}")
    return {str(key): value for key, value in content.items()}
