"""ETags of local files. test_upload.py compares them with S3's."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from jobs.storage import etag
from jobs.storage.etag import MOST_PARTS, PART_BYTES, etag_and_md5, part_size


def md5(content: bytes) -> Any:
    return hashlib.md5(content, usedforsecurity=False)


@pytest.mark.parametrize("size", [0, 1, 63])
def test_the_etag_of_a_small_file_is_its_md5(size, tmp_path, monkeypatch):
    monkeypatch.setattr(etag, "PART_BYTES", 64)
    (tmp_path / "file").write_bytes(bytes(range(size)))
    assert etag_and_md5(tmp_path / "file") == (md5(bytes(range(size))).hexdigest(),) * 2


@pytest.mark.parametrize(("size", "parts"), [(64, 1), (65, 2), (128, 2), (129, 3)])
def test_the_etag_of_a_large_file_is_computed_from_its_parts(size, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(etag, "PART_BYTES", 64)
    monkeypatch.setattr(etag, "CHUNK_BYTES", 10)
    content = bytes(range(256))[:size]
    (tmp_path / "file").write_bytes(content)
    digests = [md5(content[start : start + 64]).digest() for start in range(0, size, 64)]
    expected = f"{md5(b''.join(digests)).hexdigest()}-{parts}"
    assert etag_and_md5(tmp_path / "file") == (expected, md5(content).hexdigest())


def test_parts_are_larger_for_files_with_too_many_parts():
    assert part_size(PART_BYTES * MOST_PARTS) == PART_BYTES
    assert part_size(PART_BYTES * MOST_PARTS + 1) == 2 * PART_BYTES
