"""Upload the new and changed files of a folder to S3. The same command resumes an interrupted upload.

    python -m jobs upload data/train
    python -m jobs upload data/train --to s3://BUCKET/train
    python -m jobs upload data/train --to s3://BUCKET/train --delete

--delete asks before it deletes objects, if run on a terminal; with --yes it does not ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.spec.command_line import read_flags, require
from jobs.spec.console import confirmed
from jobs.storage.planned_uploads import plan_upload
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import upload_folder
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("upload", argv, __doc__ or "")
    if len(flags.folder) != 1:
        raise InputError("expected one folder or file: python -m jobs upload FOLDER")
    source = Path(flags.folder[0])
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    s3 = Clients(flags.region, flags.profile).s3
    if not flags.to:
        require(flags, "bucket")
    content = None if flags.to else plan_upload(source.name, str(source), flags.account())
    uri = content.uri if content else flags.to
    if flags.delete and not flags.yes and not confirmed(f"delete the objects below {uri} that are not in {source}?"):
        print("nothing was uploaded or deleted")
        return ExitCode.FAULT
    if content:
        summary = content.send(s3, flags.kms_key, flags.delete, lambda _: None)
    else:
        summary = upload_folder(s3, source, S3Uri.parse(uri), delete=flags.delete, kms_key=flags.kms_key)
    print(f"{uri}: {summary}")
    return ExitCode.DONE
