"""Checks that inputs fit on the disk of a machine and in a request, before anything is paid for."""

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
MOST_LISTED = 100_000  # objects per prefix whose sizes are read
MOST_PAYLOAD_MB = 100  # largest MaxPayloadInMB (boto3, create_transform_job)
DEFAULT_VOLUME_GB = 30  # disk of a processing job

Sizes = Iterator[tuple[str, int]]  # (name, bytes)


def check_sizes(job: Job, clients: Clients | None) -> None:
    """Checks that the inputs that SageMaker copies before the start fit on the disk of a machine.

    Instance types with a local disk are not checked: --volume_gb is not its size. FastFile inputs are not copied.

    Args:
        job: The job.
        clients: Clients that read the sizes of inputs in S3; None skips those inputs.

    Raises:
        InputError: The inputs do not fit.
    """
    volume_gb = job.machine.volume_gb or (None if job.is_training else DEFAULT_VOLUME_GB)
    if volume_gb is None or instance_family(job.machine.instance) in LOCAL_DISK:
        return
    sizes: dict[str, float] = {}
    for each in job.inputs:
        if each.mode == "File":
            machines = job.machine.count if each.sharded else 1  # over which its objects are divided
            sizes[each.name] = input_size(each, clients, volume_gb * GIB * machines) / machines
    total = sum(sizes.values())
    if total > volume_gb * GIB:
        parts = listing(f"{name} {size / GIB:,.1f} GB" for name, size in sizes.items() if size)
        fast = ", or --mode FastFile" if job.is_training else ""
        raise InputError(
            f"--volume_gb {volume_gb} is too small: the inputs have at least {total / GIB:,.1f} GB ({parts}); use "
            f"--volume_gb {math.ceil(1.2 * total / GIB) + 1} or more{fast}"
        )


def input_size(each: Input, clients: Clients | None, enough: int) -> int:
    """Returns the size of an input in bytes, as far as it is known.

    Args:
        each: The input.
        clients: Clients that read sizes in S3; None counts only local files.
        enough: Counting stops above this number of bytes.
    """
    size = 0
    for _, item_size in _sizes(each, clients):
        size += item_size
        if size > enough:
            break
    return size


def check_payload(images: Input, payload_mb: int, clients: Clients | None, suffixes: tuple[str, ...] = ()) -> None:
    """Checks that no image of a batch transform is too large for a request.

    Args:
        images: Folder or s3:// prefix.
        payload_mb: MaxPayloadInMB; 0 for no limit.
        clients: Clients that read the sizes of images in S3; None skips them.
        suffixes: Lower-case endings of the files that are uploaded from a folder.

    Raises:
        InputError: Images are too large; the message lists them.
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
        else f"python -m jobs inference, which has no limit (a batch transform takes at most {MOST_PAYLOAD_MB} MB)"
    )
    names = listing((f"{name} ({size / MIB:,.1f} MB)" for name, size in large), 5)
    raise InputError(f"--max_payload_mb {payload_mb}: {len(large):,} images are larger: {names}; use {remedy}")


def _sizes(each: Input, clients: Clients | None, suffixes: tuple[str, ...] = ()) -> Sizes:
    """Yields names and sizes of an input's files or objects; in S3 at most MOST_LISTED, and none without permission."""
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
    except (InputError, Failure):  # these credentials may not list the prefix; the job's role may still read it
        return
