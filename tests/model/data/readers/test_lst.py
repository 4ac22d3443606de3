from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.model.data.conftest import problems_of, read, touch


def test_sagemakers_lst(root: Path) -> None:
    """Format of SageMaker's built-in image classification: number, label, path, separated by tabs."""
    touch(root, "dir/dog1.jpg", "dir/cat1.jpg", "images/cat2.jpg")
    lines = ["5\t1\tdir/dog1.jpg", "1000\t0\tdir/cat1.jpg", "", "22\t2\tcat2.jpg"]
    (root / "train.lst").write_text("\n".join(lines) + "\n")
    table = read(root)
    assert table.source == "list train.lst"
    assert table.labels["label"].tolist() == [1, 0, 2]
    assert table.scheme.class_names == ["0", "1", "2"]
    assert list(table.metadata) == []
    named = read(root, attributes={"animal": ["cat", "dog", "bird"]})
    assert named.frame()["animal"].tolist() == ["dog", "cat", "bird"]
    (root / "train.lst").write_text("\n".join([*lines, "7\t1", "8\t1\tdir", "9\t1\tnone.jpg", "10\t0\tcat2.jpg"]))
    assert problems_of(root) == {
        "row with too few or too many values": [
            "train.lst row 5: '7\\t1', expected 3 values as in the first row, separated by tabs"
        ],
        "folder instead of an image": ["train.lst row 6: dir"],
        "missing file": ["train.lst row 7: images/none.jpg"],
        "duplicate image": ["train.lst row 8: images/cat2.jpg is already in train.lst row 4"],
    }


def test_a_lst_with_several_labels_has_one_attribute_per_label(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    (root / "train.lst").write_text("0\t1\t0\ta.jpg\n1\t0\t0\tb.jpg\n")
    table = read(root, attributes={"dress": ["no", "yes"], "hat": ["no", "yes"]})
    assert table.labels.to_dict("list") == {"dress": [1, 0], "hat": [0, 0]}
    assert list(problems_of(root)) == ["more than one label column"]


def test_skipped_rows_without_an_image_are_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "a.JPG", "b.jpg", "c.jpg")
    (root / "train.lst").write_text("0\t1\ta.jpg\n1\t0\tb.jpg\n2\t0\tnone.jpg\n")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert read(root, missing="skip").locations.paths == ["a.JPG", "b.jpg"]
    assert "train.lst: skipped 1 row without an image: train.lst row 3: none.jpg" in caplog.messages
    assert any(text.startswith("train.lst: 1 image name is spelled differently") for text in caplog.messages)
    assert "train.lst: the table has no row for 1 image in its folders: c.jpg" in caplog.messages
