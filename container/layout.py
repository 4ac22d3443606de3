"""SageMaker's tree below BASE by name, for whoever lays it out or asks for a place in it (SageMaker Developer Guide,
"How Amazon SageMaker Provides Training Information" and "How Amazon SageMaker Configures Input and Output For Your
Processing Container")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

IN_CONTAINER = Path("/opt/ml")
BASE_DIR = "SAGEMAKER_BASE_DIR"
JOB_VARIABLES = ("SM_", "SAGEMAKER_", "TRAINING_JOB_")  # beginnings of the names that a job reads


@dataclass(frozen=True)
class Layout:
    """base: /opt/ml in a container; where it stands elsewhere, the variable BASE_DIR names it."""

    base: Path = IN_CONTAINER

    @property
    def input(self) -> Path:
        """Of a training job: its config files and channels."""
        return self.base / "input"

    @property
    def config(self) -> Path:
        """Of a training job: hyperparameters.json, inputdataconfig.json, resourceconfig.json, checkpointconfig.json."""
        return self.input / "config"

    @property
    def data(self) -> Path:
        """A training job's channels."""
        return self.input / "data"

    def channel(self, name: str) -> Path:
        return self.data / name

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        """Holds `failure`, `success` and `message`."""
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def processing_config(self) -> Path:
        """Of a processing job: processingjobconfig.json and resourceconfig.json."""
        return self.base / "config"

    @property
    def processing(self) -> Path:
        """Of a processing job: what goes in and what comes out."""
        return self.base / "processing"

    @property
    def processing_inputs(self) -> Path:
        return self.processing / "input"

    def processing_input(self, name: str) -> Path:
        return self.processing_inputs / name

    @property
    def processing_output(self) -> Path:
        """Where bulk inference puts its answers."""
        return self.processing / "output"

    @property
    def evaluation(self) -> Path:
        """Where evaluation puts evaluation.json and report.html."""
        return self.processing / "evaluation"
