"""An input of a job: a folder or file, on this machine or in S3."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from model.errors import InputError


@dataclass(frozen=True)
class Input:
    """A folder or file that a job reads.

    Attributes:
        name: Name of the channel of a training job, or of the input of a processing job.
        source: A path on this machine or s3://BUCKET/PREFIX.
        mode: File (copied before the start) or FastFile (read from S3 on first use).
        content: Settings that the launcher writes to a file named `source`; None if the source exists already.
        sharded: Whether each machine gets a share of the objects instead of all.
    """

    name: str
    source: str
    mode: str = "File"
    content: Mapping[str, Any] | None = None
    sharded: bool = False

    @classmethod
    def for_setting(cls, setting: str, source: str) -> Input:
        """Returns the input for the file or folder that a setting names."""
        return cls(setting.replace("_", "-"), source)

    @property
    def text(self) -> str:
        """The content as YAML."""
        return yaml.safe_dump(dict(self.content or {}), allow_unicode=True, sort_keys=False)

    @property
    def is_remote(self) -> bool:
        return is_remote(self.source)

    @property
    def is_file(self) -> bool:
        """Whether it is a single file. In S3 this is decided by a suffix such as .safetensors; the .0 of imagenet-1.0
        is not a suffix."""
        if self.is_remote:
            return re.search(r"[^/]/[^/]*\.[A-Za-z][A-Za-z0-9]*$", self.source) is not None
        return Path(self.source).is_file()

    @property
    def s3_prefix(self) -> str:
        """The source as a prefix for SageMaker. A folder in S3 must end with /: the prefix train would also match the
        keys of train2/."""
        is_open_folder = self.is_remote and not self.is_file and not self.source.endswith("/")
        return f"{self.source}/" if is_open_folder else self.source

    @property
    def problem(self) -> str | None:
        """An error message if a local source does not exist, otherwise None. S3 is not checked."""
        if not self.is_remote and self.content is None and not Path(self.source).exists():
            return f"{self.name}: {self.source}: no such file or folder"
        return None


def is_remote(source: str) -> bool:
    """Whether a source is in S3."""
    return source.startswith("s3://")


def check_inputs(
    inputs: Sequence[Input], required: Mapping[str, str], replaced_by: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raises InputError that lists all required inputs that are missing, and all local inputs that do not exist.

    Args:
        inputs: The inputs of the job.
        required: The flag that sets each required input, by the input's name.
        replaced_by: Name of another input that may replace a required one, by the required input's name.
    """
    names = {each.name for each in inputs} | {re.sub(r"-\d+$", "", each.name) for each in inputs}
    problems = [
        f"{name}: missing; set {flag} to its folder or s3:// prefix"
        for name, flag in required.items()
        if name not in names and replaced_by.get(name) not in names
    ]
    problems += [problem for each in inputs if (problem := each.problem)]
    if problems:
        raise InputError("inputs:\n" + "\n".join(f"  {problem}" for problem in problems))
