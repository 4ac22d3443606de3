"""RESULTS/JOB, the folder of a job's results, which is laid out alike wherever the job ran."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.artifacts.archive import MODEL_ARCHIVE
from model.evaluation.files import EVALUATION_JSON, REPORT_HTML

OUTPUT_ARCHIVE = "output.tar.gz"  # SageMaker's, of a training's output folder


@dataclass(frozen=True)
class ResultsFolder:
    """The files and folders below RESULTS/JOB; job.json, beside them, is jobs.spec.record's."""

    path: Path

    @property
    def model(self) -> Path:
        """The saved model or ensemble of a training."""
        return self.path / "model"

    @property
    def model_archive(self) -> Path:
        """The same, packed as SageMaker packs it."""
        return self.path / MODEL_ARCHIVE

    @property
    def output(self) -> Path:
        """A training's output beside its model; the answers of an inference."""
        return self.path / "output"

    @property
    def parts(self) -> Path:
        """The finished parts of an inference that was stopped."""
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
        """The lines of a job on this machine."""
        return self.path / "log.txt"

    @property
    def hosts(self) -> Path:
        """While a job on this machine runs, and after it failed: a folder a host, laid out as /opt/ml."""
        return self.path / "ml"
