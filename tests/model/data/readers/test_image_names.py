from __future__ import annotations

import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from model.data.prediction_input import read_info
from model.data.readers.image_names import IMAGE_SUFFIXES
from model.images.decode import read_image
from tests.model.data.conftest import read, touch

FORMATS = {  # by extensions from which Pillow does not take it
    ".mpo": "MPO",
    ".apng": "PNG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".pfm": "PPM",
    ".qoi": "QOI",
    ".j2c": "JPEG2000",
    ".jpf": "JPEG2000",
    ".jpx": "JPEG2000",
    ".dib": "DIB",
}


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_is_read_in_training_and_inference(root: Path, suffix: str) -> None:
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    for name, grey in (("cat", 20), ("dog", 220)):
        (root / name).mkdir()
        mode = {".pbm": "1", ".pfm": "F"}.get(suffix, "L" if suffix == ".pgm" else "RGB")
        image = Image.new("RGB", (32, 16), (grey,) * 3).convert(mode)
        path = root / name / f"0{suffix.upper()}"
        if suffix == ".psd":  # Pillow does not write it: header, three empty sections, planes
            path.write_bytes(
                struct.pack(">4sH6xHIIHHIIIH", b"8BPS", 1, 3, 16, 32, 8, 3, 0, 0, 0, 0) + bytes([grey] * 3 * 16 * 32)
            )
        else:
            image.save(path, FORMATS.get(suffix))
    table, inputs = read(root), read_info(root)
    assert table.scheme.class_names == ["cat", "dog"]
    assert table.locations.paths == inputs.locations.paths == [f"cat/0{suffix.upper()}", f"dog/0{suffix.upper()}"]
    means = [float(np.asarray(read_image(root, location)).mean()) for location in table.locations]
    assert means[0] < 40 and means[1] > 200


def test_pillow_opens_the_format_of_every_suffix() -> None:
    Image.init()
    opens = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    assert set(IMAGE_SUFFIXES) - opens <= {".mpo", ".avif"}  # .mpo: opened as a JPEG


def test_skipped_files_are_counted_by_their_extensions(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "cat/a.jpg", "cat/a.txt", "dog/b.jpg", "dog/b.TXT", "dog/b.xyz", "dog/c", "notes.md")
    with caplog.at_level(logging.WARNING, "rarebird"):
        read(root)
    (message,) = caplog.messages
    assert message.startswith("skipped 5 files without an image extension: .txt 2, ")
    assert all(text in message for text in (".md 1", ".xyz 1", "no extension 1", "cat/a.txt"))
