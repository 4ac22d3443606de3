"""Reads the settings of a job from its sources. Flags override hyperparameters.json, which overrides SM_HP_* variables
and .env, which override the experiment file (the setting, or the channel, `config`)."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from container.environment import Environment, log
from container.job_types import JOB_TYPES, SERVE, JobType
from container.locations import Locations
from model.errors import InputError, did_you_mean, listing
from model.settings.aliases import aliases_of, translate
from model.settings.cli import HELP, VERSION, TextRequested, help_text, parse_flags, positional_name, version_text
from model.settings.decode import decode
from model.settings.experiment_file import read_experiment
from model.settings.fields import Layer, as_dict, build, canonical

S = TypeVar("S")

_settings: dict[str, Any] = {}  # settings of the job in this process, after read

CONFIG = Path("config.yaml")  # used if it is in the working folder and no other experiment file is set
CONFIG_CHANNEL = "config"  # channel or processing input that contains an experiment file
CONFIG_SUFFIXES = (".yaml", ".yml", ".json")

SOURCES = """\
The value of a setting is taken from the first of these sources that sets it:
flags, hyperparameters.json, environment variables (SM_HP_NAME for the setting
NAME), the same variables in the file .env, the experiment file (YAML)."""
SERVER_SOURCES = (
    "A setting NAME is read from its flag, or from the environment variable SERVE_NAME if there is no flag."
)
EXIT_CODES = """\
Exit codes: 0 done, 1 failure, 2 invalid input or settings, 130 Ctrl-C,
137 killed (out of memory), 143 stopped by SIGTERM with nothing saved."""


def read(job_type: JobType[S], argv: Sequence[str] | Mapping[str, Any] | None, usage: str) -> tuple[S, Environment]:
    """Reads a job's settings and its environment. --help, --help-all and --version print and end the process.

    Args:
        job_type: The job, with its settings class and the defaults of its script.
        argv: Its flags, or values by name from Python; the flags of the process if None.
        usage: What the job does: a summary, examples, and for --help-all the details, separated by empty lines.

    Returns:
        The settings and the environment.

    Raises:
        InputError: Lists the problems of all layers.
    """
    defaults = dict(job_type.defaults)
    flags: Mapping[str, Any]
    try:
        if isinstance(argv, Mapping):
            flags = argv
        else:
            flags = parse_flags(job_type.settings, sys.argv[1:] if argv is None else argv)
    except TextRequested as requested:
        print(text_of(job_type, requested.text, usage))
        raise SystemExit(0) from None
    # collect the layers; the last one wins
    env = Environment()
    layers: list[Layer] = [Layer("default {}", defaults)]
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
    # replace the aliases of other systems
    translated = []
    for layer in layers:
        values, sentences = translate(job_type.alias_script, layer.label, layer.values)
        translated.append(Layer(layer.label, values))
        for sentence in sentences:
            log.info("%s", sentence)
    # decode, check and merge the layers
    settings = build(job_type.settings, translated)
    _settings.clear()
    _settings.update(as_dict(settings))
    return settings, env


def text_of(job_type: JobType[Any], text: str, usage: str) -> str:
    """The text that --help, --help-all or --version of a job prints.

    Args:
        job_type: The job.
        text: HELP, HELP_ALL or VERSION of model.settings.cli.
        usage: See read.
    """
    if text == VERSION:
        return version_text()
    program = f"python {job_type.script or '-m container.serve'}"
    positional = [field for field in dataclasses.fields(job_type.settings) if field.metadata["positional"]]
    words = "".join(f"[{positional_name(field)} ...] " for field in positional)
    sources = SERVER_SOURCES if job_type is SERVE else SOURCES
    settings = help_text(job_type.settings, usage, job_type.defaults, common_only=text == HELP, program=program)
    gap = "" if text == HELP else "\n"
    return f"usage: {program} {words}[--SETTING VALUE ...]\n\n{settings}{gap}{sources}\n{EXIT_CODES}"


def current(name: str) -> Any:
    """The value of a setting of the job in this process; None before `read`."""
    return _settings.get(name)


def _experiment_file(job_type: JobType[Any], layers: Sequence[Layer], env: Environment) -> Path | None:
    """Finds the experiment file: in the channel `config` if there is one, otherwise the file that the setting `config`
    names, otherwise ./config.yaml. Only training has the setting.

    Args:
        job_type: The job.
        layers: The sources of settings so far; later ones override earlier ones.
        env: The environment of the job.

    Returns:
        The file; None if there is none.

    Raises:
        InputError: The setting names a file that is not in the channel, or the channel has no or several files.
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
    """The experiment file in the channel `config`. named: the value of the setting `config`."""
    files = sorted(path.name for path in channel.glob("*") if path.suffix.lower() in CONFIG_SUFFIXES)
    if named is not None and Path(named).name in files and Path(named).parent in (Path(), channel):
        files = [Path(named).name]
    elif named is not None:
        raise InputError(
            f"config {named}: it is not in the channel `{CONFIG_CHANNEL}`, {channel}, which contains {listing(files)}; "
            f"remove the setting or the channel{did_you_mean(named, files)}"
        )
    if len(files) != 1:
        have = f"it contains {listing(files)}; choose one by the setting config" if files else "it contains none"
        raise InputError(f"the channel `{CONFIG_CHANNEL}`, {channel}: expected one experiment file (YAML); {have}")
    log.info("settings from the channel `%s`: %s", CONFIG_CHANNEL, files[0])
    return channel / files[0]


def _of_this_job(job_type: JobType[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Removes the settings that only other jobs have, because one .env is for all jobs."""
    names = {
        each.settings: {*as_dict(each.settings()), *aliases_of(each.alias_script)}
        for each in JOB_TYPES.values()
        if each is not SERVE
    }
    own = names.pop(job_type.settings)
    others = set().union(*names.values())
    by_name = {canonical(key): value for key, value in values.items()}
    return {key: value for key, value in by_name.items() if key in own or key not in others}
