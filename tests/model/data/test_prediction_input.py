from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from model.attributes import Attribute
from model.data.prediction_input import PredictionInput, has_images, has_labels, read_info, single_files
from model.data.readers.table_options import TableOptions
from model.errors import InputError
from model.images.decode import UnreadableImage, read_image
from model.labels import Scheme, mask_scheme
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
        (5, "outside the channel"),
        (6, "outside the channel"),
        (7, "empty image name"),
    ):
        with pytest.raises(UnreadableImage, match=reason):
            read_image(root, inputs.locations[row])


def named(inputs: PredictionInput) -> tuple[str, list[str]]:
    return inputs.name_column, inputs.locations.paths


def test_info_by_other_names(root: Path) -> None:
    touch(root, "a.jpg")
    (root / "rows.csv").write_text("file,image_name\na.jpg,none.jpg\nb.jpg,a.jpg\n")
    assert named(read_info(root)) == ("image_name", ["none.jpg", "a.jpg"])
    assert named(read_info(root, TableOptions(picture_column="file"))) == ("file", ["a.jpg", "b.jpg"])
    (root / "info2.csv").write_text("path\na.jpg\n")
    assert named(read_info(root, TableOptions(table="info2.csv"))) == ("path", ["a.jpg"])
    with pytest.raises(InputError, match=r"info2\.csv, rows\.csv; choose one with --table NAME"):
        read_info(root)
    with pytest.raises(InputError, match="nearest: file"):
        read_info(root, TableOptions(table="rows.csv", picture_column="flie"))
    with pytest.raises(InputError, match=r"nearest: info2\.csv"):
        read_info(root, TableOptions(table="info3.csv"))


def test_info_without_a_table_is_every_image(root: Path) -> None:
    touch(root, "b/x.PNG", "a.jpg", "b/.hidden.jpg", "notes.txt", ".git/y.jpg", "b.jpg")
    os.symlink("/etc/none.jpg", root / "c.jpg")
    inputs = read_info(root)
    assert inputs.name_column == "ImageID"
    assert inputs.rows["ImageID"].tolist() == ["a.jpg", "b.jpg", "b/x.PNG", "c.jpg"]
    assert inputs.locations.paths[:3] == ["a.jpg", "b.jpg", "b/x.PNG"]
    with pytest.raises(UnreadableImage, match="outside the channel"):
        read_image(root, inputs.locations[3])


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ("ImageID,kind", "kind"),
        ("ImageID,label", "kind"),  # one of the usual columns of one attribute
        ("ImageID,ans", ""),  # a placeholder
        ("ImageID,shop", ""),
        ("kind", ""),  # the images themselves
        ("ImageID,mask,gender,age", "mask"),
        ("ImageID,mask,gender", ""),
    ],
)
def test_a_table_of_images_has_labels_if_it_has_a_column_per_attribute(root: Path, header: str, labels: str) -> None:
    touch(root, "a.jpg")
    write_csv(root, f"{header}\na.jpg{',0' * header.count(',')}\n", "info.csv")
    inputs = read_info(root, TableOptions(picture_column=header.partition(",")[0]))
    assert has_labels(inputs, Scheme((Attribute("kind", ("cat", "dog")),))) == (labels == "kind")
    assert has_labels(inputs, mask_scheme()) == (labels == "mask")


def test_folders_of_images_are_labels_if_all_are_classes_of_the_only_attribute(root: Path) -> None:
    kinds = Scheme((Attribute("kind", ("cat", "dog", "eel")),))
    touch(root, "cat/1.jpg", "dog/2.jpg")
    assert has_labels(read_info(root), kinds) and not has_labels(read_info(root), mask_scheme())
    touch(root, "other/3.jpg")
    assert not has_labels(read_info(root), kinds)


