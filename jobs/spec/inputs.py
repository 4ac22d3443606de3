"""An input of a job: a folder or file, on this machine or in S3, and how SageMaker names it."""

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
        name: Channel of a training job, input of a processing job.
        source: A path on this machine or s3://BUCKET/PREFIX.
        mode: File (copied before the start) or FastFile (read from S3 as it is needed).
        content: Settings of a file of the name `source` that the launcher writes; None for what is on the disk.
        sharded: Whether each machine gets its share of the objects; else each gets all.
    """

    name: str
    source: str
    mode: str = "File"
    content: Mapping[str, Any] | None = None
    sharded: bool = False

    @classmethod
    def of_setting(cls, setting: str, source: str) -> Input:
        """The input that brings the file or folder which a setting names."""
        return cls(setting.replace("_", "-"), source)

    @property
    def text(self) -> str:
        """The file of its content, YAML."""
        return yaml.safe_dump(dict(self.content or {}), allow_unicode=True, sort_keys=False)

    @property
    def is_remote(self) -> bool:
        return is_remote(self.source)

    @property
    def is_file(self) -> bool:
        """Whether it is one file: on this machine as the disk says, in S3 by a suffix such as .safetensors; the
        number of imagenet-1.0 is none."""
        if self.is_remote:
            return re.search(r"[^/]/[^/]*\.[A-Za-z][A-Za-z0-9]*$", self.source) is not None
        return Path(self.source).is_file()

    @property
    def s3_prefix(self) -> str:
        """The source as a prefix for SageMaker: a folder in S3 ends with /. Without it the prefix would mean every key
        that begins so, those of train2/ as well as train/."""
        is_open_folder = self.is_remote and not self.is_file and not self.source.endswith("/")
        return f"{self.source}/" if is_open_folder else self.source

    @property
    def problem(self) -> str | None:
        """What is wrong with the source, None where nothing is; S3 is not asked."""
        if not self.is_remote and self.content is None and not Path(self.source).exists():
            return f"{self.name}: {self.source}: there is no such file or folder"
        return None


def is_remote(source: str) -> bool:
    return source.startswith("s3://")


def check_inputs(
    inputs: Sequence[Input], required: Mapping[str, str], replaced_by: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raises InputError with every required input that is missing and every local one that does not exist.

    Args:
        required: The required inputs' names, each with the flag that gives it.
        replaced_by: Required inputs that inputs of another setting replace, with that setting's name.
    """
    names = {each.name for each in inputs} | {re.sub(r"-\d+$", "", each.name) for each in inputs}
    problems = [
        f"{name}: name its folder or s3:// prefix by {flag}"
        for name, flag in required.items()
        if name not in names and replaced_by.get(name) not in names
    ]
    problems += [problem for each in inputs if (problem := each.problem)]
    if problems:
        raise InputError("inputs:\n" + "\n".join(f"  {problem}" for problem in problems))
