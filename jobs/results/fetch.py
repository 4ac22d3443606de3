"""Downloads the results of an ended SageMaker job from S3 to RESULTS/JOB, and prints its model or scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.aws.calls import call, user_error
from jobs.aws.clients import Clients
from jobs.aws.job_kinds import PROCESSING, TRAINING, TRANSFORM, TUNING, JobKind
from jobs.results.transform_answers import TRANSFORM_FOLDER, write_answers
from jobs.spec.console import PrintLine
from jobs.spec.job import PARTS
from jobs.spec.results_folder import OUTPUT_ARCHIVE, ResultsFolder
from jobs.storage.s3 import S3Uri, download_file, download_folder, object_exists
from model.artifacts.archive import MODEL_ARCHIVE, unpack_as
from model.artifacts.verify import Verified, verify
from model.errors import InputError


def unpack_model(results: ResultsFolder) -> str:
    """Unpacks RESULTS/JOB/model.tar.gz and verifies the model; returns a line that describes it.

    Raises:
        InputError: The archive is unreadable or unsafe.
        Failure: It contains no valid model.
    """
    unpack_as(results.model_archive, results.model)
    return model_line(verify(results.model))


def model_line(model: Verified) -> str:
    """Returns a line that describes a verified model."""
    return f"model: {model.folder} ({model})"


def print_scores(results: ResultsFolder, print_line: PrintLine) -> None:
    """Prints the main scores of an evaluation; without one, the folder of the predictions."""
    if not results.scores.is_file():
        print_line(f"predictions: {results.output}")
        return
    scores = json.loads(results.scores.read_text(encoding="utf-8"))["rarebird"]
    for name in ("accuracy", "macro_f1"):
        score = scores[name]
        interval = "" if score["low"] is None else f" ({score['low']:.4f} to {score['high']:.4f})"
        print_line(f"{name}: {score['value']:.4f}{interval}")
    print_line(f"evaluation: {results.scores}")
    print_line(f"report: {results.report}")


def fetch(
    clients: Clients, kind: JobKind, description: Mapping[str, Any], results: ResultsFolder, print_line: PrintLine
) -> None:
    """Downloads the results of an ended job from S3, and verifies its model.

    Args:
        clients: Clients of the AWS account.
        kind, description: Kind of job, and SageMaker's description of the job.
        results: Folder to download to; created if it is missing.
        print_line: Prints a line of output.

    Raises:
        InputError: The job has no results.
        Failure: The model is invalid.
    """
    results.path.mkdir(parents=True, exist_ok=True)
    if kind is TRAINING:
        _fetch_training(clients, description, results, print_line)
    elif kind is PROCESSING:
        _fetch_processing(clients, description, results, print_line)
    elif kind is TRANSFORM:
        folder = results.path / TRANSFORM_FOLDER
        count = _download(clients, S3Uri.parse(description["TransformOutput"]["S3OutputPath"]), folder)
        print_line(f"answers: {count:,} files in {folder}")
        write_answers(clients, description, results, print_line)
    elif kind is TUNING:
        _fetch_best_training(clients, description, results, print_line)
    else:
        raise InputError("an endpoint has no results to download")


def _fetch_processing(
    clients: Clients, description: Mapping[str, Any], results: ResultsFolder, print_line: PrintLine
) -> None:
    """Downloads the outputs. The parts of a completed job are skipped, since its predictions were joined from them."""
    is_completed = PROCESSING.status(description) == "Completed"
    outputs = description.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for output in outputs:
        name, uri = output["OutputName"], S3Uri.parse(output["S3Output"]["S3Uri"])
        folder = results.path / name
        if is_completed:
            count = 0 if name == PARTS else _download(clients, uri, folder)
        else:
            count = download_folder(clients.s3, uri, folder)
        if count:
            print_line(f"{name}: {count:,} files in {folder}")
    if not any((results.path / output["OutputName"]).is_dir() for output in outputs):
        raise InputError(f"{description.get('ProcessingJobName')}: the job wrote no results")
    if results.output.is_dir() or results.scores.is_file():
        print_scores(results, print_line)


def _download(clients: Clients, uri: S3Uri, folder: Path) -> int:
    count = download_folder(clients.s3, uri, folder)
    if not count:
        raise InputError(f"{uri}: the job wrote no results there")
    return count


def _fetch_best_training(
    clients: Clients, tuning: Mapping[str, Any], results: ResultsFolder, print_line: PrintLine
) -> None:
    best = tuning.get("BestTrainingJob", {})
    if not best:
        raise InputError(f"{tuning['HyperParameterTuningJobName']}: no training has reported the objective")
    (results.path / "best.json").write_text(json.dumps(best, indent=2, default=str) + "\n", encoding="utf-8")
    name = best["TrainingJobName"]
    print_line(f"best training: {name} {json.dumps(best.get('TunedHyperParameters', {}))}")
    _fetch_training(clients, _describe_training(clients, name), results, print_line)


def _describe_training(clients: Clients, name: str) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(call(clients.sagemaker.describe_training_job, TrainingJobName=name))
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"{TRAINING.name} {name}") from error


def _fetch_training(
    clients: Clients, description: Mapping[str, Any], results: ResultsFolder, print_line: PrintLine
) -> None:
    """Downloads the model first, so that an error in the other output does not prevent it."""
    text = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if not text:
        raise InputError(f"{description.get('TrainingJobName')}: the training wrote no model")
    model = S3Uri.parse(text)
    if model.key.endswith(".tar.gz"):
        download_file(clients.s3, model, results.model_archive)
        print_line(unpack_model(results))
        output = S3Uri(model.bucket, model.key.removesuffix(MODEL_ARCHIVE) + OUTPUT_ARCHIVE)
        if object_exists(clients.s3, output):
            download_file(clients.s3, output, results.output_archive)
            unpack_as(results.output_archive, results.output, strip="data")
        return
    # a job with CompressionType NONE writes plain folders
    if not download_folder(clients.s3, model, results.model):
        raise InputError(f"{model}: contains no model")
    print_line(model_line(verify(results.model)))
    output = S3Uri(model.bucket, model.folder.key.removesuffix("model/") + "data/")
    download_folder(clients.s3, output, results.output)
