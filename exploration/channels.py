"""What the commands that look at a channel share: its settings, reading and checking it, and the folder of caches.

pandas and PIL are imported when a channel is read, so that --help is fast.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import InputError, Problems, nearest_path, raise_all
from model.settings.channel import ReadingSettings
from model.settings.embedder import EmbedderSettings
from model.settings.fields import differences, setting

if TYPE_CHECKING:
    from model.data.table import Table
    from model.embeddings.embed import Embeddings
    from model.labels import Scheme


@dataclass(frozen=True)
class ExploredChannel(ReadingSettings):
    """Base of the settings of commands that read a labelled channel."""

    num_classes: int = setting(
        0, "Number of classes if labels are whole numbers; 0: the classes are the numbers that occur", low=0
    )
    max_pixels: int = setting(
        0,
        "Maximum number of pixels of an image; a larger image counts as unreadable. 0 means 178,956,970",
        unit="pixels",
        low=0,
    )
    cache: str | None = setting(
        None, "Folder of caches: checked images and embeddings", unset="~/.cache/rarebird", placeholder="DIR"
    )


@dataclass(frozen=True)
class EmbeddedChannel(EmbedderSettings, ExploredChannel):
    """Base of the settings of commands that use the features of images."""

    batch_size: int = setting(0, "Images per forward pass", unset="16 on a CPU, 128 on a GPU", low=0)
    num_workers: int = setting(
        -1,
        "Number of threads, on a GPU of processes, that read images; -1: chosen by the number of CPU cores",
        low=-1,
        high=256,
    )

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        yield from self.reading_contradictions()
        yield from self.embedder_contradictions()


def cache_folder(settings: ExploredChannel) -> Path:
    """The folder of caches: the setting, otherwise rarebird in XDG_CACHE_HOME, otherwise ~/.cache/rarebird."""
    if settings.cache:
        return Path(settings.cache)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "rarebird"


def next_command(
    words: Sequence[str], settings: ExploredChannel, shared: type[ReadingSettings] = ReadingSettings
) -> str:
    """The line that names the command to run next, which reads the channel with the same settings.

    Args:
        words: Subcommand, channel, and flags of its own.
        settings: How the channel was read.
        shared: The settings that the next command has, too.
    """
    command = ["python", "-m", "exploration", *words]
    names = {field.name for field in fields(shared)}
    for name, value in differences(settings).items():
        if name in names:
            command += [f"--{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
    return f"next: {shlex.join(command)}"


def read_labelled(settings: ExploredChannel, channel: Path, scheme: Scheme | None = None) -> Table:
    """Reads a labelled channel of any layout and checks its images. Unreadable images are skipped.

    Args:
        settings: How the channel is read.
        channel: Folder of the channel.
        scheme: Label scheme of another channel to read this one by; None to derive it.

    Returns:
        The readable images with the keys of their contents; `skipped` lists the unreadable ones.

    Raises:
        InputError: The channel is missing, or has invalid labels; lists all problems.
    """
    from model.data.channel import ChannelOptions, read_channel
    from model.data.checked_tables import check_table
    from model.data.correction_files import check_corrections
    from model.images.decode import allow_pixels

    require_folder(channel)
    allow_pixels(settings.max_pixels)
    problems = Problems(str(channel))
    table = read_channel(channel, problems, ChannelOptions.from_settings(settings), scheme)
    if table is not None:
        check_corrections([table], problems)
        table = check_table(table, problems, cache_folder(settings) / "checked", skip=True)
    raise_all([problems])
    assert table is not None  # otherwise there is a problem
    return table


def embeddings_of(settings: EmbeddedChannel, table: Table) -> Embeddings:
    """The features of a table's images: from the cache, or computed and added to it (model.embeddings.embed).

    Args:
        settings: What computes them, and the folder of caches.
        table: The images, as read_labelled returns them.

    Raises:
        InputError: The model or its weights cannot be loaded; the message says what to do.
        Failure: The cache cannot be written.
    """
    from model.embeddings.embed import embed_table

    return embed_table(table, settings, cache_folder(settings), settings.batch_size, settings.num_workers)


def require_folder(folder: Path) -> None:
    """InputError with the nearest name if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder{nearest_path(folder)}")


def require_writable(name: str, file: str) -> None:
    """Checks that a file can be written, before what it will contain is computed. Creates its folder.

    Args:
        name: The setting, for messages.
        file: The file.

    Raises:
        InputError: It is a folder, or its folder cannot be written.
    """
    if Path(file).is_dir():
        raise InputError(f"{name} {file}: is a folder; expected the name of a file")
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=Path(file).parent).close()
    except OSError as error:
        raise InputError(f"{name} {file}: cannot be written: {error.strerror}") from None
