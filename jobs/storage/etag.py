"""The ETag that S3 gives an uploaded file, computed from the local file."""

from __future__ import annotations

import hashlib
from pathlib import Path

PART_BYTES = 16 << 20  # files from this size on are uploaded in parts of it, and their ETag is made of the parts' MD5
MOST_PARTS = 10_000
CHUNK_BYTES = 1 << 20  # read at once


def etag_and_md5(path: Path) -> tuple[str, str]:
    """The ETag of a file that jobs.storage.upload sends without KMS, and the MD5 of its whole content, both as hex."""
    size = path.stat().st_size
    content_md5 = hashlib.md5(usedforsecurity=False)
    part_digests: list[bytes] = []
    part_bytes = part_size(size)
    with path.open("rb") as file:
        while True:
            part_md5 = hashlib.md5(usedforsecurity=False)
            left = part_bytes
            while left and (chunk := file.read(min(left, CHUNK_BYTES))):
                content_md5.update(chunk)
                part_md5.update(chunk)
                left -= len(chunk)
            if left == part_bytes and part_digests:  # the file ended with the part before
                break
            part_digests.append(part_md5.digest())
            if left:
                break
    if size < PART_BYTES:
        return content_md5.hexdigest(), content_md5.hexdigest()
    parts_md5 = hashlib.md5(b"".join(part_digests), usedforsecurity=False)
    return f"{parts_md5.hexdigest()}-{len(part_digests)}", content_md5.hexdigest()


def part_size(size: int) -> int:
    """Bytes of the parts of a file of this size, as boto3's transfer chooses them: PART_BYTES, doubled until MOST_PARTS
    parts hold the file."""
    part = PART_BYTES
    while size > part * MOST_PARTS:
        part *= 2
    return part
