"""A folder on this machine that is kept as a prefix in S3 is: what is the same already is not downloaded again."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jobs.storage.s3 import THREADS, S3Uri, download_file, objects_by_name
from model.atomic_write import write_json

INDEX = ".json"  # ending of the file beside the folder: the state of each of its files after its download


def mirror_path(cache: Path, uri: S3Uri) -> Path:
    """The folder in a cache for a prefix or an object, readable and of no other URI."""
    digest = hashlib.blake2b(str(uri).rstrip("/").encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", (uri.key.rstrip("/") or uri.bucket).rsplit("/", 1)[-1]).strip("-.")
    return cache / f"{stem or 'data'}-{digest}"


def mirror_folder(s3: Any, uri: S3Uri, folder: Path) -> tuple[int, int]:
    """Makes the files of a folder the objects below a prefix, or the one object of that key.

    A file whose object has the ETag of its download, and which is unchanged since then, is kept; this also knows files
    whose ETag is no MD5 (encrypted with KMS, or uploaded in parts). Files without an object are removed.

    Args:
        s3: boto3's client.
        uri: Prefix or object.
        folder: The folder, of this URI alone.

    Returns:
        The number of objects, and of those that were downloaded.

    Raises:
        InputError: A key leads out of the folder; nothing is downloaded then.
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
    finally:  # what an interrupted call has downloaded is known to the next
        if folder.is_dir():
            write_json(index_file, {name: entry for name, entry in index.items() if name in objects})
    for path in folder.rglob("*") if folder.is_dir() else []:
        if path.is_file() and path.relative_to(folder).as_posix() not in objects:
            path.unlink()
    return len(objects), len(changed)


def _state(path: Path) -> list[int]:
    """Size and time of change of a file, [] where there is none."""
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
