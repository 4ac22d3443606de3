"""The hash of a folder, and the cache of its files' hashes."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from jobs.storage import content
from jobs.storage.content import HashCache, cache_folder, read_content
from jobs.storage.etag import etag_and_md5
from jobs.storage.local_files import local_files
from model.errors import Failure


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Names of the files that were read to hash them."""
    names: list[str] = []
    monkeypatch.setattr(content, "etag_and_md5", lambda path: names.append(path.name) or etag_and_md5(path))
    return names


def test_a_digest_depends_on_names_and_contents_but_not_on_the_path(pictures, tmp_path):
    first = read_content(pictures)
    assert (first.files, first.size, len(first.digest)) == (5, sum(f.size for f in local_files(pictures)), 32)
    shutil.copytree(pictures, tmp_path / "elsewhere" / "other name")
    other = tmp_path / "elsewhere" / "other name"
    assert read_content(other).digest == first.digest
    assert read_content(other, salt="alias/key").digest != first.digest
    assert read_content(other, (".png",)).files == 0
    (other / "a.jpg").rename(other / "c.jpg")
    renamed = read_content(other).digest
    (other / "c.jpg").write_bytes(b"x" * (other / "c.jpg").stat().st_size)
    assert len({first.digest, renamed, read_content(other).digest}) == 3


def test_unchanged_files_are_not_read_again(pictures, read, monkeypatch):
    monkeypatch.setattr(content, "SETTLED", 0)
    monkeypatch.setattr(content, "BATCH", 2)
    before = read_content(pictures).digest
    assert len(read) == 5
    assert read_content(pictures).digest == before and len(read) == 5
    path = pictures / "a" / "1.jpg"
    size, times = path.stat().st_size, (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"y" * size)
    os.utime(path, ns=times)  # like cp -p
    assert read_content(pictures).digest != before and read[5:] == ["1.jpg"]


def test_a_recently_changed_file_is_read_again(pictures, read):
    """Its times may be the same after another change."""
    read_content(pictures)
    read_content(pictures)
    assert len(read) == 10


@pytest.mark.parametrize("damage", ["no folder", "damaged"])
def test_a_damaged_or_unwritable_cache_is_not_an_error(damage, pictures, monkeypatch):
    monkeypatch.setattr(content, "SETTLED", 0)
    digest = read_content(pictures).digest
    (file,) = cache_folder().iterdir()
    if damage == "damaged":
        file.write_bytes(b"no database" * 1000)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", str(pictures / "a.jpg"))
    assert read_content(pictures).digest == digest
    if damage == "damaged":
        assert sqlite3.connect(file).execute("SELECT count(*) FROM files").fetchone() == (5,)


def test_an_unreadable_file_is_an_error_with_its_name(pictures, monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(content, "etag_and_md5", refuse)
    with pytest.raises(Failure, match=r"a-b\.jpg: cannot be read: Permission denied"):
        read_content(pictures)


def test_the_prefix_of_the_last_upload_is_cached_by_root(pictures):
    cache = HashCache(pictures)
    assert cache.earlier_upload("s3://b/data") is None
    cache.uploaded("s3://b/data", "s3://b/data/1/")
    cache.uploaded("s3://b/data", "s3://b/data/2/")
    assert HashCache(pictures).earlier_upload("s3://b/data") == "s3://b/data/2/"
    assert HashCache(pictures).earlier_upload("s3://other/data") is None
