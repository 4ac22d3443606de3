"""SageMaker's tree of folders and config files, as the platform mounts it at /opt/ml.

Sources: SageMaker Developer Guide, "How Amazon SageMaker runs your training image" and "Build your own processing
container" (a processing job has its config in BASE/config and its data below BASE/processing).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from model.settings import InputError

PIPE = "pipe"
SHARDED = "shardedbys3key"


@dataclass(frozen=True)
class Hosts:
    """The machines of a job. names: all of them, in the order in which SageMaker sorts them; interface: the network's
    between them, None where nothing names one."""

    current: str
    names: tuple[str, ...]
    interface: str | None = None

    @property
    def master(self) -> str:
        return self.names[0]

    @property
    def rank(self) -> int:
        """This host among them."""
        return self.names.index(self.current)


@dataclass(frozen=True)
class Tree:
    """Everything below BASE. InputError where a config file is not what SageMaker writes."""

    base: Path

    def folder(self, *parts: str) -> Path:
        return self.base.joinpath(*parts)

    @property
    def is_there(self) -> bool:
        """Whether there is such a tree here."""
        return any((self.base / part).is_dir() for part in ("input", "config", "processing"))

    @property
    def is_processing(self) -> bool:
        """Whether it is a processing job's."""
        if (self.base / "config" / "processingjobconfig.json").is_file():
            return True
        return (self.base / "processing").is_dir() and not (self.base / "input").is_dir()

    def config(self, name: str) -> dict[str, Any]:
        """A file of BASE/input/config, or of a processing job's BASE/config; {} where it is missing. InputError where
        it is not a JSON object."""
        path = self.base / "input" / "config" / name
        if not path.is_file():
            path = self.base / "config" / name
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: not JSON: {error}") from None
        if not isinstance(content, dict):
            raise InputError(f"{path}: expected a JSON object, not {type(content).__name__}")
        return content

    @cached_property
    def hosts(self) -> Hosts:
        """Those of resourceconfig.json, or this one alone. InputError where the current host is none of them."""
        told = self.config("resourceconfig.json")
        current = str(told.get("current_host") or "algo-1")
        names = tuple(sorted(map(str, told.get("hosts") or [current])))
        if current not in names:
            raise InputError(f"resourceconfig.json: current_host {current!r} is none of hosts {', '.join(names)}")
        return Hosts(current, names, told.get("network_interface_name"))

    def channel_names(self) -> list[str]:
        """The channels and processing inputs that the config files list or that have a folder."""
        named = set(self.config("inputdataconfig.json"))
        for data in (self.base / "input" / "data", self.base / "processing" / "input"):
            if data.is_dir():
                named |= {entry.name for entry in data.iterdir() if entry.is_dir()}
        return sorted(named)

    def channel(self, name: str) -> Path | None:
        """The folder of a channel or processing input, None where there is none. InputError where it comes in Pipe
        mode."""
        told = self.config("inputdataconfig.json").get(name)
        if isinstance(told, dict) and str(told.get("TrainingInputMode", "")).lower() == PIPE:
            raise InputError(
                f"the channel `{name}` comes in Pipe mode, in which no file can be opened twice: set its InputMode to "
                "FastFile, which streams too, or to File"
            )
        folder = self.base / "input" / "data" / name
        if folder.is_dir() or told is not None:
            return folder
        folder = self.base / "processing" / "input" / name
        return folder if folder.is_dir() else None

    def is_sharded(self, folder: Path) -> bool:
        """Whether SageMaker gave each host its own part of what lies in a folder: a channel or a processing input."""
        told = self.config("inputdataconfig.json").get(folder.name)
        if isinstance(told, dict) and folder.parent == self.base / "input" / "data":
            return str(told.get("S3DistributionType", "")).lower() == SHARDED
        for given in self.config("processingjobconfig.json").get("ProcessingInputs") or []:
            source = given.get("S3Input") or {}
            if Path(source.get("LocalPath") or given.get("LocalPath") or "/nowhere") == folder:
                return str(source.get("S3DataDistributionType", "")).lower() == SHARDED
        return False
