"""Pictures of a run: its confusion matrix, and a grid of its worst mistakes. Pillow's own font has Latin letters alone,
so each comes with a Markdown text that has every name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from model.artifacts.model_card import cell_text
from model.images.decode import UnreadablePicture, read_picture
from model.metrics.scores import divide
from model.training.validation import Validation

SIDE = 1000  # pixels that a confusion matrix is at most wide, names not counted
CELL = 36  # pixels, at most
READABLE = 12  # pixels that a cell must at least have for a number or a name
NAMES_WIDTH = 220  # pixels
TITLE = "rows: true class; columns: answer"
MISTAKES = 16
TILE = (184, 138)  # width and height of a thumbnail in pixels
MARGIN = 8
WHITE, INK, GREY = (255, 255, 255), (30, 30, 30), (224, 224, 224)
RIGHT, WRONG = np.array((31, 96, 168)), np.array((196, 62, 32))  # blue and orange: told apart by the colour-blind too


@dataclass(frozen=True)
class Picture:
    """text: Markdown, what the picture shows with the names of all classes."""

    image: Image.Image
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


def confusion_picture(matrix: np.ndarray, names: Sequence[str]) -> Picture:
    """matrix: pictures by class (rows) and answer (columns). A cell's shade is its share of its class, blue where the
    answer is right."""
    number = len(names)
    cell = max(2, min(CELL, SIDE // number))
    readable = cell >= READABLE
    size = max(9, min(13, cell // 2))
    labels = [f"{code} {name}" if drawable(name) else str(code) for code, name in enumerate(names)]
    labels = [fitted_text(label, size, NAMES_WIDTH) if readable else "" for label in labels]
    left, top = round(max(font(size).getlength(label) for label in labels)) + 2 * MARGIN, 2 * CELL
    right, bottom = left + cell * number, top + cell * number
    image = Image.new("RGB", (round(max(right, font(15).getlength(TITLE))) + 2 * MARGIN, bottom + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), TITLE, INK, font(15))

    share = divide(matrix.astype(float), np.broadcast_to(matrix.sum(axis=1, keepdims=True), matrix.shape))
    ink = np.where(np.eye(number, dtype=bool)[..., None], RIGHT, WRONG)
    shade = np.where(share > 0, 0.15 + 0.85 * share, 0)[..., None]  # one picture among many is still seen
    colours = Image.fromarray((np.array(WHITE) * (1 - shade) + ink * shade).astype(np.uint8))
    image.paste(colours.resize((right - left, bottom - top), Image.Resampling.NEAREST), (left, top))
    for code, label in enumerate(labels):
        middle = cell * code + cell / 2
        draw.text((left - MARGIN, top + middle), label, INK, font(size), anchor="rm")
        if readable:
            draw.text((left + middle, top - MARGIN), str(code), INK, font(size), anchor="mb")
        for answer in np.flatnonzero(matrix[code]) if cell >= 2 * READABLE else ():
            place = (left + cell * int(answer) + cell / 2, top + middle)
            colour = WHITE if share[code, answer] > 0.5 else INK
            draw.text(place, f"{matrix[code, answer]}", colour, font(size), anchor="mm")
    for at in range(0, cell * number + 1, cell if readable else cell * number):
        draw.line([(left, top + at), (right, top + at)], GREY)
        draw.line([(left + at, top), (left + at, bottom)], GREY)
    lines = ["| number | class | pictures | right |", "| --- | --- | --- | --- |"]
    for code, name in enumerate(names):
        lines.append(f"| {code} | {cell_text(name)} | {matrix[code].sum()} | {matrix[code, code]} |")
    return Picture(image, "\n".join(lines))


def mistakes_picture(validation: Validation) -> Picture | None:
    """The wrong answers that the network was surest of, at most MISTAKES; None where every answer is right."""
    rows = validation.worst(MISTAKES)
    if not len(rows):
        return None
    names = validation.table.scheme.class_names
    shown = [name if drawable(name) else f"class {code}" for code, name in enumerate(names)]
    columns = int(np.ceil(np.sqrt(len(rows))))
    width, height = TILE[0] + MARGIN, TILE[1] + 44
    image = Image.new("RGB", (columns * width + MARGIN, -(-len(rows) // columns) * height + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    lines = ["| picture | true class | answer | probability |", "| --- | --- | --- | --- |"]
    for number, row in enumerate(rows):
        x, y = MARGIN + number % columns * width, MARGIN + number // columns * height
        true, answer = int(validation.classes[row]), int(validation.answers[row])
        sureness = float(validation.probabilities[row, answer])
        thumbnail = _thumbnail(validation, int(row))
        image.paste(thumbnail, (x + (TILE[0] - thumbnail.width) // 2, y + (TILE[1] - thumbnail.height) // 2))
        told = (f"true: {shown[true]}", f"{sureness:.0%}: {shown[answer]}")
        for line, (text, colour) in enumerate(zip(told, (RIGHT, WRONG))):
            place = (x, y + TILE[1] + 3 + 17 * line)
            draw.text(place, fitted_text(text, 13, TILE[0]), tuple(colour.tolist()), font(13))
        path = validation.table.locations[row].path
        lines.append(f"| {cell_text(path)} | {cell_text(names[true])} | {cell_text(names[answer])} | {sureness:.3f} |")
    return Picture(image, "\n".join(lines))


def _thumbnail(validation: Validation, row: int) -> Image.Image:
    """A grey one where the picture is gone since it was answered."""
    table = validation.table
    try:
        picture = read_picture(table.root, table.locations[row], draft=TILE)
    except UnreadablePicture:
        return Image.new("RGB", TILE, GREY)
    return ImageOps.contain(picture, TILE)
