from pathlib import Path

import pytest

from model.images.decode import UnreadableImage, image_source
from model.images.image_location import ImageLocation


def test_the_file_to_open_is_the_image_or_its_shard():
    assert ImageLocation("a/b.jpg").file == "a/b.jpg"
    assert ImageLocation("a/b.jpg", "shard-00000.tar", 512, 9).file == "shard-00000.tar"


def test_the_source_is_the_file_or_a_byte_range_of_the_shard(tmp_path: Path):
    assert image_source(tmp_path, ImageLocation("a/b.jpg")) == f"{tmp_path}/a/b.jpg"
    assert image_source(tmp_path, ImageLocation("b.jpg", "s.tar", 512, 9)) == (f"{tmp_path}/s.tar", 512, 9)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (ImageLocation(""), "empty image name"),
        (ImageLocation("../b.jpg"), r"path outside the channel: \.\./b\.jpg"),
        (ImageLocation("b.jpg", "../s.tar"), r"path outside the channel: \.\./s\.tar"),
    ],
)
def test_a_location_outside_the_channel_has_no_source(tmp_path: Path, location: ImageLocation, reason: str):
    with pytest.raises(UnreadableImage, match=reason):
        image_source(tmp_path, location)
