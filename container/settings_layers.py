"""The settings of a job, read from its layers: flags over hyperparameters.json over SM_HP_* variables and .env over the
experiment file (config)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from container.environment import Environment, log
from container.job_types import JOB_TYPES, SERVE, JobType
from model.errors import InputError, did_you_mean
from model.settings.aliases import aliases_of, translate
from model.settings.cli import HelpAsked, help_text, parse_flags
from model.settings.decode import decode
from model.settings.fields import Layer, as_dict, build, canonical

S = TypeVar("S")

_settings: dict[str, Any] = {}  # of the job that this process runs, once they are read

CONFIG = Path("config.yaml")  # used if it is in the working folder and no other experiment file is named


def read(job_type: JobType[S], argv: Sequence[str] | None, usage: str) -> tuple[S, Environment]:
    """Reads a job's settings and its environment. --help prints and ends the process.

    Args:
        job_type: The job, with its settings class and the defaults of its script.
        argv: Its flags; those of the process if None.
        usage: The text that --help prints above the flags.

    Raises:
        InputError: With all problems of all layers at once.
    """
    defaults = dict(job_type.defaults)
    try:
        flags = parse_flags(job_type.settings, sys.argv[1:] if argv is None else argv)
    except HelpAsked:
        print(help_text(job_type.settings, usage, defaults))
        raise SystemExit(0) from None
    env = Environment()
    layers: list[Layer] = [Layer("default {}", defaults)]  # the last one wins
    if job_type is SERVE:
        layers += env.serving_variables()
    else:
        layers.append(Layer("variable SM_HP_{}", _of_this_job(job_type, env.hyperparameter_variables())))
        layers.append(Layer("hyperparameter {}", env.hyperparameters()))
    layers.append(Layer("--{}", flags))
    if hasattr(job_type.settings, "config"):
        texts = (decode(str | None, layer.values.get("config")) for layer in reversed(layers))
        experiment = next((text for text in texts if text), None)
        if experiment is None and CONFIG.is_file():
            log.info("settings from ./%s", CONFIG)
            experiment = str(CONFIG)
            layers[0] = Layer("default {}", {**defaults, "config": experiment})
        if experiment is not None:
            layers.insert(1, Layer(f"{experiment}: {{}}", read_experiment(Path(experiment))))
    translated = []
    for layer in layers:
        values, sentences = translate(job_type.alias_script, layer.label, layer.values)
        translated.append(Layer(layer.label, values))
        for sentence in sentences:
            log.info("%s", sentence)
    settings = build(job_type.settings, translated)
    _settings.clear()
    _settings.update(as_dict(settings))
    return settings, env


def current(name: str) -> Any:
    """The value of a setting in the job that this process runs, from whichever layer; None before `read`."""
    return _settings.get(name)


def _of_this_job(job_type: JobType[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without the settings that only other jobs know: one .env serves all jobs."""
    known = {
        each.settings: {*as_dict(each.settings()), *aliases_of(each.alias_script)}
        for each in JOB_TYPES.values()
        if each is not SERVE
    }
    own = known.pop(job_type.settings)
    others = set().union(*known.values())
    named = {canonical(key): value for key, value in values.items()}
    return {key: value for key, value in named.items() if key in own or key not in others}


def read_experiment(path: Path) -> dict[str, Any]:
    """An experiment file's settings. InputError if it is missing or not a YAML mapping."""
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
