"""Parts of an input: their rows, and whether two have the same content."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model.data.image_locations import ImageLocations
from model.data.input_parts import content_digest, divide, share_of
from model.data.prediction_input import PredictionInput
from model.images.image_location import ImageLocation


def in_shards(*shards: str | None) -> ImageLocations:
    return ImageLocations(ImageLocation(f"{row}.jpg", shard) for row, shard in enumerate(shards))


def rows_of(parts) -> dict[str, list[int]]:
    return {part.name: part.rows.tolist() for part in parts}


def test_each_shard_is_a_part_and_images_outside_shards_are_another():
    locations = in_shards("b.tar", None, "a.tar", "b.tar", "no-shard")
    parts = divide(locations, 0, batch=4, hosts=1, processes=1)
    assert rows_of(parts) == {"b.tar": [0, 3], "no-shard-": [1], "a.tar": [2], "no-shard": [4]}


@pytest.mark.parametrize(
    ("shards", "part_size", "hosts", "processes", "starts"),
    [
        ([None] * 10, 0, 1, 1, []),  # in one go
        ([None] * 10, 0, 2, 1, []),  # hosts take every second row
        ([None] * 10, 3, 1, 1, [0, 4, 8]),  # whole batches of 2
        (["a"] * 10, 3, 1, 1, [0, 4, 8]),
        ([None] * 10, 0, 1, 2, [0, 6]),
        (["a"] * 10, 0, 1, 2, [0, 6]),  # fewer shards than processes
        (["a"] * 9 + ["b"], 0, 2, 2, [0, 4, 8]),
        ([], 3, 1, 2, []),
    ],
)
def test_rows_are_divided_if_there_are_too_few_shards(shards, part_size, hosts, processes, starts):
    parts = divide(in_shards(*shards), part_size, 2, hosts, processes)
    assert [part.rows[0] for part in parts] == starts
    assert [part.name for part in parts] == [f"rows-{start:09d}" for start in starts]
    assert sum(len(part.rows) for part in parts) == (len(shards) if starts else 0)


def test_two_hosts_get_alternate_parts_with_their_own_row_numbers():
    parts = divide(in_shards("a", "b", "c", "a", "b", "c"), 0, 1, 2, 1)
    own, rows = share_of(parts, 0, 2)
    assert rows.tolist() == [0, 2, 3, 5] and rows_of(own) == {"a": [0, 2], "c": [1, 3]}
    own, rows = share_of(parts, 3, 4)
    assert own == [] and rows.tolist() == []


def test_the_digest_depends_on_the_rows_and_their_images(tmp_path):
    def digest(values=("x", "y"), names=("a.png", "gone.png"), columns=("ImageID", "note"), draws=None, content=b"1"):
        (tmp_path / "a.png").write_bytes(content)
        rows = pd.DataFrame({columns[0]: list(names), columns[1]: list(values)})
        locations = ImageLocations(map(ImageLocation, names))
        return content_digest(tmp_path, PredictionInput(rows, columns[0], locations), draws)

    others = [
        digest(values=("xy", "")),
        digest(names=("gone.png", "a.png")),
        digest(columns=("ImageID", "notes")),
        digest(draws=np.array([0, 1])),
        digest(draws=np.array([1, 2])),
        digest(content=b"2"),
    ]
    assert len({digest(), *others}) == 7 and digest() == digest()
    (tmp_path / "gone.png").write_bytes(b"3")
    assert digest() not in others


def test_the_digest_depends_on_an_images_bytes_not_on_its_position_in_a_shard(tmp_path):
    def digest(shard: str, content: bytes, offset: int) -> str:
        (tmp_path / shard).write_bytes(content)
        rows = pd.DataFrame({"ImageID": ["a.png"]})
        return content_digest(
            tmp_path, PredictionInput(rows, "ImageID", ImageLocations([ImageLocation("a.png", shard, offset, 3)]))
        )

    assert digest("a.tar", b"abc", 0) == digest("b.tar", b"..abc", 2) != digest("a.tar", b"abx", 0)
