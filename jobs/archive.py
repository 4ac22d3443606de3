"""Archives packed and unpacked. Nothing that is unpacked leaves its folder, and it is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from model.settings import InputError, Problems
from model.writing import write_beside

FASTEST = 1  # of gzip: weights hardly get smaller
NOT_TAKEN = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


def pack(folder: Path, archive: Path, lead: str = "", wanted: Callable[[str], bool] = lambda _: True) -> None:
    """The files below a folder as archive (.tar.gz), each by its path in the folder, below lead. Links are packed as
    what they lead to."""
    with write_beside(archive) as beside, tarfile.open(beside, "w:gz", compresslevel=FASTEST, dereference=True) as tar:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and wanted(name):
                tar.add(path, arcname=f"{lead}{name}", recursive=False)


def unpack(archive: Path, folder: Path, strip: str = "") -> None:
    """An archive's files into folder, which is replaced. strip: a folder in the archive whose content is meant, where
    there is such a one.

    InputError where a member leaves the folder, is a link, a device or a pipe, or where the archive is damaged; nothing
    is unpacked then.
    """
    problems = Problems(f"archive {archive}: nothing is unpacked")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        try:
            with tarfile.open(archive, "r:*") as tar:
                for member in tar:
                    fault = _fault(member)
                    if fault:
                        problems.add(fault, member.name)
                    elif not problems:
                        _take(tar, member, made)
        except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
            raise InputError(f"archive {archive} cannot be read: {error}") from error
        problems.raise_if_any()
        inner = made / strip
        kept = inner if strip and inner.is_dir() else made
        kept.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(kept, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def leaves(name: str) -> bool:
    """Whether a path is absolute or leads above the folder that it starts from."""
    return not name or name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts


def _fault(member: tarfile.TarInfo) -> str | None:
    if leaves(member.name):
        return "path out of the folder"
    if member.isdir() or member.isreg():
        return None
    return NOT_TAKEN.get(member.type, f"of type {member.type!r}")


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = folder / member.name
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
    os.utime(path, (member.mtime, member.mtime))