def test_links_out_of_the_channel_are_logged_or_followed(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "channel/a.jpg", "store/b.jpg", "store/deep/c.jpg", "channel/notes.txt", "channel/more.xyz")
    os.symlink(root / "store/b.jpg", root / "channel/b.jpg")
    os.symlink(root / "store/deep", root / "channel/deep")
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert read_info(root / "channel").rows["ImageID"].tolist() == ["a.jpg", "b.jpg"]
    assert "links out of the channel: 2, such as b.jpg, which leads to ../store/b.jpg; --follow_links" in caplog.text
    assert "2 files without an image extension: .txt 1, .xyz 1" in caplog.text
    followed = read_info(root / "channel", follow_links=True)
    assert followed.locations.paths == ["a.jpg", "b.jpg", "deep/c.jpg"]
    (root / "channel/a.jpg").unlink()
    with pytest.raises(InputError, match=r"links out of the channel: 2, such as b\.jpg"):
        read_info(root / "channel")
    write_csv(root / "channel", "ImageID\nb.jpg\ndeep/c.jpg\n", "info.csv")
    with pytest.raises(InputError, match=r"links out of the channel: 2, such as info\.csv row 2: b\.jpg"):
        read_info(root / "channel")
    assert read_info(root / "channel", follow_links=True).locations.paths == ["b.jpg", "deep/c.jpg"]


