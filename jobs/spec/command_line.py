"""Reads a subcommand's command line: the launcher's flags, completed from the environment and .env, and the job's."""

from __future__ import annotations

import dataclasses
import os
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from container.environment import Environment
from jobs.spec.flag_groups import BACKENDS, DOCKER, BackendFlags, Flags, backends_of
from jobs.spec.flags import FLAGS, JOB_SETTINGS, flag_names, takers
from jobs.spec.studio import studio_defaults
from model.errors import InputError, did_you_mean, listing
from model.settings.aliases import aliases_of
from model.settings.cli import HELP, VERSION, from_flags, help_text, requested_text, version_text
from model.settings.fields import canonical

S = TypeVar("S")

VARIABLES = {  # by flag, the variables that it is taken from where it is not given
    "role": ("SAGEMAKER_ROLE",),
    "bucket": ("SAGEMAKER_BUCKET",),
    "prefix": ("SAGEMAKER_PREFIX",),
    "image": ("SAGEMAKER_IMAGE",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "profile": ("AWS_PROFILE",),
}


def read_flags(command: str, argv: Sequence[str], usage: str) -> tuple[Any, list[str]]:
    """Reads the launcher's flags. --help, --help-all and --version print and end the process.

    Args:
        command: The subcommand, one of jobs.spec.flags.FLAGS.
        argv: The command line.
        usage: The text that --help prints above the flags.

    Returns:
        The launcher's flags, of the class FLAGS[command], and the part of argv that is the job's.

    Raises:
        InputError: With all flags that the subcommand does not take, or all that is wrong with those of the launcher.
    """
    cls = FLAGS[command]
    text = requested_text(argv)
    if text is not None:
        print(version_text() if text == VERSION else _help(command, usage, common_only=text == HELP))
        raise SystemExit(0)
    own, others = split_flags(cls, argv)
    _refuse_unknown(command, others)
    flags = from_flags(cls, own, usage)
    _refuse_ignored(flags, own)
    return with_variables(flags), others


def _help(command: str, usage: str, common_only: bool) -> str:
    """The text of --help or --help-all: the launcher's flags, those that only some backends use, and the job's
    settings.

    Args:
        command: The subcommand.
        usage: The text above the flags.
        common_only: Whether it is the text of --help, which lists only the common settings of the job.
    """
    cls = FLAGS[command]
    text = help_text(cls, usage, common_only=common_only, program=f"python -m jobs {command}")
    if issubclass(cls, BackendFlags):
        by_backends: dict[tuple[str, ...], list[str]] = {}
        for field in dataclasses.fields(cls):
            by_backends.setdefault(backends_of(field), []).append(f"--{field.name}")
        by_backends.pop(BACKENDS, None)
        for backends, names in by_backends.items():
            line = f"Only with --on {' or '.join(backends)}: {', '.join(names)}."
            text += (
                "\n" + textwrap.fill(line, min(shutil.get_terminal_size().columns, 120), break_on_hyphens=False) + "\n"
            )
    if command in JOB_SETTINGS:
        job_type = JOB_SETTINGS[command]
        program = f"python -m jobs {command}"
        settings = help_text(job_type.settings, "", job_type.defaults, common_only=common_only, program=program)
        settings = settings.lstrip("\n")
        text += f"\nThe settings of {job_type.script} are flags too:\n\n{settings}"
    return text


def _refuse_unknown(command: str, others: Sequence[str]) -> None:
    """Raises InputError with all flags that are neither the launcher's nor the job's.

    Args:
        others: The part of the command line without the launcher's flags of this subcommand.
    """
    known = set(flag_names(command))
    job_type = JOB_SETTINGS.get(command)
    if job_type is not None:
        known |= {field.name for field in dataclasses.fields(job_type.settings)}
        known |= set(aliases_of(job_type.alias_script))
    unknown = [token for token in others if token.startswith("--") and _flag_name(token) not in known]
    if others and job_type is None:
        unknown = unknown or list(others)
    lines = []
    for token in unknown:
        flag, name = token.partition("=")[0], _flag_name(token)
        commands = takers(name) if token.startswith("--") else []
        nearest = did_you_mean(name, known)
        if commands:
            others_take = f"{listing(commands, len(FLAGS))} {'take' if len(commands) > 1 else 'takes'} it"
            lines.append(f"  {flag}: {command} does not take it; {others_take}{nearest}")
        else:
            lines.append(f"  {flag}: there is no such flag{nearest}")
    if lines:
        raise InputError("flags:\n" + "\n".join(lines))


def _refuse_ignored(flags: Flags, own: Sequence[str]) -> None:
    """Raises InputError with all flags that are given and have no effect, as --isolated with --on here.

    Args:
        own: The launcher's part of the command line.
    """
    given = dict.fromkeys(_flag_name(token) for token in own if token.startswith("--"))
    reasons = flags.ignored()
    lines = [f"  --{name}: {reasons[name]}" for name in given if name in reasons]
    if lines:
        raise InputError("flags without effect:\n" + "\n".join(lines))


def split_flags(cls: type, argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into the flags of cls with their values, and the others."""
    fields = dataclasses.fields(cls)
    names = {field.name for field in fields}
    own: list[str] = []
    others: list[str] = []
    current = own if any(field.metadata["positional"] for field in fields) else others
    for token in argv:
        if token.startswith("--") and len(token) > 2:
            current = own if _flag_name(token) in names else others
        elif token == "-h":
            current = own
        current.append(token)
    return own, others


def _flag_name(token: str) -> str:
    return canonical(token.lstrip("-").partition("=")[0])


def with_variables(flags: S) -> S:
    """Flags that are empty take the values of VARIABLES, then those of SageMaker Studio. --on docker leaves out the
    image, which is SageMaker's."""
    variables = dict(Environment().variables)
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        variables.pop("AWS_PROFILE", None)  # .env's would win over the environment's keys, which win over .env
    defaults = studio_defaults()
    values: dict[str, Any] = {}
    runs_in_docker = getattr(flags, "on", "") == DOCKER and not getattr(flags, "dry_run", False)
    for name, keys in VARIABLES.items():
        if name == "image" and runs_in_docker:
            continue
        if getattr(flags, name, None) == "":
            values[name] = next((variables[key] for key in keys if variables.get(key)), defaults.get(name, ""))
    return replace(flags, **values)  # type: ignore[type-var]


def require(flags: Any, *names: str) -> None:
    """Raises InputError with all of these flags that neither the command nor the environment gives."""
    missing = [name for name in names if not getattr(flags, name)]
    if missing:
        lines = [f"  --{name}: not given; or {VARIABLES[name][0]} in the environment or .env" for name in missing]
        raise InputError("for SageMaker:\n" + "\n".join(lines))
