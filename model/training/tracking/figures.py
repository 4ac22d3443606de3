"""Figures of a validation, drawn with Pillow: the confusion matrix, and a grid of the worst mistakes.

Pillow's own font has Latin letters only, so each figure has a Markdown table with the names of all classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from model.artifacts.model_card import cell_text
from model.evaluation.report.thumbnails import blurred
from model.images.decode import UnreadableImage, read_image
from model.metrics.scores import divide
from model.training.validation import Validation

MATRIX_SIDE = 1000  # largest width of a confusion matrix in pixels, without the names
CELL = 36  # largest side of a cell in pixels
READABLE = 12  # smallest side of a cell in pixels for a number or a name
NAMES_WIDTH = 220  # largest width of a name in pixels
TITLE = "rows: true class; columns: predicted class"
MISTAKES = 16  # thumbnails, at most
TILE = (184, 138)  # width and height of a thumbnail in pixels
CAPTION_HEIGHT = 44  # pixels
MARGIN = 8  # pixels
WHITE, INK, GREY = (255, 255, 255), (30, 30, 30), (224, 224, 224)
RIGHT, WRONG = np.array((31, 96, 168)), np.array((196, 62, 32))  # blue and orange, distinct to the colour-blind too


@dataclass(frozen=True)
class Figure:
    """A drawn image, None without thumbnails, and its content as Markdown with the names of all classes."""

    image: Image.Image | None
    text: str


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@cache
def _has_glyph(letter: str) -> bool:
    missing = font(16).getmask("\uffff")
    mask = font(16).getmask(letter)
    return mask.size != missing.size or bytes(mask) != bytes(missing)


def drawable(text: str) -> bool:
    """Whether the font has every letter."""
    return all(map(_has_glyph, text))


def fitted_text(text: str, size: int, width: float) -> str:
    """text, shortened at its end to at most `width` pixels."""
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def confusion_figure(matrix: np.ndarray, names: Sequence[str]) -> Figure:
    """A confusion matrix. The shade of a cell is its share of the true class, blue if the prediction is correct.

    Args:
        matrix: int64 (C, C), images by true class (rows) and predicted class (columns).
        names: Class names, C.
    """
    classes = len(names)
    cell = max(2, min(CELL, MATRIX_SIDE // classes))
    readable = cell >= READABLE
    size = max(9, min(13, cell // 2))
    labels = [f"{code} {name}" if drawable(name) else str(code) for code, name in enumerate(names)]
    labels = [fitted_text(label, size, NAMES_WIDTH) if readable else "" for label in labels]
    left, top = round(max(font(size).getlength(label) for label in labels)) + 2 * MARGIN, 2 * CELL
    right, bottom = left + cell * classes, top + cell * classes
    image = Image.new("RGB", (round(max(right, font(15).getlength(TITLE))) + 2 * MARGIN, bottom + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), TITLE, INK, font(15))

    # shade the cells: one pixel each, enlarged
    share = divide(matrix.astype(float), np.broadcast_to(matrix.sum(axis=1, keepdims=True), matrix.shape))
    ink = np.where(np.eye(classes, dtype=bool)[..., None], RIGHT, WRONG)
    shade = np.where(share > 0, 0.15 + 0.85 * share, 0)[..., None]  # so that one image among many is visible
    colours = Image.fromarray((np.array(WHITE) * (1 - shade) + ink * shade).astype(np.uint8))
    image.paste(colours.resize((right - left, bottom - top), Image.Resampling.NEAREST), (left, top))

    # write names at the left, class numbers at the top, counts into the cells
    for code, label in enumerate(labels):
        middle = cell * code + cell / 2
        draw.text((left - MARGIN, top + middle), label, INK, font(size), anchor="rm")
        if readable:
            draw.text((left + middle, top - MARGIN), str(code), INK, font(size), anchor="mb")
        for answer in np.flatnonzero(matrix[code]) if cell >= 2 * READABLE else ():
            position = (left + cell * int(answer) + cell / 2, top + middle)
            colour = WHITE if share[code, answer] > 0.5 else INK
            draw.text(position, f"{matrix[code, answer]}", colour, font(size), anchor="mm")
    for offset in range(0, cell * classes + 1, cell if readable else cell * classes):
        draw.line([(left, top + offset), (right, top + offset)], GREY)
        draw.line([(left + offset, top), (left + offset, bottom)], GREY)

    lines = ["| number | class | images | correct |", "| --- | --- | --- | --- |"]
    for code, name in enumerate(names):
        lines.append(f"| {code} | {cell_text(name)} | {matrix[code].sum()} | {matrix[code, code]} |")
    return Figure(image, "\n".join(lines))


def mistakes_figure(validation: Validation, thumbnails: str = "full") -> Figure | None:
    """The most confident wrong predictions, at most MISTAKES; None if every prediction is right.

    Args:
        validation: The validation images and their predictions.
        thumbnails: Which thumbnails the figure shows, an entry of THUMBNAILS; for `none` it is its Markdown alone.
    """
    rows = validation.worst(MISTAKES)
    if not len(rows):
        return None
    image = None if thumbnails == "none" else _grid(validation, rows, thumbnails == "blurred")
    names = validation.table.scheme.class_names
    lines = ["| image | true class | predicted class | probability |", "| --- | --- | --- | --- |"]
    for row in rows:
        true, answer = int(validation.classes[row]), int(validation.answers[row])
        path, probability = validation.table.locations[row].path, validation.probabilities[row, answer]
        cells = (cell_text(path), cell_text(names[true]), cell_text(names[answer]), f"{probability:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return Figure(image, "\n".join(lines))


def _grid(validation: Validation, rows: np.ndarray, blur: bool) -> Image.Image:
    """Thumbnails of some rows with their true and predicted classes."""
    names = validation.table.scheme.class_names
    shown = [name if drawable(name) else f"class {code}" for code, name in enumerate(names)]
    columns = int(np.ceil(np.sqrt(len(rows))))
    width, height = TILE[0] + MARGIN, TILE[1] + CAPTION_HEIGHT
    image = Image.new("RGB", (columns * width + MARGIN, -(-len(rows) // columns) * height + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    for number, row in enumerate(rows):
        x, y = MARGIN + number % columns * width, MARGIN + number // columns * height
        true, answer = int(validation.classes[row]), int(validation.answers[row])
        probability = float(validation.probabilities[row, answer])
        thumbnail = _thumbnail(validation, int(row), blur)
        image.paste(thumbnail, (x + (TILE[0] - thumbnail.width) // 2, y + (TILE[1] - thumbnail.height) // 2))
        captions = ((f"true: {shown[true]}", RIGHT), (f"{probability:.0%}: {shown[answer]}", WRONG))
        for line, (text, colour) in enumerate(captions):
            position = (x, y + TILE[1] + 3 + 17 * line)
            draw.text(position, fitted_text(text, 13, TILE[0]), tuple(colour.tolist()), font(13))
    return image


def _thumbnail(validation: Validation, row: int, blur: bool) -> Image.Image:
    """The image of a row, enlarged again if it is blurred; a grey tile if it can no longer be read."""
    table = validation.table
    try:
        picture = read_image(table.root, table.locations[row], draft=TILE, pixel_range=validation.pixel_range)
    except UnreadableImage:
        return Image.new("RGB", TILE, GREY)
    return ImageOps.contain(blurred(picture) if blur else picture, TILE)