def test_unreadable_input_is_reported(root: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_info(root / "none")
    with pytest.raises(InputError, match="the folder is empty"):
        read_info(root)
    touch(root, "notes.txt")
    with pytest.raises(InputError, match="neither a CSV nor an image"):
        read_info(root)
    (root / "info.csv").write_text("ImageID,x\na.jpg\n")
    with pytest.raises(InputError, match=r"info\.csv row 2: 1 values, the header has 2"):
        read_info(root)
    (root / "info.csv").write_text("ImageID,x\n")
    with pytest.raises(InputError, match="table without rows"):
        read_info(root)
    (root / "info.csv").write_text("Photo,x\na.jpg,1\n")
    with pytest.raises(
        InputError, match="none of the columns ImageID, image_name, path, filename and 6 more; its columns are Photo, x"
    ):
        read_info(root)


def test_take_keeps_rows_and_locations_aligned(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    write_csv(root, "ImageID,ans\na.jpg,0\nb.jpg,1\nc.jpg,2\n", "info.csv")
    inputs = read_info(root).take(range(0, 3, 2))
    assert (inputs.rows["ImageID"].tolist(), inputs.locations.paths) == (["a.jpg", "c.jpg"],) * 2
    assert inputs.rows.index.tolist() == [0, 1] and len(inputs) == 2 and inputs.name_column == "ImageID"


def test_hosts_share_all_rows(root: Path) -> None:
    touch(root, *(f"{row}.jpg" for row in range(5)))
    parts = [read_info(root).part(index, 2) for index in range(2)]
    assert [part.locations.paths for part in parts] == [["0.jpg", "2.jpg", "4.jpg"], ["1.jpg", "3.jpg"]]
    assert [part.rows["ImageID"].tolist() for part in parts] == [part.locations.paths for part in parts]


def test_single_files_are_relative_to_the_root_and_keep_their_names_and_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a b.png", "c.png"):
        (tmp_path / name).touch()
    names = ["b.png", str(tmp_path / "a b.png"), "./c.png"]
    inputs = single_files(names)
    assert inputs.rows["ImageID"].tolist() == names
    assert [f"/{path}" for path in inputs.locations.paths] == [str(tmp_path / n) for n in ("b.png", "a b.png", "c.png")]


def test_missing_files_and_folders_are_reported_together(tmp_path):
    (tmp_path / "cat.png").touch()
    with pytest.raises(InputError) as caught:
        single_files([str(tmp_path), str(tmp_path / "cat.jpg"), str(tmp_path / "gone" / "x.png")])
    lines = str(caught.value).splitlines()
    assert lines[0] == "images: 3 problems" and f"pass a folder with --eval_dir {tmp_path}" in lines[2]
    assert lines[4].endswith("no such file; nearest: cat.png") and lines[5].endswith("no such file")
    name = os.fsdecode(bytes(tmp_path) + b"/\xff.png")
    Path(name).touch()
    with pytest.raises(InputError, match=r"\\udcff\.png: its name is not UTF-8"):
        single_files([name])


def test_a_table_without_an_image_column_is_ignored_if_there_are_images(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "who,when\nme,today\n", "notes.csv")
    assert named(read_info(root)) == ("ImageID", ["a.jpg", "b.jpg"])
    assert caplog.messages == [
        "notes.csv not read: there is no column ImageID or image_name or path; --table notes.csv reads it"
    ]
    with pytest.raises(InputError, match=r"notes\.csv has no column 'file'; its columns are who, when"):
        read_info(root, TableOptions(picture_column="file"))
    write_csv(root, "file\na.jpg\n", "info.csv")
    with pytest.raises(InputError, match="column file contains image names: set --picture_column file"):
        read_info(root)
    assert named(read_info(root, TableOptions(remembered_column="file"))) == ("file", ["a.jpg"])


def test_own_outputs_are_never_the_table(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    for name in ("output.csv", "probabilities.csv", "errors.csv", "my.csv", "my.probabilities.csv"):
        write_csv(root, "ImageID,ans\na.jpg,0\n", name)
    assert named(read_info(root)) == ("ImageID", ["a.jpg", "b.jpg"])
    assert named(read_info(root, TableOptions(table="my.csv"))) == ("ImageID", ["a.jpg"])
    write_csv(root, "ImageID,ans\nb.jpg,0\n", "gt.csv")
    assert named(read_info(root)) == ("ImageID", ["b.jpg"])
    write_csv(root, "ImageID,ans\na.jpg,0\n", "info2.csv")
    assert named(read_info(root)) == ("ImageID", ["a.jpg"])


def test_names_with_another_spelling_are_found_and_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "images/a.jpg", "images/b.png", "images/c.JPG")
    write_csv(root, "ImageID\na\nb.png\nimages\\c.jpg\ngone\n", "info.csv")
    with caplog.at_level(logging.INFO, "rarebird"):
        inputs = read_info(root)
    assert inputs.locations.paths == ["images/a.jpg", "images/b.png", "images/c.JPG", "images/gone"]
    assert inputs.rows["ImageID"].tolist() == ["a", "b.png", "images\\c.jpg", "gone"]
    assert caplog.messages == [
        "info.csv: 2 image names are spelled differently from the files, such as info.csv row 2: 'a' is images/a.jpg",
        "info.csv: no image for 1 of 4 rows: info.csv row 5: images/gone",
    ]
    touch(root, "images/b.gif")
    write_csv(root, "ImageID\na\nb\n", "info.csv")
    with pytest.raises(InputError, match=r"row 3: there is no file 'b', but images/b\.gif, images/b\.png"):
        read_info(root)


def test_a_table_without_any_existing_image_is_an_error(root: Path) -> None:
    touch(root, "images/a.jpg")
    write_csv(root, "ImageID\nA.jpg\n\n,\n".replace(",", '""'), "info.csv")
    with pytest.raises(InputError, match=r"1 rows, such as info\.csv row 2: images/A\.jpg; nearest: images/a\.jpg"):
        read_info(root)


def test_lists_and_tables_of_other_delimiters_encodings_and_folders(root: Path) -> None:
    touch(root, "sub/ä b.jpg", "c.jpg")
    write_csv(root, "ä b.jpg 1\nc.jpg 2\n", "sub/test.txt")
    inputs = read_info(root, TableOptions(table="sub/test.txt"))
    assert named(inputs) == ("path", ["sub/ä b.jpg", "c.jpg"]) and inputs.rows.columns.tolist() == ["path", "label"]
    write_csv(root, "sub/ä b.jpg\nc.jpg\n", "info.csv")
    assert named(read_info(root)) == ("path", ["sub/ä b.jpg", "c.jpg"])
    with pytest.raises(InputError, match="has no column 'id'"):
        read_info(root, TableOptions(picture_column="id"))
    (root / "info.csv").unlink()
    write_csv(root, "ImageID;note\nä b.jpg;x\n", "sub/test.txt", encoding="cp1252")
    inputs = read_info(root, TableOptions(table="sub/test.txt", encoding="cp1252"))
    assert named(inputs) == ("ImageID", ["sub/ä b.jpg"])
    write_csv(root, "ImageID\tnote\nc.jpg\tx\n", "a.tsv", encoding="utf-16")
    assert named(read_info(root)) == ("ImageID", ["c.jpg"])


def test_a_manifest_names_images_by_their_references_and_every_row_is_kept(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(root, "images/a.jpg", "images/b.jpg")
    lines = [
        '{"source-ref": "s3://bucket/data/images/b.jpg", "animals": 1, "animals-metadata": {"class-name": "dog"}}',
        '{"source-ref": "s3://bucket/data/images/none.jpg"}',
        "",
        '{"source-ref": "s3://bucket/data/images/a.jpg", "person": 4}',
        '{"source-ref": "s3://bucket/data/images/a.jpg", "person": 4}',
    ]
    (root / "x.manifest").write_text("\n".join(lines))
    inputs = read_info(root, TableOptions(table="x.manifest"))
    assert "x.manifest: no image for 1 of 4 rows: x.manifest row 2: images/none.jpg" in caplog.text
    assert named(inputs) == ("path", ["images/b.jpg", "images/none.jpg", "images/a.jpg", "images/a.jpg"])
    assert inputs.rows.columns.tolist() == ["path", "source-ref", "animals", "person"]
    assert inputs.rows.iloc[0].tolist() == ["b.jpg", "s3://bucket/data/images/b.jpg", "dog", ""]
    (root / "x.jsonl").write_text("\n".join([*lines, "a.jpg"]))
    with pytest.raises(InputError, match=r"x\.jsonl row 6: .*expected a JSON object with source-ref"):
        read_info(root, TableOptions(table="x.jsonl"))


def test_a_lst_names_images_in_its_last_column(root: Path) -> None:
    touch(root, "images/a.jpg", "images/b c.jpg")
    (root / "x.lst").write_text("7\t1\tb c.jpg\n3\t0\timages/a.jpg\n4\t0\tnone.jpg\n")
    inputs = read_info(root, TableOptions(table="x.lst"))
    assert named(inputs) == ("path", ["images/b c.jpg", "images/a.jpg", "images/none.jpg"])
    assert inputs.rows.columns.tolist() == ["index", "label", "path"]
    (root / "x.lst").write_text("7\t1\t0\ta.jpg\n3\t0\ta.jpg\n")
    with pytest.raises(InputError, match=r"x\.lst row 2: '3\\t0\\ta\.jpg', expected 4 values as in the first row"):
        read_info(root, TableOptions(table="x.lst"))


def test_a_table_with_an_ambiguous_image_column_must_be_set(root: Path) -> None:
    """Otherwise only the images of its rows would be predicted."""
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "filename,width\nb.jpg,32\n", "sizes.csv")
    assert named(read_info(root)) == ("ImageID", ["a.jpg", "b.jpg"])
    assert named(read_info(root, TableOptions(table="sizes.csv"))) == ("filename", ["b.jpg"])


@pytest.mark.parametrize(
    ("name", "expected"), [("a/b.JPG", True), ("a.tar", True), ("info.csv", True), ("a.txt", False)]
)
def test_a_host_may_have_only_a_part_of_a_channel(root: Path, name: str, expected: bool) -> None:
    assert not has_images(root) and not has_images(root / "nowhere")
    touch(root, name)
    assert has_images(root) is expected
