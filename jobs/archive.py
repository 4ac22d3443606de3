"""Archives packed, and unpacked into a folder that is there whole or not at all."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from model.archive import unpack
from model.settings import InputError
from model.writing import write_beside

FASTEST = 1  # of gzip: weights hardly get smaller


def pack(folder: Path, archive: Path, lead: str = "", wanted: Callable[[str], bool] = lambda _: True) -> None:
    """The files below a folder as archive (.tar.gz), each by its path in the folder, below lead. Links are packed as
    what they lead to."""
    with write_beside(archive) as beside, tarfile.open(beside, "w:gz", compresslevel=FASTEST, dereference=True) as tar:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and wanted(name):
                tar.add(path, arcname=f"{lead}{name}", recursive=False)


def unpack_as(archive: Path, folder: Path, strip: str = "") -> None:
    """An archive's files as folder, which is replaced. strip: a folder in the archive whose content is meant, where
    there is one. InputError where the archive cannot be trusted or read; nothing is changed then."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        try:
            _read_whole(archive)
            unpack(archive, made)
        except (zlib.error, OSError, EOFError) as error:
            raise InputError(f"{archive}: cannot be unpacked: {error}") from None
        inner = made / strip
        kept = inner if strip and inner.is_dir() else made
        kept.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(kept, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _read_whole(archive: Path) -> None:
    """Raises what gzip does where the archive is cut or its checksum does not hold; tarfile stops reading before it."""
    with gzip.open(archive) as content:
        while content.read(1 << 20):
            pass


def leaves(name: str) -> bool:
    """Whether a path is absolute or leads above the folder that it starts from."""
    return not name or name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts
