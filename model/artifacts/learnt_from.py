"""learnt_from.npz: keys of the images that a saved model was trained on, and of those that selected its epoch."""

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
        train: Keys of the training images.
        validation: Keys of the validation images, which selected the epoch.
    """

    train: NDArray[np.uint64]
    validation: NDArray[np.uint64]

    @classmethod
    def of(cls, datasets: Datasets) -> LearntFrom | None:
        """The images of a run; None if the contents of some were not hashed."""
        sides = [_keys(table) for table in (datasets.train, datasets.validation)]
        return None if sides[0] is None or sides[1] is None else cls(sides[0], sides[1])

    def sides(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The index into SIDES of each image, by its key, int64 (n,); -1 if the model has not seen the image."""
        sides = np.full(len(keys), -1)
        sides[_is_in(keys, self.validation)] = SIDES.index("validation")
        sides[_is_in(keys, self.train)] = SIDES.index("train")
        return sides


def _keys(table: Table | None) -> NDArray[np.uint64] | None:
    if table is None:
        return np.empty(0, np.uint64)
    if table.contents is None or not table.contents.keys.all():
        return None
    return np.unique(table.contents.keys)


def _is_in(keys: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each key is in a sorted array, bool (n,)."""
    if not len(ordered):
        return np.zeros(len(keys), dtype=bool)
    return np.asarray(ordered[np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)] == keys)


def write_learnt_from(folder: Path, learnt_from: LearntFrom | None) -> None:
    """Writes learnt_from.npz into a saved model's folder. None removes an earlier file."""
    if learnt_from is None:
        (folder / LEARNT_FROM).unlink(missing_ok=True)
        return
    with write_beside(folder / LEARNT_FROM) as path, path.open("wb") as file:
        np.savez(file, train=learnt_from.train, validation=learnt_from.validation)


def read_learnt_from(folder: Path) -> LearntFrom | None:
    """Reads learnt_from.npz of a saved model; None if there is none. InputError if it is damaged."""
    path = folder / LEARNT_FROM
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            train, validation = (arrays[side] for side in SIDES)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: unreadable: {error}") from None
    if any(side.dtype != np.uint64 or side.ndim != 1 for side in (train, validation)):
        raise InputError(f"{path}: expected the arrays {' and '.join(SIDES)}, each of 64-bit integers")
    return LearntFrom(train, validation)
