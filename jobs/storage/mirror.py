"""Mirrors a prefix in S3 to a local folder: only new and changed objects are downloaded."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jobs.storage.s3 import THREADS, S3Uri, download_file, objects_by_name
from model.atomic_write import write_json

INDEX = ".json"  # suffix of the file next to the folder with the state of each of its files after the download


def mirror_path(cache: Path, uri: S3Uri) -> Path:
    """Returns the folder in a cache for a prefix or an object; its name is readable and unique for the URI."""
    digest = hashlib.blake2b(str(uri).rstrip("/").encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", (uri.key.rstrip("/") or uri.bucket).rsplit("/", 1)[-1]).strip("-.")
    return cache / f"{stem or 'data'}-{digest}"


def mirror_folder(s3: Any, uri: S3Uri, folder: Path) -> tuple[int, int]:
    """Makes a folder identical to the objects below a prefix, or to a single object.

    A file is kept if it is unchanged since its download and its object still has the same ETag. This also works if the
    ETag is not an MD5 (objects encrypted with KMS, or uploaded in parts). Files without an object are removed.

    Args:
        s3: boto3's client.
        uri: Prefix or object.
        folder: A folder that is used for this URI only.

    Returns:
        The number of objects, and the number of those that were downloaded.

    Raises:
        InputError: A key points outside the folder; nothing is downloaded.
    """
    objects = objects_by_name(s3, uri)
    index_file = folder.with_name(folder.name + INDEX)
    index = _read_index(index_file)
    changed = [name for name, item in objects.items() if index.get(name) != [item.etag, *_state(folder / name)]]

    def download(name: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        download_file(s3, S3Uri(uri.bucket, objects[name].key), path)
        index[name] = [objects[name].etag, *_state(path)]

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(download, changed):
                pass
    finally:  # so that the call after an interrupted one keeps its downloads
        if folder.is_dir():
            write_json(index_file, {name: entry for name, entry in index.items() if name in objects})
    for path in folder.rglob("*") if folder.is_dir() else []:
        if path.is_file() and path.relative_to(folder).as_posix() not in objects:
            path.unlink()
    return len(objects), len(changed)


def _state(path: Path) -> list[int]:
    """Returns size and modification time of a file, [] if it does not exist."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns]


def _read_index(path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
