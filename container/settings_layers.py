"""The settings of a job, read from its layers: flags over hyperparameters.json over SM_HP_* variables and .env over the
experiment file (the setting, or the channel, `config`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from container.environment import Environment, log
from container.job_types import JOB_TYPES, SERVE, JobType
from container.locations import Locations
from model.errors import InputError, did_you_mean, listing
from model.settings.aliases import aliases_of, translate
from model.settings.cli import HelpAsked, help_text, parse_flags
from model.settings.decode import decode
from model.settings.fields import Layer, as_dict, build, canonical

S = TypeVar("S")

_settings: dict[str, Any] = {}  # of the job that this process runs, once they are read

CONFIG = Path("config.yaml")  # used if it is in the working folder and no other experiment file is named
CONFIG_CHANNEL = "config"  # channel or processing input with an experiment file
CONFIG_SUFFIXES = (".yaml", ".yml", ".json")


def read(job_type: JobType[S], argv: Sequence[str] | Mapping[str, Any] | None, usage: str) -> tuple[S, Environment]:
    """Reads a job's settings and its environment. --help prints and ends the process.

    Args:
        job_type: The job, with its settings class and the defaults of its script.
        argv: Its flags, or values by name from Python; the flags of the process if None.
        usage: The text that --help prints above the flags.

    Raises:
        InputError: With all problems of all layers at once.
    """
    defaults = dict(job_type.defaults)
    flags: Mapping[str, Any]
    try:
        if isinstance(argv, Mapping):
            flags = argv
        else:
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
    layers.append(Layer("{}" if flags is argv else "--{}", flags))
    experiment = None if job_type is SERVE else _experiment_file(job_type, layers, env)
    if experiment is not None:
        if hasattr(job_type.settings, "config"):
            layers[0] = Layer("default {}", {**defaults, "config": str(experiment)})
        layers.insert(1, Layer(f"{experiment}: {{}}", read_experiment(experiment)))
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


def _experiment_file(job_type: JobType[Any], layers: Sequence[Layer], env: Environment) -> Path | None:
    """The experiment file: the one that the setting `config` names, else that of the channel `config`, else
    ./config.yaml; None if there is none. Only training has the setting.

    Raises:
        InputError: The setting names a file elsewhere than in the channel, or the channel has not one file.
    """
    has_setting = hasattr(job_type.settings, "config")
    texts = (decode(str | None, layer.values.get("config")) for layer in reversed(layers)) if has_setting else ()
    named = next((text for text in texts if text), None)
    channel = Locations(env).channel(CONFIG_CHANNEL, None)
    if channel is not None:
        return _file_of_channel(channel, named)
    if named is None and has_setting and CONFIG.is_file():
        log.info("settings from ./%s", CONFIG)
        return CONFIG
    return Path(named) if named else None


def _file_of_channel(channel: Path, named: str | None) -> Path:
    """The experiment file of the channel `config`. named: what the setting `config` says."""
    files = sorted(path.name for path in channel.glob("*") if path.suffix.lower() in CONFIG_SUFFIXES)
    if named is not None and Path(named).name in files and Path(named).parent in (Path(), channel):
        files = [Path(named).name]
    elif named is not None:
        raise InputError(
            f"config {named}: it is not in the channel `{CONFIG_CHANNEL}`, {channel}, which has {listing(files)}; "
            f"leave out the setting or the channel{did_you_mean(named, files)}"
        )
    if len(files) != 1:
        have = f"it has {listing(files)}; name one by the setting config" if files else "it has none"
        raise InputError(f"the channel `{CONFIG_CHANNEL}`, {channel}: expected one experiment file (YAML); {have}")
    log.info("settings from the channel `%s`: %s", CONFIG_CHANNEL, files[0])
    return channel / files[0]


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
