from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from model.data.channel import read_channel
from model.data.readers.channel_files import ChannelFiles
from model.errors import Problems
from tests.model.data.conftest import problems_of, read, touch, write_csv


def test_links_inside_a_channel_are_followed_once_and_out_of_it_never(root: Path) -> None:
    channel, elsewhere = root / "channel", root / "elsewhere"
    touch(channel, "dog/a.jpg", "cat/a.jpg")
    touch(elsewhere, "b.jpg", "deep/c.jpg")
    os.symlink(elsewhere / "b.jpg", channel / "dog/b.jpg")
    os.symlink(elsewhere / "deep", channel / "dog/deep")
    os.symlink(elsewhere, channel / "bird")
    os.symlink(channel, channel / "dog/around")
    os.symlink("a.jpg", channel / "dog/again.jpg")
    problems = Problems("channel")
    table = read_channel(channel, problems)
    assert problems.kinds == {
        "path out of the channel": [
            "bird: a link to ../elsewhere",
            "dog/b.jpg: a link to ../elsewhere/b.jpg",
            "dog/deep: a link to ../elsewhere/deep",
        ]
    }
    assert table is not None
    assert table.locations.paths == ["cat/a.jpg", "dog/a.jpg", "dog/again.jpg"]
    os.symlink(channel, root / "link")
    assert read_channel(root / "link", Problems("channel")) is not None


def test_names_are_found_in_the_other_unicode_form(root: Path) -> None:
    composed = "카페é.jpg"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    folder = unicodedata.normalize("NFD", "사진")
    touch(root, f"images/{decomposed}", f"images/{folder}/b.jpg")
    write_csv(root, f"path,label\n{composed},착용샷\n사진/b.jpg,{unicodedata.normalize('NFD', '미분류')}\n")
    table = read(root)
    assert table.locations.paths == [f"images/{decomposed}", f"images/{folder}/b.jpg"]
    assert all((root / path).exists() for path in table.locations.paths)
    assert table.scheme.class_names == ["미분류", "착용샷"]


def test_paths_that_leave_the_channel_are_faults(root: Path) -> None:
    channel = root / "channel"
    touch(channel, "a.jpg", "images/b.jpg", "deep/c.jpg")
    touch(root, "secret.jpg", "folder/d.jpg")
    os.symlink(root / "secret.jpg", channel / "images/link.jpg")
    os.symlink(root / "folder", channel / "out")
    names = [
        "a.jpg",
        "deep/../images/b.jpg",
        "../secret.jpg",
        f"{root}/secret.jpg",
        "link.jpg",
        "out/d.jpg",
        "C:\\d",
    ]
    write_csv(channel, "path,label\n" + "".join(f"{name},{row % 2}\n" for row, name in enumerate(names)))
    problems = Problems("channel")
    table = read_channel(channel, problems)
    assert table is not None
    assert table.locations.paths == ["a.jpg", "images/b.jpg"]
    assert not len(table.set_aside)
    assert problems.kinds == {
        "path out of the channel": [
            "train.csv row 4: '../secret.jpg', expected a path below the channel",
            f"train.csv row 5: '{root}/secret.jpg', expected a path below the channel",
            "train.csv row 6: 'link.jpg' leads to ../secret.jpg, expected a path below the channel",
            "train.csv row 7: 'out/d.jpg' leads to ../folder/d.jpg, expected a path below the channel",
            "train.csv row 8: 'C:\\\\d', expected a path below the channel",
        ]
    }


def test_a_missing_file_tells_one_of_another_extension(root: Path) -> None:
    touch(root, "images/a.JPEG", "b.jpg")
    write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n")
    assert problems_of(root)["missing file"] == ["train.csv row 2: images/a.jpg; nearest: images/a.JPEG"]


def test_a_folder_that_may_not_be_read_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(root, "cat/a.jpg", "dog/b.jpg", "owl/c.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "owl":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert problems_of(root) == {"file or folder that cannot be read": ["owl: Permission denied"]}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("a", "a.jpg"),
        ("a.JPG", "a.jpg"),
        (".\\a.jpg", "a.jpg"),
        ("/a.jpg", "a.jpg"),
        ("images/a.jpg", "a.jpg"),
        ("b", "images/b.JPEG"),
        ("images\\deep\\c.png", "images/deep/c.png"),
        ("/deep/c", "images/deep/c.png"),
        ("v1.2", "images/v1.2.tif"),
        ("images\\deep", "images/deep"),
    ],
)
def test_another_spelling_of_a_name_is_found(root: Path, name: str, path: str) -> None:
    touch(root, "a.jpg", "images/a.txt", "images/b.JPEG", "images/deep/c.png", "images/v1.2.tif", "images/n.jpg.jpg")
    found = ChannelFiles(root).find_spelling(name)
    assert (found.kind, found.path) == ("folder" if path.endswith("deep") else "file", path)
    assert found.is_respelled == (name != path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("A.jpg", "missing"),
        ("a.png", "missing"),
        ("n.jpg", "missing"),
        ("x/a", "missing"),
        ("..\\a.jpg", "missing"),
        ("../a", "outside"),
        ("/etc/passwd", "outside"),
        ("C:\\a.jpg", "outside"),
        ("c", "several"),
    ],
)
def test_what_fits_none_or_several_is_not_found(root: Path, name: str, kind: str) -> None:
    touch(root, "a.jpg", "images/n.jpg.jpg", "images/c.jpg", "images/c.png", "c.txt")
    found = ChannelFiles(root).find_spelling(name)
    assert found.kind == kind and not found.is_respelled


def test_a_missing_extension_is_found_in_either_unicode_form(root: Path) -> None:
    touch(root, unicodedata.normalize("NFD", "사진.jpg"))
    assert ChannelFiles(root).find_spelling("사진").kind == "file"


def test_a_link_out_of_the_channel_is_no_other_spelling(root: Path) -> None:
    touch(root, "channel/a.txt", "secret.jpg")
    os.symlink(root / "secret.jpg", root / "channel/link.jpg")
    for name in ("link", ".\\link.jpg", "images/link.jpg"):
        assert ChannelFiles(root / "channel").find_spelling(name).kind == "missing"
