"""What SageMaker has put into its tree, as a job reads it (SageMaker Developer Guide, "How Amazon SageMaker runs your
training image" and "Build your own processing container")."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from container.layout import Layout
from model.errors import InputError

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
class Tree(Layout):
    """The tree at base. InputError where a config file is not what SageMaker writes."""

    @property
    def is_there(self) -> bool:
        """Whether there is such a tree here."""
        return any(folder.is_dir() for folder in (self.input, self.processing_config, self.processing))

    @property
    def is_processing(self) -> bool:
        """Whether it is a processing job's."""
        if (self.processing_config / "processingjobconfig.json").is_file():
            return True
        return self.processing.is_dir() and not self.input.is_dir()

    def told(self, name: str) -> dict[str, Any]:
        """A config file of a training or a processing job; {} where it is missing. InputError where it is not a JSON
        object."""
        path = self.config / name
        if not path.is_file():
            path = self.processing_config / name
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
        told = self.told("resourceconfig.json")
        current = str(told.get("current_host") or "algo-1")
        names = tuple(sorted(map(str, told.get("hosts") or [current])))
        if current not in names:
            raise InputError(f"resourceconfig.json: current_host {current!r} is none of hosts {', '.join(names)}")
        return Hosts(current, names, told.get("network_interface_name"))

    def channel_names(self) -> list[str]:
        """The channels and processing inputs that the config files list or that have a folder."""
        named = set(self.told("inputdataconfig.json"))
        for data in (self.data, self.processing_inputs):
            if data.is_dir():
                named |= {entry.name for entry in data.iterdir() if entry.is_dir()}
        return sorted(named)

    def offered(self, name: str) -> Path | None:
        """The folder of a channel or processing input, None where there is none. InputError where it comes in Pipe
        mode."""
        told = self.told("inputdataconfig.json").get(name)
        if isinstance(told, dict) and str(told.get("TrainingInputMode", "")).lower() == PIPE:
            raise InputError(
                f"the channel `{name}` comes in Pipe mode, in which no file can be opened twice: set its InputMode to "
                "FastFile, which streams too, or to File"
            )
        folder = self.channel(name)
        if folder.is_dir() or told is not None:
            return folder
        folder = self.processing_input(name)
        return folder if folder.is_dir() else None

    def is_sharded(self, folder: Path) -> bool:
        """Whether SageMaker gave each host its own part of what lies in a folder: a channel or a processing input."""
        told = self.told("inputdataconfig.json").get(folder.name)
        if isinstance(told, dict) and folder.parent == self.data:
            return str(told.get("S3DistributionType", "")).lower() == SHARDED
        for given in self.told("processingjobconfig.json").get("ProcessingInputs") or []:
            source = given.get("S3Input") or {}
            if Path(source.get("LocalPath") or given.get("LocalPath") or "/nowhere") == folder:
                return str(source.get("S3DataDistributionType", "")).lower() == SHARDED
        return False
