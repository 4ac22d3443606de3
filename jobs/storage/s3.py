"""S3 URIs, listing of objects, and downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.calls import error_code, user_error
from jobs.storage.etag import etag_and_md5
from model.atomic_write import write_beside
from model.errors import InputError, listing
from model.paths import leaves_folder

THREADS = 16


@dataclass(frozen=True)
class S3Uri:
    """s3://BUCKET/KEY. key: "" for the root of the bucket; ends with / for a folder."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> S3Uri:
        """Parses s3://BUCKET/KEY. Raises InputError for any other text."""
        if not text.startswith("s3://") or not text[5:].partition("/")[0]:
            raise InputError(f"{text!r}: expected s3://BUCKET/PREFIX")
        bucket, _, key = text[5:].partition("/")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def folder(self) -> S3Uri:
        """The same URI with / at the end of the key."""
        return self if not self.key or self.key.endswith("/") else S3Uri(self.bucket, f"{self.key}/")


@dataclass(frozen=True)
class S3Object:
    """An object in a listing. size: in bytes; etag: without quotes."""

    key: str
    size: int
    etag: str


def list_objects(s3: Any, prefix: S3Uri) -> Iterator[S3Object]:
    """Yields the objects whose keys begin with the prefix, sorted by the UTF-8 bytes of their keys."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=prefix.key):
            for item in page.get("Contents", []):
                yield S3Object(item["Key"], item["Size"], item["ETag"].strip('"'))
    except (ClientError, BotoCoreError) as error:
        if error_code(error) == "NoSuchBucket":
            raise InputError(f"{prefix}: no bucket {prefix.bucket}") from None
        raise user_error(error, str(prefix)) from error


def object_exists(s3: Any, uri: S3Uri) -> bool:
    """Whether there is an object with exactly this key."""
    return any(item.key == uri.key for item in list_objects(s3, uri))


def download_file(s3: Any, uri: S3Uri, path: Path) -> None:
    """Downloads one object; the file is written completely or not at all. Raises InputError if there is no object."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with write_beside(path) as unfinished:
            s3.download_file(uri.bucket, uri.key, str(unfinished))
    except (ClientError, BotoCoreError, Boto3Error) as error:
        if error_code(error) in ("404", "NoSuchKey", "NoSuchBucket"):
            raise InputError(f"{uri}: no such object") from None
        raise user_error(error, str(uri)) from error


def objects_by_name(s3: Any, uri: S3Uri) -> dict[str, S3Object]:
    """Returns the objects below a prefix by their keys relative to it, or a single object by the last part of its key.

    Raises:
        InputError: A key points outside the prefix, such as ../a.jpg.
    """
    prefix = uri.folder
    items = list(list_objects(s3, prefix))
    if not items and uri.key:
        return {item.key.rsplit("/", 1)[-1]: item for item in list_objects(s3, uri) if item.key == uri.key}
    items_by_name = {item.key.removeprefix(prefix.key): item for item in items if not item.key.endswith("/")}
    outside = [name for name in items_by_name if leaves_folder(name, strict=True)]
    if outside:
        raise InputError(f"{prefix}: keys point outside the folder; nothing was downloaded: {listing(outside)}")
    return items_by_name


def download_folder(s3: Any, uri: S3Uri, folder: Path) -> int:
    """Downloads the objects below a prefix, or a single object.

    A local file with the object's size and ETag is kept. If the object is encrypted with KMS or was uploaded in parts
    of another size, the ETags differ and it is always downloaded.

    Args:
        s3: boto3's client.
        uri: Prefix or object.
        folder: Folder to download to.

    Returns:
        The number of objects.

    Raises:
        InputError: A key points outside the folder; nothing is downloaded.
    """
    items_by_name = objects_by_name(s3, uri)

    def download(name: str) -> None:
        item, path = items_by_name[name], folder / name
        if not (path.is_file() and os.path.getsize(path) == item.size and etag_and_md5(path)[0] == item.etag):
            download_file(s3, S3Uri(uri.bucket, item.key), path)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(download, items_by_name):
            pass
    return len(items_by_name)
