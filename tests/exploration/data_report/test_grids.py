from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from exploration.data_report import grids
from exploration.data_report.grids import class_samples, interleaved, make_sheets, sample_rows, thumbnails_of
from model.data.image_locations import ImageLocations
from model.images.image_location import ImageLocation


def test_samples_have_distinct_groups_first():
    groups = np.array([0, 0, 0, 0, 1, 1, 2, 3, 3, 3])
    for seed in range(20):
        taken = sample_rows(groups, np.arange(10), 7, np.random.default_rng(seed))
        assert sorted(groups[taken[:4]]) == [0, 1, 2, 3] and len(set(groups[taken[4:]])) == 3
        assert len(set(taken)) == 7
    assert len({tuple(sample_rows(groups, np.arange(10), 7, np.random.default_rng(seed))) for seed in range(20)}) > 5


def test_samples_of_a_class_are_images_of_it_in_the_channel(make_table, make_data):
    kinds = ["a", "b", "c", ""] * 30
    table = make_table({"kind": kinds}, [row // 6 for row in range(120)])
    object.__setattr__(table, "sides", np.repeat(np.array(["train", "eval"], dtype=object), [80, 40]))
    data = make_data(table, ["train", "eval"])
    samples = class_samples(data, table.classes(), 8, seed=1)
    assert list(samples) == [0, 1, 2]
    for code, rows in samples.items():
        assert len(rows) == 8 and all(kinds[row] == "abc"[code] and row < 80 for row in rows)
        assert len(set(table.groups[rows])) == 8
    assert class_samples(data, table.classes(), 8, seed=1) == samples != class_samples(data, table.classes(), 8, seed=2)


def test_interleaving_takes_one_of_each_in_turn():
    assert interleaved([[1, 2, 3], [], [4], [5, 6]]) == [1, 4, 5, 2, 6, 3]


@pytest.fixture
def drawn(tmp_path, make_table):
    """A table of 40 images in different colours, of which number 3 is missing."""
    for row in range(40):
        if row != 3:
            Image.new("RGB", (60, 80), (row * 6, 255 - row * 6, 90)).save(tmp_path / f"{row:04}.jpg", quality=95)
    return make_table({"kind": ["a"] * 40}, root=tmp_path)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_thumbnails_end_at_the_limit_and_skip_unreadable_images(drawn):
    made = thumbnails_of(drawn, [5, 3, 5, 1], 10**6, "full")
    assert list(made) == [5, 1] and made[5].width == 60
    assert list(thumbnails_of(drawn, [5, 1], len(made[5].uri), "full")) == [5]
    assert list(thumbnails_of(drawn, [1, 5, 1], len(made[5].uri), "full")) == []  # number 1 is shown twice
    assert thumbnails_of(drawn, [5], 10**6, "none") == {}
    assert max(decoded(thumbnails_of(drawn, [5], 10**6, "blurred")[5].uri).size) == 8


@pytest.mark.parametrize("thumbnails", ["full", "blurred"])
def test_a_sheet_has_each_image_in_its_place(drawn, thumbnails, monkeypatch):
    monkeypatch.setattr(grids, "SHEET_SIDE", 4)  # 16 images per sheet
    rows = list(range(39, -1, -1))
    sheets = make_sheets(drawn, rows, 10**6, thumbnails)
    assert len(sheets.uris) == 3 and sheets.columns == 4 and sheets.side == (8 if thumbnails == "blurred" else 96)
    assert sheets.sizes[36] == (0, 0) and sheets.sizes[0] == ((6, 8) if thumbnails == "blurred" else (60, 80))
    for at, row in enumerate(rows):
        sheet, inside = divmod(at, 16)
        middle = [(inside % 4 + 0.5) * sheets.side, (inside // 4 + 0.5) * sheets.side]
        colour = decoded(sheets.uris[sheet]).convert("RGB").getpixel(tuple(map(int, middle)))
        expected = (128, 128, 128) if row == 3 else (row * 6, 255 - row * 6, 90)
        assert np.abs(np.array(colour) - expected).max() < 30


def test_many_images_have_small_tiles_and_none_has_no_sheet(drawn):
    assert make_sheets(drawn, [0, 1] * 200, 400 * 0.45 * 60**2, "full").side == 56
    assert make_sheets(drawn, [0, 1] * 20, 10, "full").side == 28
    assert make_sheets(drawn, [0, 1], 10**6, "none").uris == [] == make_sheets(drawn, [], 10**6, "full").uris


def test_images_in_shards_have_thumbnails(drawn, tmp_path, make_table):
    content = (tmp_path / "0005.jpg").read_bytes()
    (tmp_path / "shard.tar").write_bytes(b"x" * 100 + content)
    location = ImageLocation("a.jpg", "shard.tar", 100, len(content))
    table = make_table({"kind": ["a"]}, root=tmp_path, locations=ImageLocations([location]))
    assert thumbnails_of(table, [0], 10**6, "full")[0].uri == thumbnails_of(drawn, [5], 10**6, "full")[5].uri
