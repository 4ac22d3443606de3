"""Script mode: packs the project as the source_dir of an AWS PyTorch container, whose toolkit unpacks it, installs its
requirements.txt and runs train.py (SageMaker Training Toolkit, "Create an entry point script").

The container contains torch and torchvision, which are not installed again. Other packages are required by ranges, so
that pip keeps installed versions that fit.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from container.job_types import JOB_TYPES
from container.project_root import PROJECT_ROOT
from jobs.spec.job import Job
from model.artifacts.archive import pack
from model.errors import InputError

IN_AWS_CONTAINER = ("torch", "torchvision")
FOLDERS = ("container", "model", "configs")
SOURCE_ARCHIVE = "sourcedir.tar.gz"
LOG_LEVEL = 20  # of Python's logging: INFO


def requirements(project: Path) -> list[str]:
    """Returns the dependencies in pyproject.toml without those that the container contains."""
    with (project / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    return [each for each in dependencies if re.split(r"[<>=!~\[; ]", each)[0].lower() not in IN_AWS_CONTAINER]


def pack_source(archive: Path, project: Path | None = None) -> list[str]:
    """Writes sourcedir.tar.gz and returns the requirements in it.

    Args:
        archive: File to write.
        project: Folder of the project, None for that of this code.

    Raises:
        InputError: The folder contains no pyproject.toml.
    """
    project = project or PROJECT_ROOT
    if not (project / "pyproject.toml").is_file():
        raise InputError(f"{project}: contains no pyproject.toml; script mode requires a checkout of the project")
    required = requirements(project)
    with tempfile.TemporaryDirectory(prefix="rarebird-") as temporary:
        source = Path(temporary) / "source"
        source.mkdir()
        for name in FOLDERS:
            shutil.copytree(project / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        for script in filter(None, (job_type.script for job_type in JOB_TYPES.values())):
            shutil.copyfile(project / script, source / script)
        (source / "requirements.txt").write_text("\n".join(required) + "\n", encoding="utf-8")
        pack(source, archive)
    return required


def toolkit_hyperparameters(job: Job, source: str, region: str) -> Mapping[str, str]:
    """Returns the hyperparameters with which AWS's toolkit finds the source, JSON-encoded as AWS's SDK sends them.

    Args:
        job: The training job.
        source: S3 URI of sourcedir.tar.gz.
        region: AWS region, "" to omit it.
    """
    values = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": source,
        "sagemaker_container_log_level": LOG_LEVEL,
        "sagemaker_job_name": job.name,
        "sagemaker_region": region,
    }
    return {name: json.dumps(value) for name, value in values.items() if value != ""}
