"""learnt_from.npz: keys of the images that a saved model learnt from, and of those that selected its epoch."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.artifacts.files import LEARNT_FROM
from model.atomic_write import write_beside
from model.data.datasets import Datasets
from model.data.table import Table
from model.errors import InputError

SIDES = ("train", "validation")


@dataclass(frozen=True)
class LearntFrom:
    """Keys of the contents of images (model.data.content_index), uint64, sorted.

    Attributes:
        train: Of the images that the weights were learnt from.
        validation: Of the images that selected the epoch.
    """

    train: NDArray[np.uint64]
    validation: NDArray[np.uint64]

    @classmethod
    def of(cls, datasets: Datasets) -> LearntFrom | None:
        """The images of a run; None where the contents of some are not known."""
        sides = [_keys(table) for table in (datasets.train, datasets.validation)]
        return None if sides[0] is None or sides[1] is None else cls(sides[0], sides[1])

    def sides(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Of each image, by its key, the index into SIDES; -1 where the model has not seen it. int64 (n,)."""
        found = np.full(len(keys), -1)
        found[_is_in(keys, self.validation)] = SIDES.index("validation")
        found[_is_in(keys, self.train)] = SIDES.index("train")
        return found


def _keys(table: Table | None) -> NDArray[np.uint64] | None:
    if table is None:
        return np.empty(0, np.uint64)
    if table.contents is None or not table.contents.keys.all():
        return None
    return np.unique(table.contents.keys)


def _is_in(keys: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each key is among sorted ones, bool (n,)."""
    if not len(ordered):
        return np.zeros(len(keys), dtype=bool)
    return np.asarray(ordered[np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)] == keys)


def write_learnt_from(folder: Path, learnt_from: LearntFrom | None) -> None:
    """Writes learnt_from.npz into a saved model's folder; removes an earlier one where nothing is known."""
    if learnt_from is None:
        (folder / LEARNT_FROM).unlink(missing_ok=True)
        return
    with write_beside(folder / LEARNT_FROM) as path, path.open("wb") as file:
        np.savez(file, train=learnt_from.train, validation=learnt_from.validation)


def read_learnt_from(folder: Path) -> LearntFrom | None:
    """Reads learnt_from.npz of a saved model; None where there is none. InputError if it is damaged."""
    path = folder / LEARNT_FROM
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            train, validation = (arrays[side] for side in SIDES)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if any(side.dtype != np.uint64 or side.ndim != 1 for side in (train, validation)):
        raise InputError(f"{path}: expected {' and '.join(SIDES)} as 64-bit numbers")
    return LearntFrom(train, validation)
