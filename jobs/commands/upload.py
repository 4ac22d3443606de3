"""Sends a folder to S3: in parallel, only what changed; the same command goes on where it was stopped.

python -m jobs upload data/train --to s3://BUCKET/train
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.spec.command_line import read_flags, require
from jobs.spec.flags import AccountFlags
from jobs.spec.job import DEFAULT_PREFIX, Account
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import upload_folder
from model.errors import ExitCode, InputError
from model.settings.fields import setting


@dataclass(frozen=True)
class UploadFlags(AccountFlags):
    folder: list[str] = setting([], "folder or file", section="Upload", positional=True)
    to: str = setting("", "s3:// prefix; else a place of the folder's own below bucket and prefix")
    delete: bool = setting(False, "remove objects that the folder does not have")
    kms_key: str | None = setting(None, "key of the objects")


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(UploadFlags, argv, __doc__ or "")
    if len(flags.folder) != 1:
        raise InputError("name one folder: python -m jobs upload FOLDER")
    source = Path(flags.folder[0])
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    if not flags.to:
        require(flags, "bucket")
    account = Account(bucket=flags.bucket, prefix=flags.prefix or DEFAULT_PREFIX)
    uri = flags.to or account.upload_uri(str(source))
    s3 = Clients(flags.region, flags.profile).s3
    summary = upload_folder(s3, source, S3Uri.parse(uri), delete=flags.delete, kms_key=flags.kms_key)
    print(f"{uri}: {summary}")
    return ExitCode.DONE
