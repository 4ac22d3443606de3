"""model.tar.gz, as SageMaker packs and hands on a model's folder, unpacked safely."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from model.artifacts.files import find_model, models_below
from model.atomic_write import write_beside
from model.errors import InputError
from model.paths import leaves_folder

MODEL_ARCHIVE = "model.tar.gz"


@contextmanager
def opened_model(folder: Path) -> Iterator[Path]:
    """The folder of the saved model or ensemble that lies in folder or below it, or in a model.tar.gz there, which is
    unpacked for as long as the block lasts. InputError where there is none, or the archive cannot be trusted."""
    archive = folder if folder.is_file() and folder.name.endswith(".tar.gz") else folder / MODEL_ARCHIVE
    if not archive.is_file() or (folder.is_dir() and models_below(folder)):
        yield find_model(folder)
        return
    with tempfile.TemporaryDirectory(prefix="rarebird-model-") as place:
        unpack(archive, Path(place))
        yield find_model(Path(place))


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a .tar.gz into folder: files and folders alone. InputError, before anything is written, where a path
    leaves the folder, or where there are links, devices or a name twice; and where the archive cannot be read."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = tar.getmembers()
            _check(archive, members)
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


def _check(archive: Path, members: list[tarfile.TarInfo]) -> None:
    seen: set[PurePosixPath] = set()
    for member in members:
        path = PurePosixPath(member.name)
        if leaves_folder(member.name, strict=True):
            raise InputError(f"{archive}: the path {member.name!r} leaves the folder; nothing is unpacked")
        if not (member.isreg() or member.isdir()):
            raise InputError(f"{archive}: {member.name!r} is a link or a device; nothing is unpacked")
        if member.isreg() and path in seen:
            raise InputError(f"{archive}: {member.name!r} is there twice; nothing is unpacked")
        seen.add(path)


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
