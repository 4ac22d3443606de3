from __future__ import annotations

import io
import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import model.data.integrity
from model.attributes import Attribute
from model.data.content_index import content_key
from model.data.image_locations import ImageLocations
from model.data.integrity import check_images
from model.data.table import Table
from model.errors import Problems
from model.images.decode import read_source
from model.images.image_location import ImageLocation
from model.labels import Scheme
from model.runtime.division import Team, shared_by


def jpeg(seed: int = 0) -> bytes:
    content = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (32, 24, 3), np.uint8)
    Image.fromarray(noise).save(content, "JPEG")
    return content.getvalue()


def make_table(root: Path, paths: Sequence[str | ImageLocation], set_aside: Sequence[str] = ()) -> Table:
    """A table of images; images that are paths are separate files."""
    locations = [ImageLocation(path) if isinstance(path, str) else path for path in paths]
    count = len(paths)
    return Table(
        root=root,
        scheme=Scheme((Attribute("label", ("a", "b")),)),
        locations=ImageLocations(locations),
        groups=np.array([location.path for location in locations], dtype=object),
        grouped_by="",
        labels=pd.DataFrame({"label": np.zeros(count, np.int64)}),
        numbers=pd.DataFrame(index=range(count)),
        metadata=pd.DataFrame(index=range(count)),
        source="test",
        set_aside=ImageLocations(map(ImageLocation, set_aside)),
    )


@pytest.fixture
def channel(tmp_path: Path) -> Table:
    """150 valid images and every kind of unreadable image."""
    paths = [f"{number:03}.jpg" for number in range(150)]
    for number, path in enumerate(paths):
        (tmp_path / path).write_bytes(jpeg(number))
    (tmp_path / "cut.jpg").write_bytes(jpeg()[:-200])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no image")
    return make_table(tmp_path, ["text.jpg", *paths, "cut.jpg", "absent.jpg"], ("empty.jpg",))


DECODED = {
    "unreadable image, cannot be identified as an image": ["text.jpg"],
    "unreadable image, truncated": ["cut.jpg: image file is truncated"],
    "unreadable image, no such file": ["absent.jpg"],
    "unreadable image, empty file": ["empty.jpg"],
}


def without_details(problems: Problems) -> dict[str, list[str]]:
    return {kind: [location.partition(" (")[0] for location in locations] for kind, locations in problems.kinds.items()}


@pytest.mark.parametrize("workers", [1, 3])
def test_every_image_is_decoded(channel: Table, workers: int) -> None:
    problems = Problems("x")
    assert check_images(channel, problems, "decode", None, workers).read == 154
    assert without_details(problems) == DECODED


def test_checking_headers_does_not_detect_truncated_images(channel: Table) -> None:
    problems = Problems("x")
    assert check_images(channel, problems, "headers", None, 2).read == 154
    assert without_details(problems) == {
        kind: locations for kind, locations in DECODED.items() if "truncated" not in kind
    }


