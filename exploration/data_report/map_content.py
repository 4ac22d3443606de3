"""What the page shows of the map: points with colours for the script, and a table of the neighbours of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from exploration.data_report.embedding_map import EmbeddingMap
from exploration.data_report.grids import Sheets
from exploration.data_report.report_data import ReportData
from model.evaluation.report.sentences import JOINT_TITLE

STEPS = 10_000  # of the positions
MOST_VALUES = 60  # of a colouring; the rarer ones are joined as OTHER
OTHER, NO_LABEL = "other values", "no label"


@dataclass(frozen=True)
class NeighbourRow:
    """A class in the map.

    Attributes:
        name: Name of the class.
        images: Its images in the map that have a neighbour of another group.
        same: Mean share of their neighbours of other groups that have the same class.
        other: The most frequent other class of the neighbours; "" if there is none.
        other_share: Its mean share.
    """

    name: str
    images: int
    same: float
    other: str
    other_share: float


def map_content(data: ReportData, found: EmbeddingMap, sheets: Sheets) -> dict[str, Any]:
    """The data of the map for data_report.js."""
    rows = found.rows
    positions = np.round(found.positions * STEPS).astype(int)
    has_groups = bool(data.table.grouped_by)
    return {
        "steps": STEPS,
        "x": positions[:, 0].tolist(),
        "y": positions[:, 1].tolist(),
        "paths": [data.paths[row] for row in rows],
        "groups": [str(data.table.groups[row]) for row in rows] if has_groups else [],
        "grouped": data.table.grouped_by,
        "colours": [
            {
                "name": name,
                "values": values,
                "codes": codes,
                "in_card": name != JOINT_TITLE,
                "none": values.index(NO_LABEL) if NO_LABEL in values else -1,
            }
            for name, values, codes in colourings(data, rows)
        ],
        "sheets": sheets.uris,
        "tile": sheets.side,
        "columns": sheets.columns,
        "sizes": [side for size in sheets.sizes for side in size],
    }


def colourings(data: ReportData, rows: np.ndarray) -> list[tuple[str, list[str], list[int]]]:
    """Name, values and the value of each of the rows, for everything by which the points can be coloured.

    Columns of metadata with one value, or mostly different values, are left out.
    """
    table = data.table
    scheme = table.scheme
    # the values of labels and splits in their own order
    ordered: list[tuple[str, Sequence[str], np.ndarray]] = [
        (attribute.name, attribute.values, table.labels[attribute.name].to_numpy()) for attribute in scheme.attributes
    ]
    if len(scheme.attributes) > 1:
        ordered.append((JOINT_TITLE, scheme.class_names, table.classes()))
    if len(data.split_names) > 1:
        ordered.append(("split", data.split_names, data.splits))
    colours = [
        _colouring(name, np.array([*values, NO_LABEL], object)[codes[rows]], values) for name, values, codes in ordered
    ]
    taken = {name for name, _, _ in ordered}
    for name in table.metadata:
        column = table.metadata[name].to_numpy(dtype=object)[rows]
        if 1 < len(set(column)) <= max(len(rows) / 4, 2):
            colours.append(_colouring(f"metadata {name}" if name in taken else str(name), column, ()))
    return colours


def _colouring(name: str, texts: np.ndarray, values: Sequence[str]) -> tuple[str, list[str], list[int]]:
    """A colouring. texts: str (m,), value of each image; values: the order of the values, by frequency if empty.

    If there are more than MOST_VALUES values, the most frequent are kept.
    """
    by_frequency = [text for text, _ in Counter(texts.tolist()).most_common()]
    kept = by_frequency[:MOST_VALUES]
    if values:
        rank = {text: at for at, text in enumerate([*values, NO_LABEL])}
        kept.sort(key=lambda text: rank[text])
    codes = {text: code for code, text in enumerate(kept)}
    shown = kept + ([OTHER] if len(by_frequency) > MOST_VALUES else [])
    return name, shown, [codes.get(text, MOST_VALUES) for text in texts]


def neighbour_table(
    data: ReportData, found: EmbeddingMap, class_names: Sequence[str], classes: np.ndarray
) -> list[NeighbourRow]:
    """The classes of the nearest neighbours of each class, by ascending share of the same class.

    Args:
        data: The images.
        found: The map.
        class_names: Names of the classes.
        classes: int64 (n,), class of each image, negative if its label is missing.
    """
    own, groups = classes[found.rows], data.group_codes[found.rows]
    near = found.neighbours
    # neighbours of other groups, with a label
    counts = (groups[near] != groups[:, None]) & (own[near] >= 0) & (own >= 0)[:, None]
    totals = counts.sum(axis=1)
    at = np.nonzero(counts)
    size = (len(class_names), len(class_names))
    pairs = sparse.csr_array((1 / totals[at[0]], (own[at[0]], own[near][at])), size)  # adds up equal positions
    rows = []
    for code, name in enumerate(class_names):
        images = int(((own == code) & (totals > 0)).sum())
        if not images:
            continue
        shares = pairs[[code]].toarray()[0] / images
        same, shares[code] = shares[code], 0
        other = int(shares.argmax())
        has_other = bool(shares[other])
        rows.append(
            NeighbourRow(name, images, float(same), class_names[other] if has_other else "", float(shares[other]))
        )
    return sorted(rows, key=lambda row: (row.same, row.name))
