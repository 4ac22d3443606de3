"""Confusion matrices for the report: a table for few classes, a heat map for many, and the most frequent confusions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from model.evaluation.evaluate import Scores
from model.evaluation.report.picture_lists import PictureLists
from model.labels import Scheme
from model.metrics.scores import NO_ANSWER

LEVELS = 9  # shades of a cell
MOST_IN_TABLE = 30  # classes; the numbers of more would not be legible
MOST_IN_HEAT_MAP = 250  # classes per side; more are added up in blocks, because single cells would not be visible
PAIRS = 10  # confusions listed next to a table
PAIRS_OF_MANY = 25  # confusions listed next to a heat map


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix.

    count: Number of images; share: their share of the row; level: shade, 0 (empty) to LEVELS; right: whether the
    prediction is the true class; key: key of the list of its images, "" for an empty cell.
    """

    count: int
    share: float
    level: int
    right: bool
    key: str


@dataclass(frozen=True)
class Row:
    """The images of one true class. support: Their number."""

    name: str
    cells: list[Cell]
    unanswered: Cell
    support: int


@dataclass(frozen=True)
class Pair:
    """A confusion: images of one class that are predicted as another. answered: "" for images without a prediction."""

    truth: str
    answered: str
    cell: Cell


@dataclass(frozen=True)
class HeatMap:
    """A confusion matrix as shaded squares.

    side: Number of blocks per side, each of `block` classes; right, wrong: SVG paths of the blocks on the diagonal and
    of the others, by level of shade.
    """

    side: int
    block: int
    right: dict[int, str]
    wrong: dict[int, str]


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix of the joint class or of an attribute.

    rows: Empty if there is a heat map; edges: classes before which a line is drawn, because the value of the first of
    several attributes changes.
    """

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
    """The matrix of a target. Adds the images of every shown cell to lists.

    Args:
        name: Name of the target.
        scheme: Label scheme of the target.
        scores: Scores of the target.
        truth: int64 (n,), true classes.
        answers: int64 (n,), predicted classes, NO_ANSWER without a prediction.
        lists: The lists of images of the report, in the order of truth and answers.
    """
    counts, names = scores.confusion, scores.class_names
    support = np.array([scores.per_class[label].support for label in names])
    unanswered = support - counts.sum(axis=1)
    codes = np.append(scores.classes, NO_ANSWER)  # class of each row and column; the last column is NO_ANSWER
    few = len(names) <= MOST_IN_TABLE

    def cell(row: int, column: int) -> Cell:
        count = int(unanswered[row] if column == NO_ANSWER else counts[row, column])
        share = count / support[row] if support[row] else 0.0
        key = ""
        if count:
            predicted = "no prediction" if column == NO_ANSWER else f"predicted as {names[column]}"
            title = f"{names[row]}, {predicted}"
            key = lists.add(
                f"{name}-{row}-{column}", title, (truth == codes[row]) & (answers == codes[column]), row != column
            )
        return Cell(count, float(share), level(share), row == column, key)

    rows = []
    if few:
        rows = [
            Row(label, [cell(row, column) for column in range(len(names))], cell(row, NO_ANSWER), int(support[row]))
            for row, label in enumerate(names)
        ]
    inner = scheme.num_classes // len(scheme.attributes[0].values)  # classes of one value of the first attribute
    return Matrix(
        name=name,
        class_names=names,
        rows=rows,
        heat_map=None if few else make_heat_map(counts, support),
        pairs=[
            Pair(names[row], "" if column == NO_ANSWER else names[column], cell(row, column))
            for row, column in _most_frequent(counts, unanswered, PAIRS if few else PAIRS_OF_MANY)
        ],
        edges=frozenset(range(inner, len(names), inner)) if inner > 1 and not scheme.is_large else frozenset(),
        has_unanswered=bool(unanswered.any()),
    )


def level(share: float) -> int:
    """The level of shade of a share, 0 to LEVELS, by its square root, so that a few percent are visible."""
    return math.ceil(LEVELS * math.sqrt(share)) if share else 0


def make_heat_map(counts: sparse.csr_array, support: np.ndarray) -> HeatMap:
    """The heat map of a confusion matrix, with at most MOST_IN_HEAT_MAP blocks on a side.

    A block on the diagonal shows correct predictions only, not confusions between its own classes.

    Args:
        counts: int64 (C, C), sparse, rows are the true classes.
        support: int64 (C,), images of each class.
    """
    block = math.ceil(counts.shape[0] / MOST_IN_HEAT_MAP)
    starts = np.arange(0, counts.shape[0], block)
    # add up the cells of each block; on the diagonal only correct predictions
    cells = counts.tocoo()
    blocks = np.zeros((len(starts), len(starts)), np.int64)
    np.add.at(blocks, (cells.row // block, cells.col // block), cells.data)
    np.fill_diagonal(blocks, np.add.reduceat(counts.diagonal(), starts))
    support_of_blocks = np.add.reduceat(support, starts)
    # one SVG path per level of shade: a unit square at every block of that level
    right: dict[int, list[str]] = {}
    wrong: dict[int, list[str]] = {}
    for row, column in np.argwhere(blocks):
        shades = right if row == column else wrong
        shades.setdefault(level(blocks[row, column] / support_of_blocks[row]), []).append(f"M{column} {row}h1v1h-1z")
    paths = [{shade: "".join(squares) for shade, squares in sorted(shades.items())} for shades in (right, wrong)]
    return HeatMap(len(starts), block, *paths)


def _most_frequent(counts: sparse.csr_array, unanswered: np.ndarray, most: int) -> list[tuple[int, int]]:
    """(true class, predicted class) of the most frequent mistakes; NO_ANSWER for a missing prediction."""
    cells, last = counts.tocoo(), counts.shape[1]  # missing predictions are an additional last column
    rows = np.concatenate([cells.row, np.arange(len(unanswered))])
    columns = np.concatenate([cells.col, np.full(len(unanswered), last)])
    mistakes = np.concatenate([np.where(cells.row == cells.col, 0, cells.data), unanswered])
    order = np.lexsort((columns, rows, -mistakes))[:most]
    return [
        (int(rows[at]), NO_ANSWER if columns[at] == last else int(columns[at])) for at in order.tolist() if mistakes[at]
    ]
