"""The layout of RESULTS/JOB, the folder of a job's results, which is the same for all backends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.artifacts.archive import MODEL_ARCHIVE
from model.evaluation.files import EVALUATION_JSON, REPORT_HTML

OUTPUT_ARCHIVE = "output.tar.gz"  # SageMaker's archive of a training's output folder


@dataclass(frozen=True)
class ResultsFolder:
    """The files and folders in RESULTS/JOB, except job.json (jobs.spec.record)."""

    path: Path

    @property
    def model(self) -> Path:
        """The saved model or ensemble of a training."""
        return self.path / "model"

    @property
    def model_archive(self) -> Path:
        """The model, packed as SageMaker packs it."""
        return self.path / MODEL_ARCHIVE

    @property
    def output(self) -> Path:
        """The output directory for everything but the model; the predictions of an inference."""
        return self.path / "output"

    @property
    def parts(self) -> Path:
        """The finished parts of a stopped inference."""
        return self.path / "parts"

    @property
    def output_archive(self) -> Path:
        return self.path / OUTPUT_ARCHIVE

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation"

    @property
    def scores(self) -> Path:
        return self.evaluation / EVALUATION_JSON

    @property
    def report(self) -> Path:
        return self.evaluation / REPORT_HTML

    @property
    def log(self) -> Path:
        """The log of a job on this machine."""
        return self.path / "log.txt"

    @property
    def hosts(self) -> Path:
        """One folder per host, laid out as /opt/ml, while a job runs on this machine and after it failed."""
        return self.path / "ml"
