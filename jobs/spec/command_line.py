"""Reads a subcommand's command line: the launcher's flags (completed from the environment and .env) and the job's."""

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
from jobs.spec.flags import FLAGS, JOB_SETTINGS, flag_names, setting_names, subcommands_with
from jobs.spec.studio import studio_defaults
from model.errors import InputError, did_you_mean, listing
from model.settings.aliases import aliases_of
from model.settings.cli import HELP, VERSION, from_flags, help_text, requested_text, version_text
from model.settings.fields import canonical

S = TypeVar("S")

VARIABLES = {  # environment variables that a flag is read from if it is not on the command line
    "role": ("SAGEMAKER_ROLE",),
    "bucket": ("SAGEMAKER_BUCKET",),
    "prefix": ("SAGEMAKER_PREFIX",),
    "image": ("SAGEMAKER_IMAGE",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "profile": ("AWS_PROFILE",),
}


def read_flags(command: str, argv: Sequence[str], usage: str) -> tuple[Any, list[str]]:
    """Reads the launcher's flags. --help, --help-all and --version print a text and exit.

    Args:
        command: The subcommand, a key of jobs.spec.flags.FLAGS.
        argv: The command line.
        usage: The text that --help prints above the flags.

    Returns:
        The launcher's flags, of the class FLAGS[command], and the rest of argv, which are the job's flags.

    Raises:
        InputError: Flags are unknown, invalid or without effect; the message lists all of them.
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
    """Returns the text of --help or --help-all: usage, the launcher's flags, flags of single backends, job's settings.

    Args:
        command: The subcommand.
        usage: What the subcommand does, with examples.
        common_only: Whether to list only the common settings of the job, as --help does.
    """
    cls = FLAGS[command]
    program = f"python -m jobs {command}"
    positional = "".join(f"{field.name.upper()} " for field in dataclasses.fields(cls) if field.metadata["positional"])
    usage = f"usage: {program} {positional}[--FLAG VALUE ...]\n\n{usage}"
    text = help_text(cls, usage, common_only=common_only, program=program)
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
        settings = help_text(job_type.settings, "", job_type.defaults, common_only=common_only, program=program)
        settings = settings.lstrip("\n")
        text += f"\nThe settings of {job_type.script} are flags too:\n\n{settings}"
    return text


def _refuse_unknown(command: str, others: Sequence[str]) -> None:
    """Raises InputError that lists all flags that are neither the launcher's nor the job's.

    Args:
        command: The subcommand.
        others: The command line without the launcher's flags of this subcommand.
    """
    known = set(flag_names(command))
    job_type = JOB_SETTINGS.get(command)
    if job_type is not None:
        known |= {*setting_names(command), *aliases_of(job_type.alias_script)}
    unknown = [token for token in others if token.startswith("--") and _flag_name(token) not in known]
    if others and job_type is None:
        unknown = unknown or list(others)
    lines = []
    for token in unknown:
        flag, name = token.partition("=")[0], _flag_name(token)
        commands = subcommands_with(name) if token.startswith("--") else []
        nearest = did_you_mean(name, known)
        if commands:
            lines.append(f"  {flag}: not a flag of {command}, only of {listing(commands, len(FLAGS))}{nearest}")
        else:
            lines.append(f"  {flag}: no such flag{nearest}")
    if lines:
        raise InputError("flags:\n" + "\n".join(lines))


def _refuse_ignored(flags: Flags, own: Sequence[str]) -> None:
    """Raises InputError that lists all flags of the command line without effect, such as --isolated with --on here.

    Args:
        flags: The launcher's flags.
        own: The launcher's part of the command line.
    """
    names = dict.fromkeys(_flag_name(token) for token in own if token.startswith("--"))
    reasons = flags.ignored()
    lines = [f"  --{name}: {reasons[name]}" for name in names if name in reasons]
    if lines:
        raise InputError("flags without effect:\n" + "\n".join(lines))


def split_flags(cls: type, argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into the flags of cls with their values, and the other flags with theirs."""
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
    """Fills empty flags from the environment variables of VARIABLES, then from SageMaker Studio. With --on docker the
    image stays empty, since SAGEMAKER_IMAGE is an image in ECR."""
    variables = dict(Environment().variables)
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        variables.pop("AWS_PROFILE", None)  # keys in the environment take precedence over a profile in .env
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
    """Raises InputError that lists all of these flags that are neither on the command line nor in the environment."""
    missing = [name for name in names if not getattr(flags, name)]
    if missing:
        lines = [f"  --{name}: set it, or {VARIABLES[name][0]} in the environment or .env" for name in missing]
        raise InputError("missing for SageMaker:\n" + "\n".join(lines))
