from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from model.data.content_index import (
    COLUMNS,
    END,
    ContentIndex,
    content_hash,
    content_key,
    fingerprints,
    hash_equal_files,
    known_contents,
    read_array,
    with_contents,
    write_array,
)
from model.data.image_locations import ImageLocations
from model.images.image_location import ImageLocation


def empty_index(count: int) -> ContentIndex:
    return ContentIndex(np.zeros((count, 2), np.uint64), np.zeros(count, bool))


def locations_of(root: Path, contents: dict[str, bytes]) -> ImageLocations:
    root.mkdir(exist_ok=True)
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return ImageLocations(map(ImageLocation, contents))


def test_equal_bytes_have_the_same_hash() -> None:
    assert content_hash(b"a") == content_hash(b"a") != content_hash(b"b")
    assert content_key(b"a") == content_hash(b"a")[0] and max(content_hash(b"a")) < 2**64
    assert content_key(b"a") == 0x7F8773936E5EC327  # models of earlier versions have these keys


def test_contents_are_cached_by_path_size_and_time(tmp_path: Path) -> None:
    locations = locations_of(tmp_path / "channel", {"a": b"1", "b": b"22", "c": b"333"})
    keys = fingerprints(tmp_path / "channel", [*locations, ImageLocation("none")], 4)
    assert len(set(keys[:3].tolist())) == 3 and keys[3] == 0
    index = ContentIndex(np.array([[1, 2], [3, 4], [0, 0], [9, 9]], np.uint64), np.array([True, False, False, False]))
    cache = with_contents(np.empty((0, COLUMNS), np.uint64), keys, index, np.arange(4))
    write_array(tmp_path / ".contents", cache)
    remembered = read_array(tmp_path / ".contents", COLUMNS)
    assert len(remembered) == 2 and (np.diff(remembered[:, 0].astype(object)) > 0).all()
    known, is_known = known_contents(remembered, keys)
    assert is_known.tolist() == [True, True, False, False] and known.keys.tolist() == [1, 3, 0, 0]

    os.utime(tmp_path / "channel" / "b", ns=(0, 0))
    (tmp_path / "channel" / "c").write_bytes(b"4444")
    known, is_known = known_contents(remembered, fingerprints(tmp_path / "channel", locations, 3))
    assert is_known.tolist() == [True, False, False]
    assert known.hashes.tolist() == [[1, 2], [0, 0], [0, 0]] and known.is_deep.tolist() == [True, False, False]
    assert not known_contents(np.empty((0, COLUMNS), np.uint64), keys)[1].any()
    # what is read again replaces what was remembered
    changed = ContentIndex(np.array([[7, 8]], np.uint64), np.array([False]))
    again = with_contents(remembered, keys[:1], changed, np.array([0]))
    assert len(again) == 2 and known_contents(again, keys[:1])[0].hashes.tolist() == [[7, 8]]


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 3), np.uint64), np.zeros(4, np.uint64)])
def test_a_cache_of_another_shape_is_ignored(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "cache.npy", array)
    assert read_array(tmp_path / "cache.npy", COLUMNS).shape == (0, COLUMNS)
    assert read_array(None).shape == (0,)


def test_take_keeps_the_pixels_of_the_rows() -> None:
    index = ContentIndex(
        np.arange(6, dtype=np.uint64).reshape(3, 2), np.array([True, False, True]), np.eye(3, dtype=np.float32)
    )
    taken = index.take(np.array([2, 0]))
    assert taken.keys.tolist() == [4, 0] and taken.is_deep.tolist() == [True, True]
    assert taken.pixels is not None and taken.pixels.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_only_files_that_may_be_equal_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long, end = b"x" * 2 * END, b"y" * END
    train = {"a": b"1" + long, "b": b"2" + long, "c": b"3" + end, "alone": b"size", "d": long + b"1", "e": long + b"2"}
    validation = {"same as a": b"1" + long, "as c": b"3" + end}
    channels = [
        (tmp_path / name, locations_of(tmp_path / name, contents), empty_index(len(contents)))
        for name, contents in (("train", train), ("validation", validation))
    ]
    hash_equal_files(channels)
    (_, _, first), (_, _, second) = channels
    assert second.keys.tolist() == [first.keys[0], first.keys[2]] and (second.keys > 0).all()
    assert first.keys[1] not in (0, first.keys[0])  # as long as a, with the same end
    assert first.keys[3:].tolist() == [0, 0, 0]  # another size; other ends
    assert first.hashes[0].tolist() == list(content_hash(train["a"]))


def test_unreadable_images_do_not_prevent_hashing_the_others(tmp_path: Path) -> None:
    """The unreadable images are folders, which have a size but no bytes."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).mkdir()
    contents = locations_of(tmp_path, {"c.jpg": b"same", "d.jpg": b"same"})
    locations = ImageLocations([*map(ImageLocation, ("gone.jpg", "a.jpg", "b.jpg")), *contents])
    index = empty_index(5)
    hash_equal_files([(tmp_path, locations, index)])
    assert index.keys.tolist() == [0, 0, 0, content_key(b"same"), content_key(b"same")]
    assert locations.sizes.tolist() == [-1] * 5  # what is measured does not become the table's


def test_images_in_shards_are_compared_too(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(b"abcabcxyz")
    locations = ImageLocations(ImageLocation(str(at), "shard", at, 3) for at in (0, 3, 6))
    index = empty_index(3)
    hash_equal_files([(tmp_path, locations, index)])
    assert index.keys[0] == index.keys[1] != 0 and index.keys[2] == 0
