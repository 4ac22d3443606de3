"""Boxes of the subjects of images: reads and writes boxes.csv, chooses one box per image and adds the margin."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.atomic_write import write_csv
from model.errors import InputError, Problems, did_you_mean, listing, raise_all

BOXES_CSV = "boxes.csv"
COLUMNS = ("path", "x", "y", "w", "h", "score", "found")
NEEDED = COLUMNS[:5]
Boxes = NDArray[np.float32]  # (n, 5): left, top, width, height in pixels of the upright image, score


@dataclass(frozen=True)
class FoundBox:
    """A row of boxes.csv.

    Attributes:
        path: Image, relative to the channel.
        box: Left, top, width, height in pixels, without margin; that of the central crop if nothing was found.
        score: Score of the detector, 0 if nothing was found.
        found: Whether a box was found.
    """

    path: str
    box: tuple[float, float, float, float]
    score: float
    found: bool

    def row(self) -> list[str]:
        """The values of the row as text."""
        return [self.path, *(f"{edge:.1f}" for edge in self.box), f"{self.score:.4f}", str(self.found).lower()]


def boxes_inside(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """The boxes that have a part inside an image. size: width and height of the image."""
    is_inside = (boxes[:, :2] < size) & (boxes[:, :2] + boxes[:, 2:4] > 0)
    return boxes[is_inside.all(axis=1)]


def chosen_box(boxes: Boxes, prefer: str) -> Boxes | None:
    """The largest box, or that with the best score; None if there is none.

    Args:
        boxes: The boxes.
        prefer: largest or best.
    """
    if not len(boxes):
        return None
    key = boxes[:, 2] * boxes[:, 3] if prefer == "largest" else boxes[:, 4]
    return np.asarray(boxes[int(key.argmax())], dtype=np.float32)


def with_margin(box: Sequence[float], margin: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of an image to crop: left, top, right, bottom in pixels, inside the image and not empty.

    Args:
        box: Left, top, width, height.
        margin: Share of the width that is added on the left and on the right, and of the height above and below.
        size: Width and height of the image.
    """
    edges = []
    for start, length, side in zip(box[:2], box[2:4], size):
        low = min(max(0, round(start - margin * length)), side - 1)
        edges.append((low, max(low + 1, min(side, round(start + length + margin * length)))))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def central_box(size: tuple[int, int], share: float) -> tuple[float, float, float, float]:
    """Left, top, width, height of the centre of an image. share: of its width and height."""
    width, height = size
    return (1 - share) / 2 * width, (1 - share) / 2 * height, share * width, share * height


def write_boxes(path: Path, rows: Iterable[FoundBox]) -> None:
    """Writes boxes.csv, sorted by path."""
    with write_csv(path) as writer:
        writer.writerow(COLUMNS)
        writer.writerows(row.row() for row in sorted(rows, key=lambda row: row.path))


def read_boxes(path: Path, images: Sequence[str]) -> dict[str, Boxes]:
    """Reads the boxes of images from a CSV file.

    Columns: path, x, y, w, h, and optionally score and found. An image may have several rows, or none. Rows whose
    found is `false` are ignored.

    Args:
        path: The file.
        images: Paths of the channel's images.

    Raises:
        InputError: Lists invalid rows and unknown images.
    """
    problems = Problems(str(path))
    boxes: dict[str, list[list[float]]] = {}
    known = set(images)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path}: columns {listing(missing)} are missing; its columns are "
                    f"{listing(reader.fieldnames or ['none'])}, expected {listing(COLUMNS)}"
                )
            for row in reader:
                _add_row(row, reader.line_num, known, boxes, problems)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    raise_all([problems])
    return {image: np.array(rows, np.float32).reshape(-1, 5) for image, rows in boxes.items()}


def _add_row(
    row: Mapping[str, str | None], line: int, known: set[str], boxes: dict[str, list[list[float]]], problems: Problems
) -> None:
    """Adds a row of the file to the boxes, or its problem to the problems."""
    image = (row["path"] or "").replace("\\", "/").removeprefix("./")
    if image not in known:
        problems.add("unknown image", f"line {line}: path {image!r}{did_you_mean(image, known)}")
        return
    if (row.get("found") or "true").strip().lower() in ("false", "0", "no"):
        return
    try:
        values = [float(row[name] or "") for name in NEEDED[1:]]
        score = float(row.get("score") or 1)
    except ValueError:
        problems.add(
            "invalid number", f"line {line}: {listing(str(row[name]) for name in NEEDED[1:])}; expected x y w h"
        )
        return
    if not np.isfinite([*values, score]).all() or min(values[2:]) < 1:  # smaller ones are shares of the image
        problems.add("invalid box", f"line {line}: w {values[2]:g}, h {values[3]:g}; expected pixels, at least 1")
        return
    boxes.setdefault(image, []).append([*values, score])
