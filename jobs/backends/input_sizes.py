"""Sizes of inputs against what a machine's disk and a request hold, before anything is paid for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.requests.common import LOCAL_DISK, instance_family
from jobs.spec.inputs import Input
from jobs.spec.job import Job
from jobs.storage.local_files import local_files
from jobs.storage.s3 import S3Uri, list_objects
from model.errors import Failure, InputError, listing

GIB, MIB = 1 << 30, 1 << 20
MOST_LISTED = 100_000  # objects of a prefix; the sizes of more are not looked at
MOST_PAYLOAD_MB = 100  # MaxPayloadInMB (boto3, create_transform_job)
DEFAULT_VOLUME_GB = 30  # of a processing job

Sizes = Iterator[tuple[str, int]]  # names and bytes


def check_sizes(job: Job, clients: Clients | None) -> None:
    """Checks that the inputs that SageMaker copies before the start fit on the disk of a machine.

    Of families with a disk of their own --volume_gb is not the size; FastFile copies nothing.

    Args:
        clients: For what is in S3; None does not look at it.

    Raises:
        InputError: They do not fit.
    """
    volume_gb = job.machine.volume_gb or (None if job.is_training else DEFAULT_VOLUME_GB)
    if volume_gb is None or instance_family(job.machine.instance) in LOCAL_DISK:
        return
    sizes: dict[str, float] = {}
    for each in job.inputs:
        if each.mode == "File":
            machines = job.machine.count if each.sharded else 1  # that share its objects
            sizes[each.name] = input_size(each, clients, volume_gb * GIB * machines) / machines
    total = sum(sizes.values())
    if total > volume_gb * GIB:
        parts = listing(f"{name} {size / GIB:,.1f} GB" for name, size in sizes.items() if size)
        fast = ", or --mode FastFile" if job.is_training else ""
        raise InputError(
            f"--volume_gb {volume_gb}: the inputs have at least {total / GIB:,.1f} GB ({parts}): --volume_gb "
            f"{math.ceil(1.2 * total / GIB) + 1}, more for what the job writes{fast}"
        )


def input_size(each: Input, clients: Clients | None, enough: int) -> int:
    """Bytes of an input, as far as they are known; counting ends when there are more than enough."""
    size = 0
    for _, item_size in _sizes(each, clients):
        size += item_size
        if size > enough:
            break
    return size


def check_payload(images: Input, payload_mb: int, clients: Clients | None, suffixes: tuple[str, ...] = ()) -> None:
    """Checks that no image of a batch transform is larger than its request may be.

    Args:
        images: Folder or s3:// prefix.
        payload_mb: MaxPayloadInMB; 0 for no limit.
        clients: For what is in S3; None does not look at it.
        suffixes: Lower-case endings of the files that are sent of a folder.

    Raises:
        InputError: With the images that are larger.
    """
    if not payload_mb:
        return
    large = [(name, size) for name, size in _sizes(images, clients, suffixes) if size > payload_mb * MIB]
    if not large:
        return
    largest = math.ceil(max(size for _, size in large) / MIB)
    remedy = (
        f"--max_payload_mb {largest}"
        if largest <= MOST_PAYLOAD_MB
        else f"a request has at most {MOST_PAYLOAD_MB} MB; python -m jobs inference has no such limit"
    )
    names = listing((f"{name} ({size / MIB:,.1f} MB)" for name, size in large), 5)
    raise InputError(f"--max_payload_mb {payload_mb}: {len(large):,} images are larger: {names}: {remedy}")


def _sizes(each: Input, clients: Clients | None, suffixes: tuple[str, ...] = ()) -> Sizes:
    """Names and sizes of an input's files or objects; those in S3 as far as the credentials allow, and at most
    MOST_LISTED."""
    if each.content is not None:
        yield each.source, len(each.text.encode())
    elif not each.is_remote:
        for file in local_files(Path(each.source), suffixes):
            yield file.name, file.size
    elif clients is not None:
        yield from _sizes_in_s3(S3Uri.parse(each.s3_prefix), clients)


def _sizes_in_s3(uri: S3Uri, clients: Clients) -> Sizes:
    try:
        for item in itertools.islice(list_objects(clients.s3, uri), MOST_LISTED):
            yield item.key.removeprefix(uri.key) or item.key, item.size
    except (InputError, Failure):  # it may not be listed from here, and the job may read it
        return
