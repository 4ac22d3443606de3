"""Packs and safely unpacks model.tar.gz, the format in which SageMaker stores models."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from model.artifacts.discovery import find_model, models_below
from model.artifacts.files import EPOCHS
from model.atomic_write import write_beside
from model.errors import InputError
from model.paths import leaves_folder, parse_weighted

MODEL_ARCHIVE = "model.tar.gz"
FASTEST = 1  # of gzip: no level makes weights much smaller


@contextmanager
def opened_model(folder: Path) -> Iterator[Path]:
    """Context manager: the folder of a saved model or ensemble.

    Args:
        folder: The model, a folder with one below it, or a model.tar.gz or a folder that contains one, which is
            unpacked until the block ends.

    Raises:
        InputError: There is no model, or the archive is damaged or unsafe.
    """
    archive = folder if folder.is_file() and folder.name.endswith(".tar.gz") else folder / MODEL_ARCHIVE
    if not archive.is_file() or (folder.is_dir() and models_below(folder)):
        yield find_model(folder)
        return
    with tempfile.TemporaryDirectory(prefix="rarebird-model-") as temporary:
        unpack(archive, Path(temporary))
        yield find_model(Path(temporary))


@contextmanager
def opened_members(texts: Sequence[str]) -> Iterator[list[str]]:
    """Context manager: each PATH[:WEIGHT] with the folder of the model in place of its archive (opened_model)."""
    with ExitStack() as archives:
        members = []
        for text, (path, weight) in zip(texts, parse_weighted(texts)):
            folder = archives.enter_context(opened_model(path))
            members.append(text if folder.is_relative_to(path) else f"{folder}:{weight}")
        yield members


def pack(folder: Path, archive: Path, lead: str = "", wanted: Callable[[str], bool] = lambda _: True) -> None:
    """Writes the files below a folder into an archive (.tar.gz). A link is stored as the file that it points to.

    Args:
        folder: Folder to pack; the paths in the archive are relative to it.
        archive: Path of the archive.
        lead: Prefix of each path, such as `data/`.
        wanted: Whether to pack the file with this relative path.
    """
    with write_beside(archive) as beside, tarfile.open(beside, "w:gz", compresslevel=FASTEST, dereference=True) as tar:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and wanted(name):
                tar.add(path, arcname=f"{lead}{name}", recursive=False)


def without_epochs(name: str) -> bool:
    """Whether a file of a saved model, by its path in the model's folder, is needed to predict: `wanted` of pack. Kept
    epochs, each as large as the model, are not."""
    return EPOCHS not in PurePosixPath(name).parts


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a .tar.gz that contains only regular files and folders.

    Raises:
        InputError: The archive is unreadable; or a path leaves the folder, or a member is a link, a device or a
            duplicate, which is checked before anything is written.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = tar.getmembers()
            _check_members(archive, members)
            for member in members:
                path = folder / member.name
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None
                with source, open(path, "xb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{archive}: cannot be unpacked: {error}") from None


def unpack_as(archive: Path, folder: Path, strip: str = "") -> None:
    """Replaces a folder with the content of an archive. On an error the folder is not changed.

    Args:
        archive: The .tar.gz to unpack.
        folder: Folder to replace.
        strip: Folder inside the archive; if it exists, only its content is unpacked.

    Raises:
        InputError: The archive is unreadable or unsafe, see unpack.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        try:
            _read_whole(archive)
            unpack(archive, temporary)
        except (zlib.error, OSError, EOFError) as error:
            raise InputError(f"{archive}: cannot be unpacked: {error}") from None
        inner = temporary / strip
        content = inner if strip and inner.is_dir() else temporary
        content.chmod(0o755)  # mkdtemp makes it readable only by its owner
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(content, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_members(archive: Path, members: list[tarfile.TarInfo]) -> None:
    seen: set[PurePosixPath] = set()
    for member in members:
        path = PurePosixPath(member.name)
        if leaves_folder(member.name, strict=True):
            raise InputError(f"{archive}: the path {member.name!r} leaves the folder; nothing is unpacked")
        if not (member.isreg() or member.isdir()):
            raise InputError(f"{archive}: {member.name!r} is a link or a device; nothing is unpacked")
        if member.isreg() and path in seen:
            raise InputError(f"{archive}: {member.name!r} is a duplicate; nothing is unpacked")
        seen.add(path)


def _read_whole(archive: Path) -> None:
    """Raises gzip's error for a truncated archive and for a wrong checksum, which tarfile does not read."""
    with gzip.open(archive) as content:
        while content.read(1 << 20):
            pass
