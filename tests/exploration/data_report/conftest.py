"""Small channels that are drawn, and reports on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from exploration.channels import ExploredChannel
from exploration.data_report.report_data import ReportData
from model.attributes import Attribute
from model.data.content_index import ContentIndex
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.images.image_location import ImageLocation
from model.labels import Scheme


@pytest.fixture(scope="session")
def reading(tmp_path_factory: pytest.TempPathFactory) -> ExploredChannel:
    """Settings of reading a channel, with a cache of their own."""
    return ExploredChannel(cache=str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def faulty(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces: five images of train are copied to eval, and one image of train cannot be read."""
    folder = tmp_path_factory.mktemp("faulty")
    shutil.copytree(faces / "train", folder / "train")
    shutil.copytree(faces / "eval", folder / "eval")
    images = sorted((folder / "train" / "images").glob("*/*"))
    for number, path in enumerate(images[:5]):
        shutil.copy(path, folder / "eval" / "images" / f"copy{number}{path.suffix}")
    info = pd.read_csv(folder / "eval" / "info.csv")
    copies = sorted(path.name for path in (folder / "eval" / "images").glob("copy*"))
    rows = pd.DataFrame({"ImageID": copies, "ans": 0})
    pd.concat([info, rows]).to_csv(folder / "eval" / "info.csv", index=False)
    images[-1].write_bytes(images[-1].read_bytes()[:200])
    return folder


def table_of(labels: dict[str, Sequence[Any]], groups: Sequence[Any] | None = None, **given: Any) -> Table:
    """A table of images that do not exist.

    Args:
        labels: Value of each image by attribute; "" if the label is missing.
        groups: Group of each image; None without groups.
        given: Other fields of the table.
    """
    attributes = [Attribute(name, tuple(dict.fromkeys(filter(None, own)))) for name, own in labels.items()]
    count = len(next(iter(labels.values())))
    paths = [f"{row:04}.jpg" for row in range(count)]
    codes = {
        one.name: [one.values.index(value) if value else -1 for value in own]
        for one, own in zip(attributes, labels.values())
    }
    fields: dict[str, Any] = {
        "root": Path("/nowhere"),
        "scheme": Scheme(tuple(attributes)),
        "locations": ImageLocations(map(ImageLocation, paths)),
        "groups": np.array(paths if groups is None else list(map(str, groups)), dtype=object),
        "grouped_by": "" if groups is None else "person",
        "labels": pd.DataFrame(codes, dtype=np.int64),
        "numbers": pd.DataFrame(index=range(count)),
        "metadata": pd.DataFrame(index=range(count)),
        "source": "made up",
        "contents": ContentIndex(np.arange(1, 2 * count + 1, dtype=np.uint64).reshape(-1, 2), np.zeros(count, bool)),
        "sides": np.full(count, "train", dtype=object),
    }
    return Table(**(fields | given))


def data_of(table: Table, splits: Sequence[str] = ("train",), skipped: Sequence[Any] = ()) -> ReportData:
    """The report's data of a table; rows of the split eval are not in the channel."""
    assert table.sides is not None
    in_channel = np.asarray(table.sides != "eval", dtype=bool)
    return ReportData(table, table.locations.paths, list(splits), in_channel, list(skipped), ["/nowhere"])


@pytest.fixture(scope="session")
def make_table() -> Callable[..., Table]:
    return table_of


@pytest.fixture(scope="session")
def make_data() -> Callable[..., ReportData]:
    return data_of


@pytest.fixture(scope="session")
def draw() -> Callable[..., Path]:
    """Draws a channel with a table of the given columns; the column ImageID has the names."""

    def draw_channel(folder: Path, columns: dict[str, Sequence[Any]], size: tuple[int, int] = (40, 30)) -> Path:
        folder.mkdir(parents=True)
        for number, name in enumerate(columns["ImageID"]):
            generator = np.random.default_rng(number)
            pixels = generator.integers(256, size=(4, 5, 3)).astype(np.uint8)
            image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / name)
        pd.DataFrame(columns).to_csv(folder / "train.csv", index=False)
        return folder

    return draw_channel
