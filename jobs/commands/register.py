"""Register a model and its scores in the SageMaker model registry.

    python -m jobs register --model_dir JOB --group faces
    python -m jobs register --model_dir JOB --evaluation results/JOB/evaluation/evaluation.json --group faces

The registry shows the scores in evaluation.json with the new model version.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.backends.sagemaker import create
from jobs.commands.dry_run import check_or_print
from jobs.commands.hosted_model import own_prefix, read_model, require_no_object
from jobs.requests.registry import group_request, package_request
from jobs.spec.command_line import read_flags
from jobs.spec.inputs import is_remote
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import delete_objects, upload_folder
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("register", argv, __doc__ or "")
    model = read_model(flags, "model")
    hosted = model.hosted
    scores, uri = None, flags.evaluation
    if flags.evaluation and not is_remote(flags.evaluation):
        scores = read_evaluation(Path(flags.evaluation))
        uri = own_prefix(hosted.account, hosted.name, "evaluation") + Path(flags.evaluation).name
    group = group_request(flags.group, hosted.account)
    package = package_request(hosted, flags.group, uri or None, flags.approval, scores)
    if check_or_print(flags, [("create_model_package_group", group), ("create_model_package", package)], name=None):
        return ExitCode.DONE
    clients = Clients(flags.region, flags.profile)
    if scores is not None:
        require_no_object(clients, uri)
    model.upload(clients)
    if scores is not None:
        prefix = S3Uri.parse(own_prefix(hosted.account, hosted.name, "evaluation"))
        upload_folder(clients.s3, Path(flags.evaluation), prefix, kms_key=flags.kms_key)
    try:
        create_group(clients, group)
        print(create_version(clients, package))
    except InputError:  # no version uses the uploads: delete them, so that the same command can be repeated
        model.undo_upload(clients)
        if scores is not None:
            delete_objects(clients.s3, S3Uri.parse(uri), [S3Uri.parse(uri).key])
        raise
    return ExitCode.DONE


def create_group(clients: Clients, group: dict[str, Any]) -> None:
    """Creates a model package group, unless there is one of that name."""
    try:
        create(clients, "create_model_package_group", group, print)
    except InputError as error:
        if "already exist" not in str(error):
            raise


def create_version(clients: Clients, package: dict[str, Any]) -> str:
    """Creates a model version; returns its ARN."""
    token = str(uuid.uuid4())  # the same for every attempt, so that a retry does not create a second version
    answer = create(clients, "create_model_package", {**package, "ClientToken": token}, print)
    return str(answer["ModelPackageArn"])


def read_evaluation(path: Path) -> dict[str, Any]:
    """Reads an evaluation.json. Raises InputError if the file is missing or invalid."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["rarebird"]["macro_f1"]["value"], content["multiclass_classification_metrics"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected an evaluation.json written by evaluation.py: {type(error).__name__}: {error}"
        ) from None
    return dict(content)
