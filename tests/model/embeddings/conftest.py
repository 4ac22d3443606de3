"""A channel of drawn images of two classes, and its checked table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.channel import ChannelOptions, read_channel
from model.data.checked_tables import check_table
from model.data.table import Table
from model.errors import Problems

IMAGES = 10  # in the channel


def draw(path: Path, seed: int) -> None:
    """Writes an image whose content depends on the seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((50, 60)).save(path)


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Class folders a and b with the images 0.png to 9.png; a/4.png is a copy of a/0.png."""
    for number in range(IMAGES):
        draw(tmp_path / "channel" / "ab"[number % 2] / f"{number}.png", number if number != 4 else 0)
    return tmp_path / "channel"


def read_table(channel: Path, is_checked: bool = True) -> Table:
    """The table of the channel; the keys of its contents are known if it is checked."""
    problems = Problems("channel")
    table = read_channel(channel, problems, ChannelOptions())
    assert table is not None and not problems
    return check_table(table, problems, channel.parent / "checked", skip=True) if is_checked else table


def row_of(table: Table, path: str) -> int:
    """The row of an image."""
    return list(table.locations.paths).index(path)
