"""Channels for tests. Their images are empty files unless a test decodes them: readers do not open images."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.data.channel import ChannelOptions, read_channel
from model.data.readers.shards import COLUMNS, INDEX
from model.data.table import Table
from model.errors import Problems
from model.labels import Scheme

STEMS = ("incorrect_mask", "mask1", "mask2", "mask3", "mask4", "mask5", "normal")
MIXED = (
    "path,sender,shop,age,kind\n0.jpg,a,x,31,top\n1.jpg,a,y,60 and over,bottom\n2.jpg,b,x,29.5,top\n3.jpg,,x,2,bottom\n"
)
ATTRIBUTES = {"kind": ["top", "bottom"], "age": {"cuts": [30, 60]}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "channel").mkdir()
    return tmp_path / "channel"


def touch(root: Path, *paths: str) -> None:
    """Creates empty files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def write_csv(root: Path, text: str, name: str = "train.csv", encoding: str = "utf-8") -> None:
    (root / name).write_bytes(text.encode(encoding))


def csv_channel(root: Path, text: str, images: int = 4) -> Path:
    """A channel of images 0.jpg, 1.jpg, ... with this train.csv."""
    touch(root, *(f"images/{number}.jpg" for number in range(images)))
    write_csv(root, text)
    return root


def profile(root: Path, name: str, suffix: str = ".jpg") -> None:
    """The seven images of a profile folder."""
    touch(root, *(f"{name}/{stem}{suffix}" for stem in STEMS))


def read(root: Path, scheme: Scheme | None = None, **options: object) -> Table:
    """The table of a channel without problems."""
    problems = Problems("channel")
    table = read_channel(root, problems, ChannelOptions(**options), scheme)  # type: ignore[arg-type]
    assert not problems, str(problems)
    assert table is not None
    return table


def problems_of(root: Path, **options: object) -> dict[str, list[str]]:
    """The problems of a channel, by kind."""
    problems = Problems("channel")
    read_channel(root, problems, ChannelOptions(**options))  # type: ignore[arg-type]
    return problems.kinds


def fill(root: Path, images: int, *folders: str) -> None:
    """Creates this number of empty images 0.jpg, 1.jpg, ... in each folder."""
    touch(root, *(f"{folder}/{number}.jpg" for folder in folders for number in range(images)))


def pack_with_one_index(
    source: Path, target: Path, shards: Sequence[Sequence[str]], others: Sequence[str] = ()
) -> Path:
    """Packs images like version 0.1.0: tar files with images only, and shards.csv with the index of all of them.

    Args:
        source: Folder of the channel.
        target: Folder to create.
        shards: The images of each shard.
        others: Files that are copied.
    """
    target.mkdir()
    for name in others:
        shutil.copy(source / name, target / name)
    rows = [COLUMNS]
    for number, names in enumerate(shards):
        shard = f"shard-{number:05d}.tar"
        with tarfile.open(target / shard, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = (source / name).stat().st_size
                with (source / name).open("rb") as file:
                    tar.addfile(member, file)
        with tarfile.open(target / shard) as tar:
            rows += [[member.name, shard, str(member.offset_data), str(member.size)] for member in tar]
    (target / INDEX).write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
    return target
