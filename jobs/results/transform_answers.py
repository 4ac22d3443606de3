"""Writes the predictions of a fetched batch transform as inference does: output.csv, probabilities.csv, labels.json.

`python -m model transform` writes them in its own process, since jobs imports no heavy libraries.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from container.project_root import PROJECT_ROOT
from jobs.aws.calls import call, user_error
from jobs.aws.clients import Clients
from jobs.spec.console import PrintLine
from jobs.spec.record import read_record
from jobs.spec.results_folder import ResultsFolder
from jobs.storage.s3 import S3Uri, download_folder
from model.errors import Failure, InputError

TRANSFORM_FOLDER = "transform"  # in RESULTS/JOB, with one file per image


def write_answers(
    clients: Clients, description: Mapping[str, Any], results: ResultsFolder, print_line: PrintLine
) -> None:
    """Writes RESULTS/JOB/output from the fetched files and the model. If that fails, for example because the model is
    deleted, prints a warning with the reason and keeps the fetched files.

    Args:
        clients: Clients of the AWS account.
        description: Description of the transform job.
        results: Folder of the job's results.
        print_line: Prints a line of output.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="rarebird-") as temporary:
            model = S3Uri.parse(model_uri(clients, description, results))
            if not download_folder(clients.s3, model, Path(temporary)):
                raise InputError(f"{model}: contains no model")
            paths = (results.path / TRANSFORM_FOLDER, Path(temporary), results.output / "output.csv")
            folder, model_dir, output = (str(path.resolve()) for path in paths)
            flags = (folder, "--model_dir", model_dir, "--output", output)
            run_model("transform", *flags, print_line=print_line)
    except (InputError, Failure) as error:
        print_line(f"warning: output.csv cannot be written: {error}")


def model_uri(clients: Clients, description: Mapping[str, Any], results: ResultsFolder) -> str:
    """Returns the S3 URI of a transform's model: from the job's record, or if it has none, from the SageMaker model,
    which may be deleted.

    Args:
        clients: Clients of the AWS account.
        description: Description of the transform job.
        results: Folder of the job's results.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    record = read_record(results.path)
    if record is not None and record.outputs.get("model"):
        return record.outputs["model"]
    name = description["ModelName"]
    try:
        container = call(clients.sagemaker.describe_model, ModelName=name)["PrimaryContainer"]
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"model {name}") from error
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return str(container.get("ModelDataUrl") or source.get("S3Uri", ""))


def run_model(subcommand: str, *flags: str, print_line: PrintLine) -> None:
    """Runs `python -m model SUBCOMMAND FLAGS` and prints its output. Raises Failure with its error."""
    command = [sys.executable, "-m", "model", subcommand, *flags]
    completed = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    if completed.returncode:
        raise Failure(completed.stderr.strip() or f"{' '.join(command)} ended with exit code {completed.returncode}")
    for line in completed.stdout.splitlines():
        print_line(line)
