"""Puts a model into SageMaker's registry, with the scores of its evaluation.

python -m jobs register --model_dir JOB --evaluation results/JOB/evaluation/evaluation.json --group faces
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.commands.hosted_model import describe_model, hosted_place, require_free, send_model
from jobs.requests.hosting import group_request, package_request
from jobs.requests.train_and_process import as_json
from jobs.spec.flags import RegisterFlags, read_flags
from model.errors import InputError


def main(argv: Sequence[str]) -> int:
    from jobs.aws.clients import Clients
    from jobs.backends import sagemaker

    flags, _ = read_flags(RegisterFlags, argv, __doc__ or "")
    hosted, local = describe_model(flags, "model")
    remote = flags.evaluation.startswith("s3://")
    scores = None if remote or not flags.evaluation else read_evaluation(Path(flags.evaluation))
    place = (
        flags.evaluation if remote or not flags.evaluation else hosted_place(hosted.account, hosted.name, "evaluation")
    )
    uri = place if remote or not place else f"{place}{Path(flags.evaluation).name}"
    requests = [
        ("create_model_package_group", group_request(flags.group, hosted.account)),
        ("create_model_package", package_request(hosted, flags.group, uri or None, flags.approval, scores)),
    ]
    sagemaker.checked(requests)
    if flags.dry_run:
        print(as_json(requests))
        return 0
    clients = Clients(flags.region, flags.profile)
    if scores is not None:
        require_free(clients, uri)
    send_model(hosted, local, clients)
    if scores is not None:
        from jobs.storage.s3 import parse
        from jobs.storage.upload import send_folder

        send_folder(clients.s3, Path(flags.evaluation), parse(place), kms_key=flags.kms_key)
    print(register(clients, requests))
    return 0


def register(clients: Any, requests: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """The ARN of the new version; its group is made where it is missing."""
    from jobs.backends.sagemaker import send

    (_, group), (method, package) = requests
    make_group(clients, group)
    token = str(uuid.uuid4())  # made once: a call that is tried again makes no second version
    return str(send(clients, method, {**package, "ClientToken": token}, print)["ModelPackageArn"])


def make_group(clients: Any, group: dict[str, Any]) -> None:
    """Where there is none of that name."""
    from jobs.backends.sagemaker import send

    try:
        send(clients, "create_model_package_group", group, print)
    except InputError as error:
        if "already exist" not in str(error):
            raise


def read_evaluation(path: Path) -> dict[str, Any]:
    """The content of an evaluation.json. InputError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["rarebird"]["macro_f1"]["value"], content["multiclass_classification_metrics"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not an evaluation.json: {type(error).__name__}: {error}") from None
    return dict(content)
