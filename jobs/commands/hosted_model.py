"""What the verbs of models at work share: the model, by folder, s3:// place or job, in S3."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.requests.hosting import Hosted
from jobs.spec.flags import SAGEMAKER, require
from jobs.spec.inputs import produced
from jobs.spec.job import Account, unique_name
from jobs.storage.s3 import exists, parse
from jobs.storage.upload import send_folder
from model.artifacts.archive import MODEL_ARCHIVE, pack
from model.artifacts.discovery import find_model
from model.artifacts.verify import verify
from model.errors import InputError


def describe_model(flags: Any, stem: str) -> tuple[Hosted, Path | None]:
    """The model as it will be named, its place in S3, and the local folder that has to be sent there first, None where
    it is in S3 already."""
    require(flags, "role", "bucket", "image")
    if not flags.model_dir:
        raise InputError("--model_dir: name the model: s3://.../model.tar.gz, a saved model's folder, or a job")
    account = flags.account()
    source = produced(flags.model_dir, "model", replace(flags, on=SAGEMAKER))
    local = None if source.startswith("s3://") else find_model(Path(source))
    variables = {key: str(value) for key, value in flags.environment.items()}
    name = flags.job_name or unique_name(stem)
    if local is not None:
        source = f"{hosted_place(account, name, 'model')}{MODEL_ARCHIVE}"
    return Hosted(name, source, account, flags.machine(), variables), local


def hosted_place(account: Account, name: str, part: str) -> str:
    """Where a local model or its evaluation goes: a place of this name's own, for what is registered or deployed under
    another name must stay as it is."""
    return f"{account.root}/{name}/{part}/"


def require_free(clients: Clients, uri: str) -> None:
    """InputError where an object lies in the place already: a version or an endpoint may have it."""
    if exists(clients.s3, parse(uri)):
        raise InputError(f"{uri} is there already; another --job_name")


def send_model(hosted: Hosted, local: Path | None, clients: Clients) -> None:
    """Packs and sends a local model, once it is found whole. InputError where one lies in its place already."""
    if local is None:
        return
    print(f"model: {local} ({verify(local)}) to {hosted.model}")
    with tempfile.TemporaryDirectory(prefix="rarebird-") as made:
        pack(local, Path(made) / MODEL_ARCHIVE)
        place = parse(hosted.model.removesuffix(MODEL_ARCHIVE))
        require_free(clients, hosted.model)
        print(f"model: {send_folder(clients.s3, Path(made) / MODEL_ARCHIVE, place, kms_key=hosted.account.kms_key)}")
