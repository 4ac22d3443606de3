from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from model.data.channel import read_channel
from model.data.integrity import check_images
from model.data.prediction_input import read_info
from model.data.readers.channel_files import ChannelFiles
from model.errors import Problems
from tests.model.data.conftest import problems_of, read, touch, write_csv


def test_links_inside_a_channel_are_followed_once_but_not_links_out_of_it(root: Path) -> None:
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
        "links out of the channel": [
            "3, such as bird, which leads to ../elsewhere; --follow_links follows them (only on your own machine)"
        ]
    }
    assert table is not None
    assert table.locations.paths == ["cat/a.jpg", "dog/a.jpg", "dog/again.jpg"]
    os.symlink(channel, root / "link")
    assert read_channel(root / "link", Problems("channel")) is not None


def test_names_are_found_in_another_unicode_form(root: Path) -> None:
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


def test_paths_that_leave_the_channel_are_errors(root: Path) -> None:
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
        "path outside the channel": [
            "train.csv row 4: '../secret.jpg', expected a path relative to the channel",
            f"train.csv row 5: '{root}/secret.jpg', expected a path relative to the channel",
            "train.csv row 8: 'C:\\\\d', expected a path relative to the channel",
        ],
        "links out of the channel": [
            "2, such as train.csv row 6: link.jpg, which leads to ../secret.jpg; "
            "--follow_links follows them (only on your own machine)"
        ],
    }


def test_the_error_for_a_missing_file_names_one_with_another_extension(root: Path) -> None:
    touch(root, "images/a.JPEG", "b.jpg")
    write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n")
    assert problems_of(root)["missing file"] == ["train.csv row 2: images/a.jpg; nearest: images/a.JPEG"]


def test_an_unreadable_folder_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(root, "cat/a.jpg", "dog/b.jpg", "owl/c.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "owl":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as patched:  # the folder of the test is removed afterwards
        patched.setattr(os, "scandir", refuse)
        problems = problems_of(root)
    assert problems == {"unreadable file or folder": ["owl: Permission denied"]}


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
    match = ChannelFiles(root).find_spelling(name)
    assert (match.kind, match.path) == ("folder" if path.endswith("deep") else "file", path)
    assert match.is_respelled == (name != path)


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
        ("c", "ambiguous"),
    ],
)
def test_names_with_no_or_several_matches_are_not_found(root: Path, name: str, kind: str) -> None:
    touch(root, "a.jpg", "images/n.jpg.jpg", "images/c.jpg", "images/c.png", "c.txt")
    match = ChannelFiles(root).find_spelling(name)
    assert match.kind == kind and not match.is_respelled


def test_a_missing_extension_is_found_in_either_unicode_form(root: Path) -> None:
    touch(root, unicodedata.normalize("NFD", "사진.jpg"))
    assert ChannelFiles(root).find_spelling("사진").kind == "file"


def test_a_link_out_of_the_channel_does_not_match_another_spelling(root: Path) -> None:
    touch(root, "channel/a.txt", "secret.jpg")
    os.symlink(root / "secret.jpg", root / "channel/link.jpg")
    for name in ("link", ".\\link.jpg", "images/link.jpg"):
        assert ChannelFiles(root / "channel").find_spelling(name).kind == "missing"


def test_links_are_followed_if_the_setting_is_set(root: Path) -> None:
    """Links to files and folders, and links in rows of a table; a loop through outside folders ends."""
    channel, store = root / "channel", root / "store"
    touch(store, "b.jpg", "deep/c.jpg", "labels.csv")
    touch(channel, "cat/a.jpg")
    os.symlink(store / "b.jpg", channel / "cat/b.jpg")
    os.symlink(store / "deep", channel / "dog")
    os.symlink(channel, store / "deep/back")
    os.symlink(root, channel / "cat/up")
    table = read(channel, follow_links=True, folder_levels=["label"])
    assert {"cat/a.jpg", "cat/b.jpg", "dog/c.jpg"} <= set(table.locations.paths)
    assert table.scheme.class_names == ["cat", "dog"]
    (root / "table").mkdir()
    (store / "train.csv").write_text("path,label\nimages/b.jpg,x\nimages/deep/c.jpg,y\n")
    os.symlink(store, root / "table/images")
    os.symlink(store / "train.csv", root / "table/train.csv")
    assert read(root / "table", follow_links=True).locations.paths == ["images/b.jpg", "images/deep/c.jpg"]
    assert list(problems_of(root / "table")) == ["links out of the channel"]


def test_a_path_outside_the_channel_is_an_error_even_if_links_are_followed(root: Path) -> None:
    touch(root, "channel/a.jpg", "secret.jpg")
    write_csv(root / "channel", f"path,label\na.jpg,x\n../secret.jpg,y\n{root}/secret.jpg,y\n")
    assert len(problems_of(root / "channel", follow_links=True)["path outside the channel"]) == 2


def test_the_cache_of_links_depends_on_their_targets(root: Path) -> None:
    touch(root, "store/bad.jpg")
    for name, grey in (("cat", 0), ("dog", 255)):
        (root / "channel" / name).mkdir(parents=True)
        Image.new("L", (8, 8), grey).save(root / "store" / f"{name}.png")
        os.symlink(root / "store" / f"{name}.png", root / "channel" / name / "0.png")
    table, problems = read(root / "channel", follow_links=True), Problems("channel")
    cache = root / "checked"
    assert [check_images(table, problems, cache=cache).read for _ in range(2)] == [2, 0] and not problems
    (root / "store/dog.png").write_bytes(b"no image at all")
    assert check_images(table, problems, cache=cache).read == 1
    assert list(problems.kinds) == ["unreadable image, cannot be identified as an image"]


def test_folders_of_network_storage_and_file_managers_are_ignored(root: Path) -> None:
    touch(root, "cat/a.jpg", "cat/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "cat/.thumbnails/a.jpg", "cat/Thumbs.db")
    touch(root, "dog/b.jpg", "dog/desktop.ini", "__MACOSX/dog/._b.jpg", "__MACOSX/dog/c.jpg", "#recycle/d.jpg")
    assert read(root).locations.paths == ["cat/a.jpg", "dog/b.jpg"]
    assert read_info(root).locations.paths == ["cat/a.jpg", "dog/b.jpg"]


@pytest.mark.parametrize("folder", ["cat", "000001_male_Asian_20"])
def test_a_link_called_images_out_of_the_channel_is_not_followed(root: Path, folder: str) -> None:
    """images/ is searched because of its name, for class folders and profile folders."""
    touch(root, f"store/{folder}/normal.jpg", "store/dog/b.jpg", "channel/notes.txt")
    os.symlink(root / "store", root / "channel/images")
    assert problems_of(root / "channel") == {
        "links out of the channel": [
            "images leads to ../store; --follow_links follows them (only on your own machine)",
        ]
    }
    assert not ChannelFiles(root / "channel").folder(f"images/{folder}").kinds


def test_a_folder_of_a_channel_keeps_its_real_path_out_of_reach(root: Path) -> None:
    """A link to a parent folder cannot be used to leave the channel unless links are followed."""
    touch(root, "channel/cat/a.jpg", "secret/s.jpg")
    os.symlink(root, root / "channel/cat/up")
    files = ChannelFiles(root / "channel")
    assert files.find("cat/up/secret/s.jpg")[0] == "outside"
    assert ("outside", "cat/up") in list(files.below(""))
