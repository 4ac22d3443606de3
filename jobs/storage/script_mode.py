"""Script mode: this folder as source_dir of one of AWS's PyTorch containers, whose toolkit unpacks it, installs its
requirements.txt and runs train.py (SageMaker Training Toolkit, "Create an entry point script").

The container brings torch and torchvision; they are never installed again. The rest is asked for by ranges, so that pip
leaves what is there and fits as it is.
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
from container.project import PROJECT_ROOT
from jobs.spec.job import Job
from model.artifacts.archive import pack
from model.errors import InputError

BROUGHT = ("torch", "torchvision")
FOLDERS = ("container", "model", "configs")
SOURCE = "sourcedir.tar.gz"
LEVEL = "20"  # of Python's logging: INFO


def requirements(project: Path) -> list[str]:
    """What pip is asked for in the container: the ranges of pyproject.toml without what the container brings."""
    with (project / "pyproject.toml").open("rb") as file:
        ranges: list[str] = tomllib.load(file)["project"]["dependencies"]
    return [wanted for wanted in ranges if re.split(r"[<>=!~\[; ]", wanted)[0].lower() not in BROUGHT]


def pack_source(archive: Path, project: Path | None = None) -> list[str]:
    """Writes sourcedir.tar.gz; returns the requirements in it. InputError where this is no folder of the project."""
    project = project or PROJECT_ROOT
    if not (project / "pyproject.toml").is_file():
        raise InputError(f"{project}: script mode needs the project's folder, with pyproject.toml")
    wanted = requirements(project)
    with tempfile.TemporaryDirectory(prefix="rarebird-") as place:
        made = Path(place) / "source"
        made.mkdir()
        for name in FOLDERS:
            shutil.copytree(project / name, made / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        for script in filter(None, (job_type.script for job_type in JOB_TYPES.values())):
            shutil.copyfile(project / script, made / script)
        (made / "requirements.txt").write_text("\n".join(wanted) + "\n", encoding="utf-8")
        pack(made, archive)
    return wanted


def entry(job: Job, source: str, region: str) -> Mapping[str, str]:
    """The hyperparameters by which AWS's toolkit finds the code, JSON-encoded as its clients send them."""
    told = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": source,
        "sagemaker_container_log_level": int(LEVEL),
        "sagemaker_job_name": job.name,
        "sagemaker_region": region,
    }
    return {name: json.dumps(value) for name, value in told.items() if value != ""}
