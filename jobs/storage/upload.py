"""Uploads a folder to S3 in parallel. Files that S3 already has are skipped, so that a second run resumes an
interrupted one. Memory does not grow with the number of files."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.calls import error_code, user_error
from jobs.spec.console import PrintLine
from jobs.storage.content import Content, FileHash
from jobs.storage.etag import PART_BYTES, etag_and_md5
from jobs.storage.local_files import LocalFile, local_files
from jobs.storage.s3 import S3Object, S3Uri, list_objects
from model.errors import Failure, InputError, listing
from model.runtime.terminal import progress_bar

THREADS = 16
MOST_PENDING = 4 * THREADS  # files submitted to the threads and not yet uploaded
PROGRESS_SECONDS = 10.0  # between two progress lines
MD5 = "md5"  # key in an object's metadata: the ETag of an object encrypted with KMS is not an MD5
DELETE_BATCH = 1000  # objects per call, S3's limit


@dataclass
class UploadSummary:
    """Counts of an upload.

    Attributes:
        files, size: Uploaded files, and their bytes.
        same: Files that the prefix already had.
        copied: Files that were copied from another prefix.
        deleted: Deleted objects.
    """

    files: int = 0
    size: int = 0
    same: int = 0
    copied: int = 0
    deleted: int = 0

    @property
    def count(self) -> int:
        """Number of files in the folder."""
        return self.files + self.same + self.copied

    def __str__(self) -> str:
        copied = f", {self.copied:,} copied in S3" if self.copied else ""
        deleted = f", {self.deleted:,} deleted" if self.deleted else ""
        return f"{self.files:,} files uploaded ({self.size / 1e6:,.1f} MB), {self.same:,} unchanged{copied}{deleted}"


def pair_by_name(
    source: Path, items: Iterator[S3Object], prefix: str, suffixes: tuple[str, ...] = ()
) -> Iterator[tuple[LocalFile | None, S3Object | None]]:
    """Merges local files and objects, both sorted, into pairs of the same name, with None for a missing counterpart.

    Args:
        source: Folder or file.
        items: Objects below prefix, in S3's order.
        prefix: Key of the folder in S3.
        suffixes: Lower-case endings of the files to include; () for all files.
    """
    files = local_files(source, suffixes)
    file, item = next(files, None), next(items, None)
    while file is not None or item is not None:
        # yield the smaller of the two names, or both if they are equal
        file_name = file.key if file else None
        item_name = item.key.removeprefix(prefix).encode() if item else None
        if item_name is None or (file_name is not None and file_name < item_name):
            yield file, None
            file = next(files, None)
        elif file_name is None or item_name < file_name:
            yield None, item
            item = next(items, None)
        else:
            yield file, item
            file, item = next(files, None), next(items, None)


def upload_folder(
    s3: Any,
    source: Path,
    uri: S3Uri,
    *,
    delete: bool = False,
    kms_key: str | None = None,
    suffixes: tuple[str, ...] = (),
    content: Content | None = None,
    print_line: PrintLine = print,
) -> UploadSummary:
    """Makes the objects below a prefix identical to a folder, or to a single file.

    Args:
        s3: boto3's client.
        source: Folder or file.
        uri: Prefix to upload to.
        delete: Delete objects that are not in the folder. Otherwise they are an error, since a job would read them.
        kms_key: KMS key to encrypt the objects with.
        suffixes: Lower-case endings of the files to upload; () for all files.
        content: The hash of the folder after which the prefix is named, None for other prefixes. Files must be
            unchanged since they were hashed. Files that an earlier prefix of the folder contains are copied in S3.
        print_line: Prints progress if stderr is not a terminal.

    Raises:
        InputError: The folder is empty, or the prefix has objects that are not in the folder.
        Failure: Files could not be uploaded or objects not deleted; the same call resumes. Or the folder has changed
            since it was hashed.
    """
    prefix = uri.folder
    uploader = _Uploader(s3, prefix, kms_key, print_line)
    extra_keys = _upload_files(uploader, source, suffixes, content)
    summary = uploader.summary
    if not summary.count:
        raise InputError(f"{source}: contains no files to upload")
    if content and summary.count != content.files:
        raise Failure(f"{source}: files were removed during the upload; run the same command again")
    if extra_keys and not delete:
        names = listing([key.removeprefix(prefix.key) for key in extra_keys], 5)
        raise InputError(
            f"{prefix}: {len(extra_keys):,} objects are not in {source}: {names}; delete them with --delete"
        )
    delete_objects(s3, prefix, extra_keys)
    summary.deleted = len(extra_keys)
    if content:
        content.cache.uploaded(_root(prefix), str(prefix))
    return summary


def _upload_files(uploader: _Uploader, source: Path, suffixes: tuple[str, ...], content: Content | None) -> list[str]:
    """Uploads the files of a folder in threads; returns the keys of objects that are not in the folder."""
    s3, prefix = uploader.s3, uploader.prefix
    earlier = _EarlierObjects(s3, prefix, content)
    extra_keys: list[str] = []
    pending: set[Future[None]] = set()
    with uploader.bar, ThreadPoolExecutor(THREADS, thread_name_prefix="send") as pool:
        try:
            for file, item in pair_by_name(source, list_objects(s3, prefix), prefix.key, suffixes):
                # an object without a file
                if file is None:
                    assert item is not None
                    if not item.key.endswith("/"):
                        extra_keys.append(item.key)
                    continue
                # upload the file in a thread, unless the object is the same
                hashed = content.cache.find(file) if content else None
                if content and hashed is None:
                    raise _changed(file)
                pending.add(pool.submit(uploader.upload, file, item, hashed, earlier.find(file)))
                # wait while too many files are pending, so that memory does not grow
                if len(pending) >= MOST_PENDING:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    uploader.raise_error(done)
            uploader.raise_error(wait(pending).done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return extra_keys


def _root(prefix: S3Uri) -> str:
    """Returns the parent of a prefix that is named after a folder's content."""
    return str(prefix).rstrip("/").rpartition("/")[0]