def test_images_in_the_cache_are_not_decoded_again(channel: Table, tmp_path: Path) -> None:
    remembered = tmp_path / "checkpoints" / ".checked"
    assert check_images(channel, Problems("x"), "decode", remembered, 2).read == 154
    known = np.load(remembered)
    assert (known.dtype, len(known)) == (np.uint64, 150)
    assert (np.diff(known.astype(object)) > 0).all()
    assert sorted(path.name for path in remembered.parent.iterdir()) == [".checked", ".contents"]

    problems = Problems("x")
    assert check_images(channel, problems, "decode", remembered, 2).read == 4
    assert without_details(problems) == DECODED
    assert check_images(channel, Problems("x"), "headers", remembered, 2).read == 4

    (channel.root / "007.jpg").write_bytes(jpeg()[:-200])  # another size
    stat = (channel.root / "008.jpg").stat()
    os.utime(channel.root / "008.jpg", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    problems = Problems("x")
    assert check_images(channel, problems, "decode", remembered, 2).read == 6
    assert without_details(problems)["unreadable image, truncated"] == [
        f"{name}.jpg: image file is truncated" for name in ("007", "cut")
    ]
    assert check_images(channel, Problems("x"), "decode", remembered, 2).read == 5


def test_the_cache_can_be_used_without_being_written(channel: Table, tmp_path: Path) -> None:
    remembered = tmp_path / "checkpoints" / ".checked"
    assert check_images(channel, Problems("x"), "decode", remembered, 2, remember=False).read == 154
    assert not remembered.parent.exists()
    check_images(channel, Problems("x"), "decode", remembered, 2)
    assert check_images(channel, Problems("x"), "decode", remembered, 2, remember=False).read == 4


def test_a_check_of_headers_is_not_cached(channel: Table, tmp_path: Path) -> None:
    check_images(channel, Problems("x"), "headers", tmp_path / ".checked", 2)
    assert not (tmp_path / ".checked").exists()


def test_two_channels_share_one_cache(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(jpeg())
    tables = [make_table(tmp_path / name, ["a.jpg"]) for name in ("train", "validation")]
    assert [check_images(t, Problems("x"), "decode", tmp_path / ".checked", 1).read for t in tables] == [1, 1]
    assert [check_images(t, Problems("x"), "decode", tmp_path / ".checked", 1).read for t in tables] == [0, 0]


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"PK\x03\x04 no zip", bytes(range(192, 256))]
)
def test_a_damaged_cache_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / ".checked").write_bytes(content)
    table = make_table(tmp_path, ["a.jpg"])
    assert check_images(table, Problems("x"), "decode", tmp_path / ".checked", 1).read == 1
    assert check_images(table, Problems("x"), "decode", tmp_path / ".checked", 1).read == 0


def test_a_cache_with_another_shape_or_type_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with (tmp_path / ".checked").open("wb") as file:
        np.save(file, np.zeros((2, 2)))
    table = make_table(tmp_path, ["a.jpg"])
    assert check_images(table, Problems("x"), "decode", tmp_path / ".checked", 1).read == 1
    assert check_images(table, Problems("x"), "decode", tmp_path / ".checked", 1).read == 0
    assert np.load(tmp_path / ".checked").dtype == np.uint64


def test_a_read_only_folder_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "file").touch()
    problems = Problems("x")
    table = make_table(tmp_path, ["a.jpg"])
    assert check_images(table, problems, "decode", tmp_path / "file" / ".checked", 1).read == 1
    assert not problems


def test_images_in_a_shard_are_checked_one_by_one(tmp_path: Path) -> None:
    first, second = jpeg(1), jpeg(2)
    (tmp_path / "shard").write_bytes(first + second[:-300] + b"\0" * 300)
    table = make_table(
        tmp_path,
        [
            ImageLocation("a", "shard", 0, len(first)),
            ImageLocation("b", "shard", len(first), len(second) - 300),
            ImageLocation("c", "shard", 0, 10**6),
        ],
    )
    problems = Problems("x")
    assert check_images(table, problems, "decode", tmp_path / ".checked", 2).read == 3
    assert [location.partition(":")[0] for location in problems.kinds["unreadable image, truncated"]] == ["b", "c"]
    assert check_images(table, Problems("x"), "decode", tmp_path / ".checked", 2).read == 2


@pytest.mark.parametrize(("at", "remembers"), [("cut.jpg", True), ("text.jpg", False)])
def test_an_interrupted_check_saves_its_results_and_stops_its_threads(
    channel: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, remembers: bool
) -> None:
    """Like Ctrl-C: an exception in the main thread, between two images."""
    read: list[object] = []

    class Interrupting(Problems):
        def add(self, kind: str, location: str, advice: str = "") -> None:
            if at in location:
                raise KeyboardInterrupt

    def slowly(source: object) -> None:
        read.append(source)
        time.sleep(0.002)
        read_source(source)  # type: ignore[arg-type]

    monkeypatch.setattr(model.data.integrity, "CHUNK", 8)
    monkeypatch.setattr(model.data.integrity, "read_source", slowly)
    with pytest.raises(KeyboardInterrupt):
        check_images(channel, Interrupting("x"), "decode", tmp_path / ".checked", 2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("check")]
    if remembers:
        assert len(np.load(tmp_path / ".checked")) == 150
    else:
        assert len(read) < 154  # the first image of all: the others are let be
        assert not (tmp_path / ".checked").exists()


