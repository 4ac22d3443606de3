"""Decides how the images of an inference reach several machines: each gets a share (ShardedByS3Key), or all images."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.aws.calls import user_error
from jobs.aws.clients import Clients
from jobs.spec.flags import REPLICATED, SHARDED
from jobs.spec.inputs import Input
from jobs.spec.job import PARTS, Job
from jobs.storage.s3 import S3Uri, list_objects
from model.data.readers.shards import INNER_INDEX, SHARD_SUFFIX, read_inner_index
from model.errors import InputError, listing

TABLES = (".csv", ".tsv")  # endings of tables that name images
TABLE_SETTING = "table"


def distributed(job: Job, distribution: str, clients: Clients | None) -> Job:
    """Returns the job with its images divided among its machines, if possible.

    Images can be divided if no table names them and each shard has its own index. Otherwise every machine gets all
    images, and the machines divide the rows of the table among them.

    Args:
        job: Any job; it is returned unchanged if it is not an inference or has only one machine.
        distribution: The flag --distribution.
        clients: Clients that list the images in S3; None if S3 must not be used, as in a dry run.

    Raises:
        InputError: --distribution sharded is set, but the images cannot be divided.
    """
    images = next((each for each in job.inputs if each.name == job.type.data), None)
    if job.is_training or images is None or job.machine.count == 1 or distribution == REPLICATED:
        return job
    if images.is_remote and clients is None:
        if distribution != SHARDED:
            print(
                f"a dry run does not list {images.source}, and so sends all images to each machine; without --dry_run, "
                f"or with --distribution {SHARDED}, each machine gets a share unless a table names images",
                file=sys.stderr,
            )
        obstacle = None if distribution == SHARDED else "not listed in a dry run"
    else:
        obstacle = _obstacle(images, clients.s3 if clients and images.is_remote else None)
    if TABLE_SETTING in job.settings:
        obstacle = f"--{TABLE_SETTING} {job.settings[TABLE_SETTING]} names images that would be on other machines"
    if obstacle is None:
        return replace(job, inputs=tuple(replace(each, sharded=each is images) for each in job.inputs))
    if distribution == SHARDED:
        raise InputError(f"--distribution {SHARDED}: {images.source}: {obstacle}; use --distribution {REPLICATED}")
    return job


def require_parts(job: Job, clients: Clients) -> None:
    """Raises InputError if the job resumes one without finished parts in S3: SageMaker fails on an empty input."""
    for each in job.inputs:
        if each.name != PARTS or not each.is_remote:
            continue
        if next(list_objects(clients.s3, S3Uri.parse(each.source).folder), None) is None:
            raise InputError(f"{each.source}: contains no finished part to resume from; remove --resume_from")


def _obstacle(images: Input, s3: Any) -> str | None:
    """Returns the reason why images cannot be divided, None if they can."""
    names = list(_names_in_s3(s3, S3Uri.parse(images.source).folder) if images.is_remote else _names(images.source))
    tables = sorted(name for name in names if name.lower().endswith(TABLES))
    if tables:
        return f"{listing(tables, 3)} names images that would be on other machines, or is an index of all shards"
    tar_files = [name for name in names if name.endswith(SHARD_SUFFIX)]
    without_index = [name for name in sorted(tar_files)[:1] if not _has_index(images, name, s3)]
    if without_index:
        return f"{without_index[0]} contains no index: pack the images again with python -m jobs shards"
    return None


def _names(folder: str) -> Iterable[str]:
    path = Path(folder)
    return (entry.name for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path.name]


def _names_in_s3(s3: Any, prefix: S3Uri) -> Iterator[str]:
    """Yields the names of the objects directly below a prefix."""
    from botocore.exceptions import BotoCoreError, ClientError

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=prefix.key, Delimiter="/")
    try:
        for page in pages:
            yield from (item["Key"].removeprefix(prefix.key) for item in page.get("Contents", []))
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, str(prefix)) from error


def _has_index(images: Input, name: str, s3: Any) -> bool:
    """Whether a tar file starts with an index of its images."""
    if not images.is_remote:
        return read_inner_index(Path(images.source) / name) is not None
    prefix = S3Uri.parse(images.source).folder
    # a tar file starts with the name of its first member, zero-padded to 100 bytes (POSIX pax, ustar header block)
    first_name = s3.get_object(Bucket=prefix.bucket, Key=f"{prefix.key}{name}", Range="bytes=0-99")["Body"].read()
    return bool(first_name.rstrip(b"\0") == INNER_INDEX.encode("ascii"))
