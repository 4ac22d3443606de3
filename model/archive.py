"""model.tar.gz, as SageMaker packs and hands on a model's folder, unpacked safely."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from model.faults import InputError
from model.finding import find_model, models_below

ARCHIVE = "model.tar.gz"


@contextmanager
def opened_model(folder: Path) -> Iterator[Path]:
    """The folder of the saved model or ensemble that lies in folder or below it, or in a model.tar.gz there, which is
    unpacked for as long as the block lasts. InputError where there is none, or the archive cannot be trusted."""
    archive = folder if folder.is_file() and folder.name.endswith(".tar.gz") else folder / ARCHIVE
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
        if path.is_absolute() or ".." in path.parts or "\0" in member.name:
            raise InputError(f"{archive}: the path {member.name!r} leaves the folder; nothing is unpacked")
        if not (member.isreg() or member.isdir()):
            raise InputError(f"{archive}: {member.name!r} is a link or a device; nothing is unpacked")
        if member.isreg() and path in seen:
            raise InputError(f"{archive}: {member.name!r} is there twice; nothing is unpacked")
        seen.add(path)