def _changed(file: LocalFile) -> Failure:
    return Failure(f"{file.path}: the file has changed during the upload; run the same command again")


class _EarlierObjects:
    """The objects of a folder's previous upload, from which files can be copied in S3.

    The folder has changed since, but usually most of its files are the same.
    """

    def __init__(self, s3: Any, prefix: S3Uri, content: Content | None):
        uri = content.cache.earlier_upload(_root(prefix)) if content else None
        self.prefix = S3Uri.parse(uri) if uri and uri != str(prefix) else None
        self.items = list_objects(s3, self.prefix) if self.prefix else iter(())
        self.item: S3Object | None = None

    def find(self, file: LocalFile) -> S3Object | None:
        """Returns the object with a file's name, None without one. Names must be in ascending order over all calls."""
        assert self.prefix is not None or self.item is None
        while self.prefix is not None and (self.item is None or self._name < file.key):
            self.item = next(self.items, None)
            if self.item is None:
                self.prefix = None
        return self.item if self.prefix is not None and self._name == file.key else None

    @property
    def _name(self) -> bytes:
        assert self.item is not None and self.prefix is not None
        return self.item.key.removeprefix(self.prefix.key).encode()


def delete_objects(s3: Any, prefix: S3Uri, keys: Sequence[str]) -> None:
    """Deletes objects in batches.

    Args:
        s3: boto3's client.
        prefix: Prefix of the objects, for messages.
        keys: Their keys.

    Raises:
        InputError, Failure: AWS refuses, or objects could not be deleted.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    errors: list[str] = []
    try:
        for first in range(0, len(keys), DELETE_BATCH):
            batch = [{"Key": key} for key in keys[first : first + DELETE_BATCH]]
            answer = s3.delete_objects(Bucket=prefix.bucket, Delete={"Objects": batch, "Quiet": True})
            errors += [
                f"{error.get('Key', '').removeprefix(prefix.key)} ({error.get('Code')}: {error.get('Message')})"
                for error in answer.get("Errors", [])
            ]
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"{prefix}: objects cannot be deleted") from error
    if errors:
        raise Failure(f"{prefix}: {len(errors):,} of {len(keys):,} objects could not be deleted: {listing(errors, 5)}")


class _Uploader:
    """Uploads single files from several threads, and counts them."""

    def __init__(self, s3: Any, prefix: S3Uri, kms_key: str | None, print_line: PrintLine):
        from boto3.s3.transfer import TransferConfig

        self.s3, self.prefix, self.print_line = s3, prefix, print_line
        self.extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        self.config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)
        self.summary = UploadSummary()
        self.lock = threading.Lock()
        self.started = self.printed = time.monotonic()
        self.bar = progress_bar("sent", unit="B")

    def upload(
        self, file: LocalFile, item: S3Object | None, expected: FileHash | None, earlier: S3Object | None
    ) -> None:
        """Uploads a file, unless the object of its name has the same content.

        Args:
            file: The file.
            item: The object of its name, None if there is none.
            expected: The hashes that the file must have, None for any.
            earlier: An object of a previous upload that may have the same content.
        """
        hashed = expected if expected and expected.is_current else FileHash(*etag_and_md5(file.path))
        if expected and hashed.md5 != expected.md5:
            raise _changed(file)
        if item is not None and self._is_same(item, file, hashed):
            with self.lock:
                self.summary.same += 1
            return
        key = f"{self.prefix.key}{file.name}"
        if earlier is not None and self._is_same(earlier, file, hashed) and self._copy(earlier, key):
            with self.lock:
                self.summary.copied += 1
            return
        self._send(file, key, hashed, bool(expected))
        with self.lock:
            self.summary.files += 1
            self.summary.size += file.size
            self.bar.update(file.size)
            if self.bar.disable and time.monotonic() - self.printed >= PROGRESS_SECONDS:
                self.printed = time.monotonic()
                rate = self.summary.size / 1e6 / (self.printed - self.started)
                self.print_line(f"{self.summary} so far, {rate:.1f} MB/s")

    def _send(self, file: LocalFile, key: str, hashed: FileHash, is_checked: bool) -> None:
        """Sends a file. is_checked: whether to raise Failure if its content does not match the hash."""
        extra = {**self.extra, "Metadata": {MD5: hashed.md5}}
        if file.size < PART_BYTES:
            content = file.path.read_bytes()
            digest = hashlib.md5(content, usedforsecurity=False)
            if is_checked and digest.hexdigest() != hashed.md5:
                raise _changed(file)
            checksum = base64.b64encode(digest.digest()).decode()
            self.s3.put_object(Bucket=self.prefix.bucket, Key=key, Body=content, ContentMD5=checksum, **extra)
            return
        self.s3.upload_file(str(file.path), self.prefix.bucket, key, ExtraArgs=extra, Config=self.config)
        if is_checked and LocalFile.from_path(file.name, file.path) != file:
            raise _changed(file)

    def _copy(self, item: S3Object, key: str) -> bool:
        """Copies an object within S3; returns False if that is not possible."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import ClientError

        source = {"Bucket": self.prefix.bucket, "Key": item.key}
        try:
            if item.size < PART_BYTES:
                self.s3.copy_object(Bucket=self.prefix.bucket, Key=key, CopySource=source, **self.extra)
            else:
                self.s3.copy(source, self.prefix.bucket, key, ExtraArgs=self.extra, Config=self.config)
        except (ClientError, Boto3Error):
            return False
        return True

    def _is_same(self, item: S3Object, file: LocalFile, hashed: FileHash) -> bool:
        """Whether an object has the content of a file."""
        return item.size == file.size and (item.etag == hashed.etag or self._has_md5(item, hashed.md5))

    def _has_md5(self, item: S3Object, md5: str) -> bool:
        """Whether an object has this MD5 in its metadata. Needed if the ETag is not comparable: for objects encrypted
        with KMS, or uploaded in parts of another size."""
        head = self.s3.head_object(Bucket=self.prefix.bucket, Key=item.key)
        return bool(head.get("Metadata", {}).get(MD5) == md5)

    def raise_error(self, done: set[Future[None]]) -> None:
        """Raises the first error of the uploads that have ended, with a message for the user."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        for future in done:
            error = future.exception()
            if isinstance(error, (ClientError, BotoCoreError, Boto3Error)):
                if error_code(error) == "NoSuchBucket":
                    raise InputError(f"{self.prefix}: no bucket {self.prefix.bucket}") from None
                raise user_error(error, f"{self.prefix}, after {self.summary}") from error
            if isinstance(error, OSError):
                raise Failure(f"{error.filename}: cannot be read: {error.strerror}") from None
            if error is not None:
                raise error
