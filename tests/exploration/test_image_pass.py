"""A pass over the images of a table: content keys and results by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from exploration.channels import ExploredChannel, read_labelled
from exploration.image_pass import read_images
from model.data.content_index import content_key
from model.data.image_locations import ImageLocations
from model.images.decode import UnreadableImage
from model.images.image_location import ImageLocation


def test_each_row_has_the_key_and_result_of_its_content_or_none(faces: Path, tmp_path: Path) -> None:
    contents = [f"content {row}".encode() for row in range(150)]  # of more than two chunks
    for row, content in enumerate(contents):
        (tmp_path / f"{row}.jpg").write_bytes(content)
    (tmp_path / "3.jpg").unlink()
    locations = ImageLocations(ImageLocation(f"{row}.jpg") for row in range(150))
    table = read_labelled(ExploredChannel(), faces / "train")
    images = replace(table.take([0] * 150), root=tmp_path, locations=locations, contents=None)

    def size(content: bytes) -> str:
        if content == contents[2]:
            raise UnreadableImage("invalid")
        return content.decode()

    rows = np.array([149, 2, 3, *range(4, 149)])
    expected = [None if row in (2, 3) else (content_key(contents[row]), f"content {row}") for row in rows]
    assert list(read_images(images, rows, size, 2, "read")) == expected
