"""Computes the ETag that S3 assigns to an uploaded file."""

from __future__ import annotations

import hashlib
from pathlib import Path

PART_BYTES = 16 << 20  # files of at least this size are uploaded in parts; their ETag is an MD5 of the parts' MD5
MOST_PARTS = 10_000  # S3's limit
CHUNK_BYTES = 1 << 20  # read at once


def etag_and_md5(path: Path) -> tuple[str, str]:
    """Returns the ETag of a file in S3, uploaded by jobs.storage.upload without KMS, and its MD5, both as hex."""
    size = path.stat().st_size
    content_md5 = hashlib.md5(usedforsecurity=False)
    part_digests: list[bytes] = []
    part_bytes = part_size(size)
    with path.open("rb") as file:
        while True:
            # hash one part, in chunks
            part_md5 = hashlib.md5(usedforsecurity=False)
            left = part_bytes
            while left and (chunk := file.read(min(left, CHUNK_BYTES))):
                content_md5.update(chunk)
                part_md5.update(chunk)
                left -= len(chunk)
            if left == part_bytes and part_digests:  # the file ended with the previous part
                break
            part_digests.append(part_md5.digest())
            if left:
                break
    if size < PART_BYTES:
        return content_md5.hexdigest(), content_md5.hexdigest()
    parts_md5 = hashlib.md5(b"".join(part_digests), usedforsecurity=False)
    return f"{parts_md5.hexdigest()}-{len(part_digests)}", content_md5.hexdigest()


def part_size(size: int) -> int:
    """Returns the part size in bytes that boto3 chooses for a file: PART_BYTES, doubled until MOST_PARTS parts are
    enough."""
    part = PART_BYTES
    while size > part * MOST_PARTS:
        part *= 2
    return part
