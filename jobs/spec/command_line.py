"""Reads a subcommand's command line: the launcher's flags, completed from the environment and .env, and the job's."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from container.environment import Environment
from container.job_types import JobType
from jobs.spec.flags import DOCKER
from model.errors import InputError, did_you_mean
from model.settings.aliases import aliases_of
from model.settings.cli import from_flags, help_text
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


def read_flags(
    cls: type[S], argv: Sequence[str], usage: str, job_type: JobType[Any] | None = None
) -> tuple[S, list[str]]:
    """Reads the launcher's flags. --help prints and ends the process.

    Args:
        cls: The launcher's flags.
        argv: The command line.
        usage: The text that --help prints above the flags.
        job_type: Whose flags are accepted, too; None for no job.

    Returns:
        The launcher's flags, and the part of argv that is the job's.

    Raises:
        InputError: With all flags that nobody knows, or all that is wrong with the launcher's.
    """
    own, others = split_flags(cls, argv)
    if "-h" in own or "--help" in others:
        text = help_text(cls, usage)
        if job_type is not None:
            text += "\nFlags of the job itself are taken too:\n\n" + help_text(job_type.settings, "").lstrip("\n")
        print(text)
        raise SystemExit(0)
    known = {field.name for field in dataclasses.fields(cast(Any, cls))}
    if job_type is not None:
        known |= {field.name for field in dataclasses.fields(job_type.settings)}
        known |= set(aliases_of(job_type.alias_script))
    unknown = [token for token in others if token.startswith("--") and _flag_name(token) not in known]
    if others and job_type is None:
        unknown = unknown or others
    if unknown:
        lines = [f"  {token}: there is no such flag{did_you_mean(_flag_name(token), known)}" for token in unknown]
        raise InputError("flags:\n" + "\n".join(lines))
    return with_variables(from_flags(cls, own, usage)), others


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
    """Flags that are empty take the values of VARIABLES. --on docker leaves out the image, which is SageMaker's."""
    variables = dict(Environment().variables)
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        variables.pop("AWS_PROFILE", None)  # .env's would win over the environment's keys, which win over .env
    values: dict[str, Any] = {}
    runs_in_docker = getattr(flags, "on", "") == DOCKER and not getattr(flags, "dry_run", False)
    for name, keys in VARIABLES.items():
        if name == "image" and runs_in_docker:
            continue
        if getattr(flags, name, None) == "":
            values[name] = next((variables[key] for key in keys if variables.get(key)), "")
    return replace(flags, **values)  # type: ignore[type-var]


def require(flags: Any, *names: str) -> None:
    """Raises InputError with all of these flags that neither the command nor the environment gives."""
    missing = [name for name in names if not getattr(flags, name)]
    if missing:
        lines = [f"  --{name}: not given; or {VARIABLES[name][0]} in the environment or .env" for name in missing]
        raise InputError("for SageMaker:\n" + "\n".join(lines))
