"""The model of transform, deploy and register: found by folder, S3 URI or job name, and uploaded where it is local."""

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
from model.artifacts.archive import MODEL_ARCHIVE, pack
from model.artifacts.discovery import find_model
from model.artifacts.verify import verify
from model.errors import Failure, InputError


@dataclass(frozen=True)
class ModelToHost:
    """A model and the local folder to upload first, None where the model is in S3 already."""

    hosted: HostedModel
    local: Path | None

    def upload(self, clients: Clients) -> None:
        """Checks, packs and uploads a local model; after Ctrl-C nothing of it is left, so that the same command can be
        repeated. Raises InputError where its S3 URI is taken."""
        if self.local is None:
            return
        uri = self.hosted.model
        print(f"model: {self.local} ({verify(self.local)}) to {uri}")
        with tempfile.TemporaryDirectory(prefix="rarebird-") as folder:
            archive = Path(folder) / MODEL_ARCHIVE
            pack(self.local, archive)
            require_free(clients, uri)
            prefix = S3Uri.parse(uri.removesuffix(MODEL_ARCHIVE))
            try:
                summary = upload_folder(clients.s3, archive, prefix, kms_key=self.hosted.account.kms_key)
            except KeyboardInterrupt:  # what is on its way arrives all the same
                self.undo_upload(clients)
                raise
            print(f"model: {summary}")

    def undo_upload(self, clients: Clients) -> str:
        """Deletes what `upload` has uploaded, for nothing uses it; returns its URI, "" where it was in S3 already."""
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
    """The model that --model_dir names.

    Args:
        flags: The launcher's.
        stem: Beginning of the name where neither `name` nor --job_name gives one.
        name: Of the SageMaker model; "" for --job_name.
        variables: Of the server; those of --environment win.
        is_multi_model: As of HostedModel.

    Raises:
        InputError: There is no such model, or the account is incomplete.
    """
    require(flags, *(name for name in ("role", "bucket", "image") if hasattr(flags, name)))  # a version has no role
    if not flags.model_dir:
        raise InputError("--model_dir: name the model: s3://.../model.tar.gz, a saved model's folder, or a job")
    account = flags.account()
    source = resolve_source(flags.model_dir, "model", flags, find_output)
    local = None if is_remote(source) else find_model(Path(source))
    environment = {**(variables or {}), **{key: str(value) for key, value in flags.environment.items()}}
    name = name or flags.job_name or unique_name(stem)
    if local is not None:
        source = f"{own_prefix(account, name, 'model')}{MODEL_ARCHIVE}"
    return ModelToHost(HostedModel(name, source, account, flags.machine(), environment, is_multi_model), local)


def own_prefix(account: Account, name: str, part: str) -> str:
    """Where a local model or its evaluation is uploaded to: below the name, for what is registered or deployed under
    another name must stay as it is."""
    return f"{account.root}/{name}/{part}/"


def require_free(clients: Clients, uri: str) -> None:
    """Raises InputError where an object has this URI already: a version or an endpoint may use it."""
    if object_exists(clients.s3, S3Uri.parse(uri)):
        raise InputError(f"{uri} is there already; another --job_name")
