"""Plans the uploads of a job's local inputs. Each goes to a prefix named after its content, so that no job replaces the
inputs of another, and the same content is uploaded only once.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.spec.console import PrintLine
from jobs.spec.inputs import Input
from jobs.spec.job import Account
from jobs.storage.content import Content, read_content
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import UploadSummary, upload_folder


@dataclass(frozen=True)
class PlannedUpload:
    """A folder or file and the prefix that it is uploaded to.

    Attributes:
        name: Name of the input, for messages.
        source: Folder or file; only a file name if the launcher generates the file.
        uri: s3://BUCKET/PREFIX/data/ACCOUNT/DIGEST/.
        suffixes: Lower-case endings of the files to upload; () for all files.
        content: The hash of the folder after which the prefix is named; None if the launcher generates the file.
        text: Text of a file that the launcher generates.
    """

    name: str
    source: Path
    uri: str
    suffixes: tuple[str, ...] = ()
    content: Content | None = None
    text: str = ""

    def send(self, s3: Any, kms_key: str | None, delete: bool, print_line: PrintLine) -> UploadSummary:
        """Uploads the files that the prefix does not have yet, and prints their number and size.

        Args:
            s3: boto3's client.
            kms_key: KMS key to encrypt the objects with, None for none.
            delete: Whether to delete objects that are not in the folder.
            print_line: Prints a line of output.
        """
        print_line(f"{self.name}: {self.source} to {self.uri}")
        with tempfile.TemporaryDirectory(prefix="rarebird-") as folder:
            source = self.source
            if self.content is None:
                source = Path(folder) / self.source
                source.write_text(self.text, encoding="utf-8")
            summary = upload_folder(
                s3,
                source,
                S3Uri.parse(self.uri),
                delete=delete,
                kms_key=kms_key,
                suffixes=self.suffixes,
                content=self.content,
                print_line=print_line,
            )
        print_line(f"{self.name}: {summary}")
        return summary


def plan_upload(
    name: str, source: str, account: Account, folder: str = "data", suffixes: tuple[str, ...] = ()
) -> PlannedUpload:
    """Hashes a local folder or file, and returns its upload.

    Args:
        name: Name of the input, for messages.
        source: Path on this machine.
        account: The account to upload to.
        folder: Folder below s3://BUCKET/PREFIX.
        suffixes: Lower-case endings of the files to upload; () for all files.

    Raises:
        Failure: A file cannot be read.
    """
    content = read_content(Path(source), suffixes, account.kms_key or "")
    return PlannedUpload(name, Path(source), account.content_uri(content.digest, folder), suffixes, content)


def plan_uploads(inputs: Iterable[Input], account: Account) -> list[PlannedUpload]:
    """Returns the uploads of a job's local inputs, and of files that the launcher generates."""
    uploads = []
    for each in inputs:
        if each.content is not None:
            text = f"{account.kms_key or ''}\0{each.source}\0{each.text}"
            digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
            uri = account.content_uri(digest)
            uploads.append(PlannedUpload(each.name, Path(each.source), uri, text=each.text))
        elif not each.is_remote:
            uploads.append(plan_upload(each.name, each.source, account))
    return uploads
