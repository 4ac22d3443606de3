"""Places in S3, and what lies there brought down."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.clients import code_of, explained
from model.atomic_write import write_beside
from model.errors import InputError, listing
from model.paths import leaves_folder

THREADS = 16
PART = 16 << 20  # bytes; larger files go up in parts of this size, of which S3 makes the ETag
MOST_PARTS = 10_000


@dataclass(frozen=True)
class Place:
    """key: "" is the bucket's root; one that ends in / is a prefix of a folder."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def folder(self) -> Place:
        return self if not self.key or self.key.endswith("/") else Place(self.bucket, f"{self.key}/")

    def below(self, name: str) -> Place:
        return Place(self.bucket, f"{self.folder.key}{name}")


@dataclass(frozen=True)
class Found:
    """An object: key, size in bytes, ETag without quotes."""

    key: str
    size: int
    etag: str


def parse(uri: str) -> Place:
    """InputError where it is no s3:// URI."""
    if not uri.startswith("s3://") or not uri[5:].partition("/")[0]:
        raise InputError(f"{uri!r}: expected s3://BUCKET/PREFIX")
    bucket, _, key = uri[5:].partition("/")
    return Place(bucket, key)


def objects(s3: Any, place: Place) -> Iterator[Found]:
    """Those whose keys begin so, in the order of their keys' UTF-8 bytes, a page at a time."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key):
            for item in page.get("Contents", []):
                yield Found(item["Key"], item["Size"], item["ETag"].strip('"'))
    except (ClientError, BotoCoreError) as error:
        if code_of(error) == "NoSuchBucket":
            raise InputError(f"{place}: there is no bucket {place.bucket}") from None
        raise explained(error, str(place)) from error


def exists(s3: Any, place: Place) -> bool:
    return any(found.key == place.key for found in objects(s3, place))


def get_file(s3: Any, place: Place, path: Path) -> None:
    """One object, whole or not at all. InputError where there is none."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with write_beside(path) as beside:
            s3.download_file(place.bucket, place.key, str(beside))
    except (ClientError, BotoCoreError, Boto3Error) as error:
        if code_of(error) in ("404", "NoSuchKey", "NoSuchBucket"):
            raise InputError(f"{place}: there is no such object") from None
        raise explained(error, str(place)) from error


def get_folder(s3: Any, place: Place, folder: Path) -> int:
    """The objects below a prefix as files; those that are there and have the object's ETag stay. Under KMS, and where
    another program sent the object in parts of its own, that cannot be told: it is fetched again. Returns how many
    there are. InputError where a key leads out of the folder; nothing is fetched then."""
    prefix = place.folder
    found = list(objects(s3, prefix))
    if not found and place.key and exists(s3, place):  # an object, no folder
        get_file(s3, place, folder / place.key.rsplit("/", 1)[-1])
        return 1
    names = {item.key.removeprefix(prefix.key): item for item in found if not item.key.endswith("/")}
    bad = [name for name in names if leaves_folder(name, strict=True)]
    if bad:
        raise InputError(f"{prefix}: keys that lead out of a folder; nothing is fetched: {listing(bad)}")

    def get(name: str) -> None:
        path = folder / name
        same = path.is_file() and os.path.getsize(path) == names[name].size and digests(path)[0] == names[name].etag
        if not same:
            get_file(s3, Place(place.bucket, names[name].key), path)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(get, names):
            pass
    return len(names)


def digests(path: Path) -> tuple[str, str]:
    """The ETag that S3 gives a file sent by upload.send_folder, and the MD5 of the whole."""
    whole = hashlib.md5(usedforsecurity=False)
    parts: list[bytes] = []
    length = path.stat().st_size
    size = part_size(length)
    with path.open("rb") as content:
        while True:
            part = hashlib.md5(usedforsecurity=False)
            left = size
            while left and (chunk := content.read(min(left, 1 << 20))):
                whole.update(chunk)
                part.update(chunk)
                left -= len(chunk)
            if left == size and parts:
                break
            parts.append(part.digest())
            if left:
                break
    if length < PART:
        return whole.hexdigest(), whole.hexdigest()
    of_parts = hashlib.md5(b"".join(parts), usedforsecurity=False)
    return f"{of_parts.hexdigest()}-{len(parts)}", whole.hexdigest()


def part_size(size: int) -> int:
    """Of a file of so many bytes, as boto3's transfer chooses it: PART, doubled until 10,000 parts hold the file."""
    part = PART
    while size > part * MOST_PARTS:
        part *= 2
    return part
