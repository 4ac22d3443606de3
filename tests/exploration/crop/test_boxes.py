"""Boxes: the choice, the margin, and boxes.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exploration.crop.boxes import FoundBox, boxes_inside, central_box, chosen_box, read_boxes, with_margin, write_boxes
from model.errors import InputError

SIZE = (100, 80)


def test_the_largest_or_the_best_box_is_chosen() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.9], [5, 5, 20, 10, 0.7]], np.float32)
    largest, best = chosen_box(boxes, "largest"), chosen_box(boxes, "best")
    assert largest is not None and best is not None
    assert (largest[2], best[2]) == (20, 10)
    assert chosen_box(boxes[:0], "best") is None


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        ((20, 30, 40, 20), 0.0, (20, 30, 60, 50)),
        ((20, 30, 40, 20), 0.25, (10, 25, 70, 55)),
        ((5, 30, 40, 20), 0.25, (0, 25, 55, 55)),
        ((70, 60, 40, 40), 0.25, (60, 50, 100, 80)),
        ((-30, -30, 10, 10), 0.0, (0, 0, 1, 1)),
        ((200, 200, 10, 10), 0.0, (99, 79, 100, 80)),
        ((50.4, 40.4, 0.1, 0.1), 0.0, (50, 40, 51, 41)),
    ],
)
def test_the_margin_stays_inside_the_image(box: tuple, margin: float, expected: tuple) -> None:
    assert with_margin(box, margin, SIZE) == expected


def test_boxes_outside_the_image_are_left_out() -> None:
    boxes = np.array([[0, 0, 1, 1], [-9, 0, 9, 5], [100, 0, 5, 5], [99, 79, 5, 5], [50, -3, 2, 3]], np.float32)
    assert boxes_inside(np.column_stack([boxes, np.ones(5)]), SIZE)[:, :4].tolist() == [
        boxes[0].tolist(),
        [99, 79, 5, 5],
    ]


def test_the_central_box_is_in_the_middle() -> None:
    assert central_box(SIZE, 0.5) == (25, 20, 50, 40)


def test_boxes_that_were_written_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    rows = [FoundBox("b, c.jpg", (1.5, 2, 3, 4), 0.75, True), FoundBox("a.jpg", (0, 0, 9, 9), 0, False)]
    write_boxes(file, rows)
    assert file.read_text().splitlines()[1] == "a.jpg,0.0,0.0,9.0,9.0,0.0000,false"
    boxes = read_boxes(file, ["a.jpg", "b, c.jpg"])
    assert {path: own.tolist() for path, own in boxes.items()} == {"b, c.jpg": [[1.5, 2, 3, 4, 0.75]]}


def test_an_image_may_have_several_rows_and_scores_are_optional(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text("x,y,w,h,path\n1,2,3,4,./a.jpg\n5,6,7,8,a.jpg\n")
    assert read_boxes(file, ["a.jpg"])["a.jpg"].tolist() == [[1, 2, 3, 4, 1], [5, 6, 7, 8, 1]]


def test_all_invalid_rows_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(
        "path,x,y,w,h\nimg1.jpg,1,2,3,4\nimage1.jpg,1,2,three,4\nimage1.jpg,1,2,0,4\nimage1.jpg,1,2,nan,4\nimage1.jpg,0.2,0.1,0.5,0.6\n"
    )
    with pytest.raises(InputError) as error:
        read_boxes(file, ["image1.jpg"])
    for text in (
        str(file),
        "line 2: path 'img1.jpg'; nearest: image1.jpg",
        "line 3: 1, 2, three, 4",
        "line 4: w 0",
        "line 5",
        "line 6: w 0.5, h 0.6; expected pixels, at least 1",
    ):
        assert text in str(error.value)
    file.write_text("path,left,top\n")
    with pytest.raises(InputError, match=r"columns x, y, w, h are missing; its columns are path, left, top"):
        read_boxes(file, [])
    with pytest.raises(InputError, match="cannot be read"):
        read_boxes(tmp_path / "missing.csv", [])
