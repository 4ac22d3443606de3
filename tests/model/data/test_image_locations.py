import pickle
import pickletools

import numpy as np
import pytest

from model.data.image_locations import ImageLocations
from model.images.image_location import ImageLocation

MIXED = [
    ImageLocation("a.jpg"),
    ImageLocation("착용/b.jpg", "shard-00001.tar", 512, 1 << 40),
    ImageLocation(""),
    ImageLocation("c\udcb1\ud800.png", "shard-00000.tar", 1 << 41, 0),  # a name that is not valid Unicode
    ImageLocation("d.jpg", "shard-00001.tar", 2048, 7),
]


def test_locations_are_returned_by_row_and_in_order():
    locations = ImageLocations(iter(MIXED))
    assert len(locations) == 5 and list(locations) == MIXED
    assert [locations[row] for row in (3, 0)] == [MIXED[3], MIXED[0]]
    assert locations[np.int64(1)] == MIXED[1] and type(locations[1].offset) is int
    for row in (5, -1):
        with pytest.raises(IndexError, match=f"row {row} of 5"):
            locations[row]


def test_columns_are_aligned_with_the_rows():
    locations = ImageLocations(MIXED)
    assert locations.paths == [location.path for location in MIXED]
    assert locations.shards == [location.shard for location in MIXED]
    assert locations.offsets.tolist() == [location.offset for location in MIXED]
    assert locations.sizes.tolist() == [location.size for location in MIXED]
    assert locations.offsets.dtype == locations.sizes.dtype == np.int64


def test_take_selects_rows_in_any_order_with_repetition():
    locations = ImageLocations(MIXED).take([4, 1, 1, 3]).take(np.array([3, 0]))
    assert list(locations) == [MIXED[3], MIXED[4]]
    assert locations.paths == [MIXED[3].path, MIXED[4].path] and locations.shards == [MIXED[3].shard, MIXED[4].shard]
    assert list(ImageLocations(MIXED).take([])) == []


def test_no_locations():
    for empty in (ImageLocations(), ImageLocations([])):
        assert len(empty) == 0 and empty.paths == empty.shards == list(empty) == []


def test_pickles_are_compact_and_contain_no_object_per_image():
    number = 10_000
    pickled = pickle.dumps(ImageLocations(ImageLocation(f"{row:020}", "shard.tar", row, 1) for row in range(number)))
    assert len(pickled) < number * (20 + 40)
    assert sum(1 for _ in pickletools.genops(pickled)) < 300
    assert pickle.loads(pickled)[number - 1] == ImageLocation(f"{number - 1:020}", "shard.tar", number - 1, 1)
