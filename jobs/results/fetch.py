"""What a job made, in one layout wherever it ran: RESULTS/JOB/{model.tar.gz, model/, output/, evaluation/}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients, Tell, call, explained
from jobs.aws.job_kinds import PROCESSING, TRAINING, TRANSFORM, TUNING, Kind
from jobs.storage.s3 import Place, exists, get_file, get_folder, parse
from model.artifacts.archive import MODEL_ARCHIVE, unpack_as
from model.artifacts.verify import verify
from model.errors import InputError
from model.evaluation.files import EVALUATION_JSON, REPORT_HTML

OUTPUT_ARCHIVE = "output.tar.gz"
MODEL, OUTPUT, EVALUATION = "model", "output", "evaluation"


def model_from_archive(folder: Path) -> str:
    """Unpacks and checks RESULTS/JOB/model.tar.gz; a line that tells the model. Failure where it is no model,
    InputError where the archive is none or not harmless."""
    unpack_as(folder / MODEL_ARCHIVE, folder / MODEL)
    return _told(folder / MODEL)


def _told(folder: Path) -> str:
    return f"model: {folder} ({verify(folder)})"


def tell_evaluation(folder: Path, tell: Tell) -> None:
    """The main scores, where there is an evaluation; else where the answers are."""
    path = folder / EVALUATION / EVALUATION_JSON
    if not path.is_file():
        tell(f"answers: {folder / OUTPUT}")
        return
    told = json.loads(path.read_text(encoding="utf-8"))["rarebird"]
    for name in ("accuracy", "macro_f1"):
        score = told[name]
        interval = "" if score["low"] is None else f" ({score['low']:.4f} to {score['high']:.4f})"
        tell(f"{name}: {score['value']:.4f}{interval}")
    tell(f"evaluation: {path}, {REPORT_HTML} beside it")


def fetch(clients: Clients, kind: Kind, description: Mapping[str, Any], folder: Path, tell: Tell) -> None:
    """Brings down what an ended job left in S3, and checks a model. InputError where it left nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind is TRAINING:
        _fetch_training(clients, description, folder, tell)
    elif kind is PROCESSING:
        for output in description.get("ProcessingOutputConfig", {}).get("Outputs", []):
            place = parse(output["S3Output"]["S3Uri"])
            count = _fetched(clients, place, folder / output["OutputName"])
            tell(f"{output['OutputName']}: {count:,} files in {folder / output['OutputName']}")
        tell_evaluation(folder, tell)
    elif kind is TRANSFORM:
        place = parse(description["TransformOutput"]["S3OutputPath"])
        count = _fetched(clients, place, folder / "transform")
        tell(f"answers: {count:,} in {folder / 'transform'}")
    elif kind is TUNING:
        best = description.get("BestTrainingJob", {})
        if not best:
            raise InputError(f"{description['HyperParameterTuningJobName']}: no training reached its objective")
        (folder / "best.json").write_text(json.dumps(best, indent=2, default=str) + "\n", encoding="utf-8")
        tell(f"best training: {best['TrainingJobName']} {json.dumps(best.get('TunedHyperParameters', {}))}")
        _fetch_training(clients, _described(clients, best["TrainingJobName"]), folder, tell)
    else:
        raise InputError("an endpoint leaves nothing to fetch")


def _fetched(clients: Clients, place: Place, folder: Path) -> int:
    count = get_folder(clients.s3, place, folder)
    if not count:
        raise InputError(f"{place}: the job left nothing there")
    return count


def _described(clients: Clients, training: str) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(call(clients.sagemaker.describe_training_job, TrainingJobName=training))
    except (ClientError, BotoCoreError) as error:
        raise explained(error, f"{TRAINING.word} {training}") from error


def _fetch_training(clients: Clients, description: Mapping[str, Any], folder: Path, tell: Tell) -> None:
    """The model before all else: a fault in what lies beside it must not keep it away."""
    uri = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if not uri:
        raise InputError(f"{description.get('TrainingJobName')}: it left no model")
    place = parse(uri)
    if place.key.endswith(".tar.gz"):
        get_file(clients.s3, place, folder / MODEL_ARCHIVE)
        tell(model_from_archive(folder))
        beside = Place(place.bucket, place.key.removesuffix(MODEL_ARCHIVE) + OUTPUT_ARCHIVE)
        if exists(clients.s3, beside):
            get_file(clients.s3, beside, folder / OUTPUT_ARCHIVE)
            unpack_as(folder / OUTPUT_ARCHIVE, folder / OUTPUT, strip="data")
        return
    if not get_folder(clients.s3, place, folder / MODEL):
        raise InputError(f"{place}: there is no model")
    tell(_told(folder / MODEL))
    beside = Place(place.bucket, place.folder.key.removesuffix("model/") + "data/")
    get_folder(clients.s3, beside, folder / OUTPUT)
