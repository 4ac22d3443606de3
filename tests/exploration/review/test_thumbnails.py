"""JPEGs of images: sizes, orientation, shards, links, and what is kept in memory."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exploration.channels import ExploredChannel, read_labelled
from exploration.review import thumbnails
from exploration.review.thumbnails import ReviewImages
from model.data.readers.shards import write_shards
from model.data.table import Table
from model.images.decode import UnreadableImage, read_image

COLOURS = {"a": (200, 30, 30), "b": (30, 200, 30)}


def sideways(colour: tuple[int, int, int]) -> bytes:
    """A photograph of 1600 x 800 pixels that is upright if it is turned; its comment is private."""
    image = Image.new("RGB", (1600, 800), colour)
    image.paste((255, 255, 255), (0, 0, 400, 800))  # left; on top once it is upright
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Jane Doe"
    content = io.BytesIO()
    image.save(content, "JPEG", exif=exif, comment="Jane Doe")
    return content.getvalue()


def channel_of(folder: Path, cache: Path) -> Table:
    return read_labelled(ExploredChannel(cache=str(cache)), folder)


@pytest.fixture
def channel(tmp_path: Path) -> Table:
    for name, colour in COLOURS.items():
        (tmp_path / "channel" / name).mkdir(parents=True)
        (tmp_path / "channel" / name / "1.jpg").write_bytes(sideways(colour))
    return channel_of(tmp_path / "channel", tmp_path / "cache")


def opened(images: ReviewImages, row: int, size: str) -> Image.Image:
    content = images.jpeg(row, size).result()
    assert b"Jane" not in content
    return Image.open(io.BytesIO(content))


def test_images_are_upright_and_small(channel):
    images = ReviewImages(channel)
    for row, colour in enumerate(COLOURS.values()):
        assert images.dimensions(row) == (800, 1600)
        for size, expected in (("thumb", (80, 160)), ("large", (600, 1200))):
            image = opened(images, row, size)
            assert image.size == expected and image.format == "JPEG" and not image.getexif()
            pixels = np.asarray(image).astype(int)
            assert np.abs(pixels[2, 2] - 255).max() < 20 and np.abs(pixels[-3, -3] - colour).max() < 20
            reference = read_image(channel.root, channel.locations[row]).resize(expected)
            assert np.abs(pixels - np.asarray(reference).astype(int)).mean() < 3
    images.close()


def test_images_in_shards_and_small_ones(tmp_path):
    loose = tmp_path / "loose"
    for name, colour in COLOURS.items():
        (loose / name).mkdir(parents=True)
        Image.new("RGBA", (30, 20), (*colour, 255)).save(loose / name / "1.png")
    names = ["a/1.png", "b/1.png"]
    write_shards(loose, tmp_path / "channel", names, lambda name: True, 1 << 20)
    table = channel_of(tmp_path / "channel", tmp_path / "cache")
    assert table.locations.shards == ["shard-00000.tar"] * 2
    images = ReviewImages(table)
    for row, colour in enumerate(COLOURS.values()):
        image = opened(images, row, "large")
        assert image.size == images.dimensions(row) == (30, 20)
        assert np.abs(np.asarray(image).astype(int) - colour).max() < 10
    images.close()


def test_a_link_out_of_the_channel_is_not_followed(channel, tmp_path):
    """The link replaces an image after the channel was read, which refuses such links too."""
    (tmp_path / "secret.jpg").write_bytes((channel.root / "a" / "1.jpg").read_bytes())
    (channel.root / "a" / "1.jpg").unlink()
    (channel.root / "a" / "1.jpg").symlink_to(tmp_path / "secret.jpg")
    (channel.root / "b" / "1.jpg").rename(channel.root / "b" / "inside.jpg")
    (channel.root / "b" / "1.jpg").symlink_to("inside.jpg")
    images = ReviewImages(channel)
    for function in (lambda: images.jpeg(0, "thumb").result(), lambda: images.dimensions(0)):
        with pytest.raises(UnreadableImage, match="leads out of the channel"):
            function()
    assert opened(images, 1, "thumb").size == (80, 160)
    following = ReviewImages(channel, follow_links=True)
    assert opened(following, 0, "thumb").size == (80, 160)
    images.close(), following.close()


def test_a_folder_that_became_a_link_is_not_followed(channel, tmp_path):
    os.rename(channel.root / "a", tmp_path / "channel2")  # its path starts with that of the channel
    (channel.root / "a").symlink_to(tmp_path / "channel2")
    images = ReviewImages(channel)
    with pytest.raises(UnreadableImage, match="leads out of the channel"):
        images.jpeg(0, "thumb").result()
    images.close()


def test_removed_and_broken_images_have_a_reason_and_are_tried_again(channel):
    path = channel.root / "a" / "1.jpg"
    content = path.read_bytes()
    images = ReviewImages(channel)
    path.unlink()
    with pytest.raises(UnreadableImage, match="no such file"):
        images.jpeg(0, "thumb").result()
    path.write_bytes(b"not an image")
    with pytest.raises(UnreadableImage, match="cannot be identified"):
        images.jpeg(0, "thumb").result()
    path.write_bytes(content)
    assert opened(images, 0, "thumb").size == (80, 160)
    images.close()


def test_the_last_used_are_kept_up_to_a_number_of_bytes(channel, monkeypatch):
    decoded = []
    encode = thumbnails.encode

    def counted(image, size):
        decoded.append(size)
        return encode(image, size)

    monkeypatch.setattr(thumbnails, "encode", counted)
    sizes = [len(ReviewImages(channel).jpeg(row, "thumb").result()) for row in range(2)]
    decoded.clear()
    both = ReviewImages(channel, cache_bytes=sum(sizes))
    for row in (0, 1, 0, 1):
        both.jpeg(row, "thumb").result()
    assert len(decoded) == 2
    one = ReviewImages(channel, cache_bytes=sum(sizes) - 1)
    for row in (0, 0, 1, 1, 0):
        one.jpeg(row, "thumb").result()
    assert len(decoded) == 5
    both.close(), one.close()


def test_the_longest_unused_is_dropped_first(channel, monkeypatch):
    decoded = []
    monkeypatch.setattr(thumbnails, "encode", lambda image, size: decoded.append(size) or bytes(10))
    images = ReviewImages(channel, cache_bytes=20)
    for row, size in ((0, "thumb"), (1, "thumb"), (0, "thumb"), (0, "large"), (0, "thumb")):
        images.jpeg(row, size).result()
    assert decoded == ["thumb", "thumb", "large"]
    images.jpeg(1, "thumb").result()
    assert len(decoded) == 4
    images.close()


def test_requests_at_the_same_time_decode_once(channel, monkeypatch):
    decoded = []
    monkeypatch.setattr(thumbnails, "encode", lambda image, size: decoded.append(size) or b"jpeg")
    images = ReviewImages(channel, threads=1)
    futures = [images.jpeg(0, "large") for _ in range(20)]
    assert {future.result() for future in futures} == {b"jpeg"} and len(decoded) == 1
    images.close()
