"""Confusion matrices as the page shows them: as a table where the classes are few, as a heat map where they are many,
and the pairs of classes that are mistaken for each other most often."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model.evaluation.evaluate import Scores
from model.evaluation.report.picture_lists import PictureLists
from model.labels import Scheme
from model.metrics.scores import NO_ANSWER

LEVELS = 9  # shades of a cell
MOST_IN_TABLE = 30  # classes; with more the numbers would not be legible
MOST_IN_HEAT_MAP = 250  # classes a side; more are added up in blocks, as their cells could not be seen
PAIRS = 10
PAIRS_OF_MANY = 25  # where there is no table


@dataclass(frozen=True)
class Cell:
    """count: pictures; share: of the row's; level: its shade, 0 (none) to LEVELS; key: its list of pictures, "" where
    there is none."""

    count: int
    share: float
    level: int
    right: bool
    key: str


@dataclass(frozen=True)
class Row:
    name: str
    cells: list[Cell]
    unanswered: Cell
    support: int


@dataclass(frozen=True)
class Pair:
    """Pictures of one class that are answered as another. answered: "" where there is no answer."""

    truth: str
    answered: str
    cell: Cell


@dataclass(frozen=True)
class HeatMap:
    """side: blocks a side, each of `block` classes; right, wrong: by level, the outlines of its blocks as an SVG
    path."""

    side: int
    block: int
    right: dict[int, str]
    wrong: dict[int, str]


@dataclass(frozen=True)
class Matrix:
    """The confusion of the joint class or of an attribute. edges: classes before which the first of several attributes
    changes; rows are empty where there is a heat map."""

    name: str
    class_names: list[str]
    rows: list[Row]
    heat_map: HeatMap | None
    pairs: list[Pair]
    edges: frozenset[int]
    has_unanswered: bool


def make_matrix(
    name: str, scheme: Scheme, scores: Scores, truth: np.ndarray, answers: np.ndarray, lists: PictureLists
) -> Matrix:
    """truth, answers: classes (n,) of the scheme, in the order of lists' pictures. Every cell that is shown has its
    pictures in lists."""
    counts, names = scores.confusion, scores.class_names
    support = np.array([scores.per_class[of].support for of in names])
    unanswered = support - counts.sum(axis=1)
    few = len(names) <= MOST_IN_TABLE

    def cell(row: int, column: int) -> Cell:
        count = int(unanswered[row] if column == NO_ANSWER else counts[row, column])
        share = count / support[row] if support[row] else 0.0
        key = ""
        if count:
            answered = "not answered" if column == NO_ANSWER else f"answered {names[column]}"
            title = f"{names[row]}, {answered}"
            key = lists.add(f"{name}-{row}-{column}", title, (truth == row) & (answers == column), row != column)
        return Cell(count, float(share), level(share), row == column, key)

    rows = []
    if few:
        rows = [
            Row(of, [cell(row, column) for column in range(len(names))], cell(row, NO_ANSWER), int(support[row]))
            for row, of in enumerate(names)
        ]
    inner = scheme.num_classes // len(scheme.attributes[0].values)
    return Matrix(
        name=name,
        class_names=names,
        rows=rows,
        heat_map=None if few else make_heat_map(counts, support),
        pairs=[
            Pair(names[row], "" if column == NO_ANSWER else names[column], cell(row, column))
            for row, column in _most_frequent(counts, unanswered, PAIRS if few else PAIRS_OF_MANY)
        ],
        edges=frozenset(range(inner, len(names), inner)) if inner > 1 else frozenset(),
        has_unanswered=bool(unanswered.any()),
    )


def level(share: float) -> int:
    """The shade of a share: by its square root, so that a few per cent are seen."""
    return math.ceil(LEVELS * math.sqrt(share)) if share else 0


def make_heat_map(counts: np.ndarray, support: np.ndarray) -> HeatMap:
    """counts: (C, C), rows truth; support: pictures of each class, (C,). A block on the diagonal shows its right
    answers alone, not those that one of its classes gives for another."""
    block = math.ceil(len(counts) / MOST_IN_HEAT_MAP)
    starts = np.arange(0, len(counts), block)
    blocks = np.add.reduceat(np.add.reduceat(counts, starts, axis=0), starts, axis=1)
    np.fill_diagonal(blocks, np.add.reduceat(counts.diagonal(), starts))
    of_rows = np.add.reduceat(support, starts)
    right: dict[int, list[str]] = {}
    wrong: dict[int, list[str]] = {}
    for row, column in np.argwhere(blocks):
        shades = right if row == column else wrong
        shades.setdefault(level(blocks[row, column] / of_rows[row]), []).append(f"M{column} {row}h1v1h-1z")
    joined = [{shade: "".join(paths) for shade, paths in sorted(shades.items())} for shades in (right, wrong)]
    return HeatMap(len(starts), block, *joined)


def _most_frequent(counts: np.ndarray, unanswered: np.ndarray, most: int) -> list[tuple[int, int]]:
    """(class, answer) of the most frequent mistakes, no answer (-1) being one."""
    mistakes = np.column_stack([counts, unanswered])
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, mistakes.shape)
    return [
        (int(row), NO_ANSWER if column == len(counts) else int(column))
        for row, column in zip(rows, columns)
        if mistakes[row, column]
    ]
