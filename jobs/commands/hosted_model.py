"""The model of transform, deploy and register: a folder, an S3 URI or a job's model; a local model is uploaded."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.aws.earlier_outputs import find_output
from jobs.requests.hosted_model import HostedModel
from jobs.spec.command_line import require
from jobs.spec.earlier_jobs import resolve_source
from jobs.spec.inputs import is_remote
from jobs.spec.job import Account, unique_name
from jobs.storage.s3 import S3Uri, object_exists
from jobs.storage.upload import delete_objects, upload_folder
from model.artifacts.archive import MODEL_ARCHIVE, pack, without_epochs
from model.artifacts.discovery import find_model
from model.artifacts.verify import verify
from model.errors import Failure, InputError


@dataclass(frozen=True)
class ModelToHost:
    """A model, and the local folder to upload first (None if the model is already in S3)."""

    hosted: HostedModel
    local: Path | None

    def upload(self, clients: Clients) -> None:
        """Verifies, packs and uploads a local model. After Ctrl-C the upload is deleted, so that the same command can
        be repeated. Raises InputError if its S3 URI is already in use."""
        if self.local is None:
            return
        uri = self.hosted.model
        print(f"model: {self.local} ({verify(self.local)}) to {uri}")
        with tempfile.TemporaryDirectory(prefix="rarebird-") as folder:
            archive = Path(folder) / MODEL_ARCHIVE
            pack(self.local, archive, wanted=without_epochs)
            require_no_object(clients, uri)
            prefix = S3Uri.parse(uri.removesuffix(MODEL_ARCHIVE))
            try:
                summary = upload_folder(clients.s3, archive, prefix, kms_key=self.hosted.account.kms_key)
            except KeyboardInterrupt:  # parts that are already being sent still arrive
                self.undo_upload(clients)
                raise
            print(f"model: {summary}")

    def undo_upload(self, clients: Clients) -> str:
        """Deletes the model that `upload` uploaded. Returns its URI, "" if nothing was uploaded."""
        if self.local is None:
            return ""
        uri = S3Uri.parse(self.hosted.model)
        try:
            delete_objects(clients.s3, uri, [uri.key])
        except (InputError, Failure) as error:
            print(f"warning: {error}")
            return ""
        return self.hosted.model


def read_model(
    flags: Any, stem: str, *, name: str = "", variables: Mapping[str, str] | None = None, is_multi_model: bool = False
) -> ModelToHost:
    """Returns the model that --model_dir names.

    Args:
        flags: The launcher's flags.
        stem: Beginning of the generated name, if neither `name` nor --job_name is set.
        name: Name of the SageMaker model; "" for --job_name.
        variables: Environment variables of the server; --environment takes precedence.
        is_multi_model: Whether --model_dir is a prefix of several archives.

    Raises:
        InputError: There is no such model, or role, bucket or image is missing.
    """
    require(flags, *(name for name in ("role", "bucket", "image") if hasattr(flags, name)))  # register has no --role
    if not flags.model_dir:
        raise InputError("--model_dir is missing: name a job, the folder of a saved model, or s3://.../model.tar.gz")
    account = flags.account()
    source = resolve_source(flags.model_dir, "model", flags, find_output)
    local = None if is_remote(source) else find_model(Path(source))
    environment = {**(variables or {}), **{key: str(value) for key, value in flags.environment.items()}}
    name = name or flags.job_name or unique_name(stem)
    if local is not None:
        source = f"{own_prefix(account, name, 'model')}{MODEL_ARCHIVE}"
    return ModelToHost(HostedModel(name, source, account, flags.machine(), environment, is_multi_model), local)


def own_prefix(account: Account, name: str, part: str) -> str:
    """Returns the S3 prefix that a local model or its evaluation is uploaded to. It contains the name, so that models
    registered or deployed under other names are not replaced."""
    return f"{account.root}/{name}/{part}/"


def require_no_object(clients: Clients, uri: str) -> None:
    """Raises InputError if there is an object at this URI: a model version or an endpoint may use it."""
    if object_exists(clients.s3, S3Uri.parse(uri)):
        raise InputError(f"{uri} already exists; use another --job_name")
