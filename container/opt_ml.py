"""SageMaker's folder /opt/ml: its paths, and the content of its config files.

Source: SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information", "How Amazon SageMaker Runs
Your Training Image", "How Amazon SageMaker Configures Input and Output For Your Processing Container" and "Build Your
Own Processing Container".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from model.answers.files import PARTS
from model.errors import InputError

IN_CONTAINER = Path("/opt/ml")
BASE_DIR = "SAGEMAKER_BASE_DIR"  # variable that names another folder than /opt/ml
JOB_VARIABLES = ("SM_", "SAGEMAKER_", "TRAINING_JOB_")  # prefixes of the variables that a job reads
PIPE = "pipe"
SHARDED = "shardedbys3key"


@dataclass(frozen=True)
class Hosts:
    """The machines of a job.

    Attributes:
        current: This machine's name.
        names: All names, sorted; SageMaker numbers hosts in this order.
        interface: The network interface between them, None if it is not configured.
    """

    current: str
    names: tuple[str, ...]
    interface: str | None = None

    @property
    def master(self) -> str:
        return self.names[0]

    @property
    def rank(self) -> int:
        """The current host's position in names."""
        return self.names.index(self.current)


@dataclass(frozen=True)
class OptMl:
    """The folder at `base`. Methods that read a config file raise InputError if it is damaged."""

    base: Path = IN_CONTAINER

    # Paths of a training job

    @property
    def input(self) -> Path:
        """Config files and channels."""
        return self.base / "input"

    @property
    def config(self) -> Path:
        """hyperparameters.json, inputdataconfig.json, resourceconfig.json, checkpointconfig.json."""
        return self.input / "config"

    @property
    def data(self) -> Path:
        """The channels."""
        return self.input / "data"

    def channel(self, name: str) -> Path:
        return self.data / name

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    # Path of both kinds of jobs

    @property
    def output(self) -> Path:
        """The files `failure`, `success` and `message`."""
        return self.base / "output"

    # Paths of a processing job

    @property
    def processing_config(self) -> Path:
        """processingjobconfig.json and resourceconfig.json."""
        return self.base / "config"

    @property
    def processing(self) -> Path:
        """Inputs and outputs."""
        return self.base / "processing"

    @property
    def processing_inputs(self) -> Path:
        return self.processing / "input"

    def processing_input(self, name: str) -> Path:
        return self.processing_inputs / name

    @property
    def processing_output(self) -> Path:
        """The predictions of inference."""
        return self.processing / "output"

    @property
    def processing_parts(self) -> Path:
        """The finished parts of an inference, which SageMaker uploads while the job runs."""
        return self.processing / PARTS

    @property
    def evaluation(self) -> Path:
        """evaluation.json and report.html."""
        return self.processing / "evaluation"

    # Content of the config files

    @property
    def exists(self) -> bool:
        """Whether SageMaker, or jobs/ for a local job, has created this folder."""
        return any(folder.is_dir() for folder in (self.input, self.processing_config, self.processing))

    @property
    def is_processing(self) -> bool:
        """Whether the folder is that of a processing job."""
        if (self.processing_config / "processingjobconfig.json").is_file():
            return True
        return self.processing.is_dir() and not self.input.is_dir()

    def read_config(self, name: str) -> dict[str, Any]:
        """The content of a config file, of a training or a processing job; {} if it is missing."""
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
        """The hosts in resourceconfig.json; without that file, this machine only."""
        resources = self.read_config("resourceconfig.json")
        current = str(resources.get("current_host") or "algo-1")
        names = tuple(sorted(map(str, resources.get("hosts") or [current])))
        if current not in names:
            raise InputError(f"resourceconfig.json: current_host {current!r} is not in hosts: {', '.join(names)}")
        return Hosts(current, names, resources.get("network_interface_name"))

    def input_names(self) -> list[str]:
        """Names of the channels and processing inputs that are in the config files or have a folder."""
        names = set(self.read_config("inputdataconfig.json"))
        for data in (self.data, self.processing_inputs):
            if data.is_dir():
                names |= {entry.name for entry in data.iterdir() if entry.is_dir()}
        return sorted(names)

    def input_folder(self, name: str) -> Path | None:
        """The folder of a channel or processing input, None if there is no such input.

        Raises:
            InputError: The channel is in Pipe mode.
        """
        channel = self.read_config("inputdataconfig.json").get(name)
        if isinstance(channel, dict) and str(channel.get("TrainingInputMode", "")).lower() == PIPE:
            raise InputError(
                f"the channel `{name}` is in Pipe mode, in which files can be read only once: set its InputMode to "
                "FastFile, which streams too, or to File"
            )
        folder = self.channel(name)
        if folder.is_dir() or channel is not None:
            return folder
        folder = self.processing_input(name)
        return folder if folder.is_dir() else None

    def is_sharded(self, folder: Path) -> bool:
        """Whether SageMaker gave each host only its own part of an input folder (ShardedByS3Key)."""
        channel = self.read_config("inputdataconfig.json").get(folder.name)
        if isinstance(channel, dict) and folder.parent == self.data:
            return str(channel.get("S3DistributionType", "")).lower() == SHARDED
        for processing_input in self.read_config("processingjobconfig.json").get("ProcessingInputs") or []:
            source = processing_input.get("S3Input") or {}
            if Path(source.get("LocalPath") or processing_input.get("LocalPath") or "/nowhere") == folder:
                return str(source.get("S3DataDistributionType", "")).lower() == SHARDED
        return False