def test_a_long_check_logs_its_progress(
    channel: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(model.data.integrity, "PROGRESS_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "rarebird"):
        check_images(channel, Problems("x"), "decode", None, 2)
    assert "checked 100 of 154 images" in caplog.text


def test_contents_are_indexed_as_they_are_checked(channel: Table, tmp_path: Path) -> None:
    remembered = tmp_path / ".checked"
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(tmp_path / "002.jpg", "PNG")
    check = check_images(channel, Problems("x"), "decode", remembered, 2)
    assert check.unreadable == {
        0: "cannot be identified as an image",
        151: check.unreadable[151],
        152: "no such file",
    }  # not the one that was set aside
    assert check.unreadable[151].startswith("truncated: ")
    keys = check.contents.keys
    assert (keys[1:151] > 0).all() and len(np.unique(keys[1:151])) == 150 and not keys[[0, 151, 152]].any()
    assert keys[1] == content_key(jpeg(0)) and np.flatnonzero(check.contents.is_deep).tolist() == [3]
    again = check_images(channel, Problems("x"), "decode", remembered, 2)
    assert again.read == 4 and np.array_equal(again.contents.hashes, check.contents.hashes)
    assert np.array_equal(again.contents.is_deep, check.contents.is_deep)


def test_images_in_the_cache_of_an_earlier_version_are_hashed_but_not_decoded(
    channel: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cache has the images, but not their contents."""
    remembered = tmp_path / ".checked"
    first = check_images(channel, Problems("x"), "decode", remembered, 2)
    (tmp_path / ".contents").unlink()
    decoded: list[object] = []
    monkeypatch.setattr(model.data.integrity, "read_source", decoded.append)
    again = check_images(channel, Problems("x"), "decode", remembered, 2)
    assert again.read == 4 and len(decoded) <= 2  # of the four, the two whose bytes can be read at all
    assert np.array_equal(again.contents.hashes[1:151], first.contents.hashes[1:151])


def test_images_in_the_cache_of_an_earlier_version_have_their_depth(channel: Table, tmp_path: Path) -> None:
    """Otherwise a deep image would be scaled like an 8-bit image."""
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(tmp_path / "002.jpg", "PNG")
    remembered = tmp_path / ".checked"
    check_images(channel, Problems("x"), "decode", remembered, 2)
    (tmp_path / ".contents").unlink()
    check = check_images(channel, Problems("x"), "headers", remembered, 2)
    assert check.read == 4 and np.flatnonzero(check.contents.is_deep).tolist() == [3]


def test_headers_show_the_depth_and_hash_nothing(channel: Table, tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(tmp_path / "002.jpg", "PNG")
    contents = check_images(channel, Problems("x"), "headers", None, 2).contents
    assert not contents.hashes.any() and np.flatnonzero(contents.is_deep).tolist() == [3]


@pytest.mark.parametrize("how", ["decode", "headers"])
def test_several_processes_have_the_same_results_as_one(
    how: str, channel: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "149.jpg").unlink()  # a second image of a kind, in another process's part
    one, several = Problems("x"), Problems("x")
    expected = check_images(channel, one, how, tmp_path / "one" / ".checked", 2)
    parts_checked: list[int] = []

    def divide(task: Callable[..., object], *arguments: object) -> list[object]:
        task, *arguments = pickle.loads(pickle.dumps([task, *arguments]))  # as another process gets it
        results = [task(*arguments, part, 3) for part in range(3)]
        parts_checked.extend(len(result) for result in results)  # type: ignore[arg-type]
        return results

    monkeypatch.setattr(model.data.integrity, "ROUND", 16)
    with shared_by(Team(3, 1, divide)):
        check = check_images(channel, several, how, tmp_path / "several" / ".checked", 2)
    assert several.kinds == one.kinds and len(one.kinds) >= 3
    assert (check.read, check.unreadable) == (expected.read, expected.unreadable)
    assert np.array_equal(check.contents.hashes, expected.contents.hashes)
    assert np.array_equal(check.contents.is_deep, expected.contents.is_deep)
    assert sum(parts_checked) == 154 and parts_checked[:3] == [16, 16, 16]
    for name in (".checked", ".contents") if how == "decode" else ():
        assert np.array_equal(np.load(tmp_path / "several" / name), np.load(tmp_path / "one" / name))
