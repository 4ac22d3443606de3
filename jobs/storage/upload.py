"""A folder to S3: in parallel, only what is not there yet, with bounded memory, so that a second call goes on where the
first was stopped."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.clients import code_of, explained
from jobs.storage.s3 import PART, Found, Place, digests, objects
from model.errors import Failure, InputError, listing
from model.runtime.terminal import progress_bar

THREADS = 16
WAITING = 4 * THREADS  # files looked at or under way at once
PROGRESS_SECONDS = 10.0
MD5 = "md5"  # of an object's metadata: where the bucket encrypts with KMS, the ETag is none
BATCH = 1000  # objects that one call removes at most

Tell = Callable[[str], None]


@dataclass
class Sent:
    """Files and bytes that went up, files that lay there already, objects removed."""

    files: int = 0
    size: int = 0
    same: int = 0
    removed: int = 0

    def __str__(self) -> str:
        removed = f", {self.removed:,} removed" if self.removed else ""
        return f"{self.files:,} files sent ({self.size / 1e6:,.1f} MB), {self.same:,} there already{removed}"


@dataclass(frozen=True)
class Local:
    """A file of the folder: its key below the prefix, path, size in bytes."""

    name: str
    path: Path
    size: int


def local_files(source: Path) -> Iterator[Local]:
    """The files below a folder, or the one file, in the order in which S3 lists their keys; names that begin with a dot
    are left out, as channels leave them out. Links are followed, as they are in a channel on the disk."""
    if source.is_file():
        yield Local(source.name, source, source.stat().st_size)
        return
    yield from _below(source, "")


def _below(folder: Path, lead: str) -> Iterator[Local]:
    found: list[tuple[bytes, os.DirEntry[str]]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                name = entry.name + ("/" if entry.is_dir() else "")
                found.append((name.encode("utf-8", "surrogateescape"), entry))
    for key, entry in sorted(found, key=lambda pair: pair[0]):
        if key.endswith(b"/"):
            yield from _below(Path(entry.path), f"{lead}{entry.name}/")
        elif entry.is_file():
            yield Local(f"{lead}{entry.name}", Path(entry.path), entry.stat().st_size)


def changes(
    source: Path, there: Iterator[Found], prefix: str, suffixes: tuple[str, ...] = ()
) -> Iterator[tuple[Local | None, Found | None]]:
    """Files (of these suffixes, () all) and objects side by side, merged in the order of their names; None where one
    has no other."""
    here = (file for file in local_files(source) if not suffixes or file.name.lower().endswith(suffixes))
    file, item = next(here, None), next(there, None)
    while file is not None or item is not None:
        ours = file.name.encode("utf-8", "surrogateescape") if file else None
        theirs = item.key.removeprefix(prefix).encode() if item else None
        if theirs is None or (ours is not None and ours < theirs):
            yield file, None
            file = next(here, None)
        elif ours is None or theirs < ours:
            yield None, item
            item = next(there, None)
        else:
            yield file, item
            file, item = next(here, None), next(there, None)


def send_folder(
    s3: Any,
    source: Path,
    place: Place,
    *,
    delete: bool = False,
    kms_key: str | None = None,
    suffixes: tuple[str, ...] = (),
    tell: Tell = print,
) -> Sent:
    """Makes the objects below a prefix those of a folder (or of one file).

    delete: remove objects that the folder does not have; without it, they are an InputError, for a job would read them.
    suffixes: of the files that are sent, in small letters; () all.
    Failure tells the files that could not be sent, or the objects that could not be removed; the same call goes on with
    the rest.
    """
    prefix = place.folder
    sender = _Sender(s3, prefix, kms_key, tell)
    extra: list[str] = []
    under_way: set[Future[None]] = set()
    with sender.bar, ThreadPoolExecutor(THREADS, thread_name_prefix="send") as pool:
        try:
            for file, item in changes(source, objects(s3, prefix), prefix.key, suffixes):
                if file is None:
                    assert item is not None
                    if not item.key.endswith("/"):
                        extra.append(item.key)
                    continue
                under_way.add(pool.submit(sender.send, file, item))
                if len(under_way) >= WAITING:
                    done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    sender.raise_fault(done)
            sender.raise_fault(wait(under_way).done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not sender.sent.files and not sender.sent.same:
        raise InputError(f"{source}: there is nothing in it to send")
    if extra and not delete:
        names = listing([key.removeprefix(prefix.key) for key in extra], 5)
        raise InputError(f"{prefix}: {len(extra):,} objects are not in {source}: {names}; --delete removes them there")
    remove(s3, prefix, extra)
    sender.sent.removed = len(extra)
    return sender.sent


def remove(s3: Any, prefix: Place, keys: Sequence[str]) -> None:
    """Removes objects. Failure tells all that could not be."""
    from botocore.exceptions import BotoCoreError, ClientError

    faults: list[str] = []
    try:
        for first in range(0, len(keys), BATCH):
            batch = [{"Key": key} for key in keys[first : first + BATCH]]
            answer = s3.delete_objects(Bucket=prefix.bucket, Delete={"Objects": batch, "Quiet": True})
            faults += [
                f"{error.get('Key', '').removeprefix(prefix.key)} ({error.get('Code')}: {error.get('Message')})"
                for error in answer.get("Errors", [])
            ]
    except (ClientError, BotoCoreError) as error:
        raise explained(error, f"{prefix}: what is not in the folder cannot be removed") from error
    if faults:
        raise Failure(f"{prefix}: {len(faults):,} of {len(keys):,} objects could not be removed: {listing(faults, 5)}")


class _Sender:
    def __init__(self, s3: Any, prefix: Place, kms_key: str | None, tell: Tell):
        from boto3.s3.transfer import TransferConfig

        self.s3, self.prefix, self.tell = s3, prefix, tell
        self.extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        self.config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
        self.sent = Sent()
        self.lock = threading.Lock()
        self.started = self.told = time.monotonic()
        self.bar = progress_bar("sent", unit="B")

    def send(self, file: Local, item: Found | None) -> None:
        etag, md5 = digests(file.path)
        if item is not None and item.size == file.size and (item.etag == etag or self._has(item, md5)):
            with self.lock:
                self.sent.same += 1
            return
        key = f"{self.prefix.key}{file.name}"
        extra = {**self.extra, "Metadata": {MD5: md5}}
        if file.size < PART:
            content = file.path.read_bytes()
            check = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
            self.s3.put_object(Bucket=self.prefix.bucket, Key=key, Body=content, ContentMD5=check, **extra)
        else:
            self.s3.upload_file(str(file.path), self.prefix.bucket, key, ExtraArgs=extra, Config=self.config)
        with self.lock:
            self.sent.files += 1
            self.sent.size += file.size
            self.bar.update(file.size)
            if self.bar.disable and time.monotonic() - self.told >= PROGRESS_SECONDS:
                self.told = time.monotonic()
                rate = self.sent.size / 1e6 / (self.told - self.started)
                self.tell(f"{self.sent} so far, {rate:.1f} MB/s")

    def _has(self, item: Found, md5: str) -> bool:
        """Whether an object of the same size whose ETag is no MD5 (encrypted with KMS, or sent in other parts) holds
        the same, by what was noted when it was sent."""
        head = self.s3.head_object(Bucket=self.prefix.bucket, Key=item.key)
        return bool(head.get("Metadata", {}).get(MD5) == md5)

    def raise_fault(self, done: set[Future[None]]) -> None:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        for future in done:
            error = future.exception()
            if isinstance(error, (ClientError, BotoCoreError, Boto3Error)):
                if code_of(error) == "NoSuchBucket":
                    raise InputError(f"{self.prefix}: there is no bucket {self.prefix.bucket}") from None
                raise explained(error, f"{self.prefix}, after {self.sent}") from error
            if isinstance(error, OSError):
                raise Failure(f"{error.filename}: cannot be read: {error.strerror}") from None
            if error is not None:
                raise error
