from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from model.data.prediction_input import PredictionInput, read_info
from model.errors import InputError
from model.images.decode import UnreadableImage, read_image
from tests.model.data.conftest import touch, write_csv


def test_info_keeps_every_row_and_column_in_order(root: Path) -> None:
    touch(root, "a.jpg", "images/b.jpg", "secret.jpg")
    outside = root.parent / "outside.jpg"
    os.symlink(outside, root / "images/link.jpg")
    names = ["images/b.jpg", "b.jpg", "a.jpg", "none.jpg", "a.jpg", "../x.jpg", "link.jpg", ""]
    text = "\ufeffshop,ImageID,ans\r\n" + "".join(f"00{row},{name},\r\n" for row, name in enumerate(names))
    (root / "info.csv").write_text(text, encoding="utf-8")
    (root / "other.csv").write_text("x\n1\n")
    inputs = read_info(root)
    assert inputs.name_column == "ImageID" and len(inputs) == len(names)
    frame, paths = inputs.rows, inputs.locations.paths
    assert frame.columns.tolist() == ["shop", "ImageID", "ans"]
    assert frame["ImageID"].tolist() == names
    assert frame["shop"].tolist() == [f"00{row}" for row in range(8)]
    assert frame["ans"].tolist() == [""] * 8
    assert paths[:6] == ["images/b.jpg", "images/b.jpg", "a.jpg", "images/none.jpg", "a.jpg", "../x.jpg"]
    for row, reason in (
        (3, "no such file"),
        (5, "out of the channel"),
        (6, "out of the channel"),
        (7, "no picture is"),
    ):
        with pytest.raises(UnreadableImage, match=reason):
            read_image(root, inputs.locations[row])


def named(inputs: PredictionInput) -> tuple[str, list[str]]:
    return inputs.name_column, inputs.locations.paths


def test_info_by_other_names(root: Path) -> None:
    touch(root, "a.jpg")
    (root / "rows.csv").write_text("file,image_name\na.jpg,none.jpg\n")
    assert named(read_info(root)) == ("image_name", ["none.jpg"])
    assert named(read_info(root, picture_column="file")) == ("file", ["a.jpg"])
    (root / "info2.csv").write_text("path\na.jpg\n")
    assert named(read_info(root, table="info2.csv")) == ("path", ["a.jpg"])
    with pytest.raises(InputError, match=r"info2\.csv, rows\.csv; name one by table"):
        read_info(root)
    with pytest.raises(InputError, match="nearest: file"):
        read_info(root, table="rows.csv", picture_column="flie")
    with pytest.raises(InputError, match=r"nearest: info2\.csv"):
        read_info(root, table="info3.csv")


def test_info_without_a_table_is_every_picture(root: Path) -> None:
    touch(root, "b/x.PNG", "a.jpg", "b/.hidden.jpg", "notes.txt", ".git/y.jpg", "b.jpg")
    os.symlink("/etc/none.jpg", root / "c.jpg")
    inputs = read_info(root)
    assert inputs.name_column == "ImageID"
    assert inputs.rows["ImageID"].tolist() == ["a.jpg", "b.jpg", "b/x.PNG", "c.jpg"]
    assert inputs.locations.paths[:3] == ["a.jpg", "b.jpg", "b/x.PNG"]
    with pytest.raises(UnreadableImage, match="out of the channel"):
        read_image(root, inputs.locations[3])


def test_links_out_of_the_channel_are_told_and_followed_where_it_is_set(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(root, "channel/a.jpg", "store/b.jpg", "store/deep/c.jpg", "channel/notes.txt", "channel/more.xyz")
    os.symlink(root / "store/b.jpg", root / "channel/b.jpg")
    os.symlink(root / "store/deep", root / "channel/deep")
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert read_info(root / "channel").rows["ImageID"].tolist() == ["a.jpg", "b.jpg"]
    assert "links out of the channel: 2, such as b.jpg, which leads to ../store/b.jpg; --follow_links" in caplog.text
    assert "2 files are no images by their name: .txt 1, .xyz 1" in caplog.text
    followed = read_info(root / "channel", follow_links=True)
    assert followed.locations.paths == ["a.jpg", "b.jpg", "deep/c.jpg"]
    (root / "channel/a.jpg").unlink()
    with pytest.raises(InputError, match=r"links out of the channel: 2, such as b\.jpg"):
        read_info(root / "channel")
    write_csv(root / "channel", "ImageID\nb.jpg\ndeep/c.jpg\n", "info.csv")
    with pytest.raises(InputError, match=r"links out of the channel: 2, such as b\.jpg"):
        read_info(root / "channel")
    assert read_info(root / "channel", follow_links=True).locations.paths == ["b.jpg", "deep/c.jpg"]


def test_info_that_cannot_be_read_is_reported(root: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        read_info(root / "none")
    with pytest.raises(InputError, match="there is nothing in it"):
        read_info(root)
    touch(root, "notes.txt")
    with pytest.raises(InputError, match="neither a CSV nor a picture"):
        read_info(root)
    (root / "info.csv").write_text("ImageID,x\na.jpg\n")
    with pytest.raises(InputError, match=r"info\.csv row 2: 1 cells, the header has 2"):
        read_info(root)
    (root / "info.csv").write_text("ImageID,x\n")
    with pytest.raises(InputError, match="table without rows"):
        read_info(root)
    (root / "info.csv").write_text("Image,x\na.jpg,1\n")
    with pytest.raises(InputError, match="none of ImageID, image_name, path; there are Image, x"):
        read_info(root)


def test_take_keeps_rows_and_locations_aligned(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    write_csv(root, "ImageID,ans\na.jpg,0\nb.jpg,1\nc.jpg,2\n", "info.csv")
    inputs = read_info(root).take(range(0, 3, 2))
    assert (inputs.rows["ImageID"].tolist(), inputs.locations.paths) == (["a.jpg", "c.jpg"],) * 2
    assert inputs.rows.index.tolist() == [0, 1] and len(inputs) == 2 and inputs.name_column == "ImageID"
