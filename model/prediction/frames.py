"""DataFrames of predictions and of true classes as the files that evaluation reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import pandas as pd

from model.answers.files import OUTPUT, PROBABILITIES, TRUTH
from model.errors import InputError, listing

NAME_COLUMN = "ImageID"
NUM_CLASSES = "num_classes"  # in the attrs of a DataFrame of predictions: its number of columns of probabilities


def prediction_files(frame: pd.DataFrame, folder: Path) -> Path:
    """Writes output.csv and probabilities.csv of a DataFrame that `predict` returned. Returns the path of output.csv.

    Images are named by their paths without the folder that all share.

    Raises:
        InputError: Columns of `predict` are missing.
    """
    columns = [str(column) for column in frame.columns]
    missing = [name for name in ("picture", "class", "error") if name not in columns]
    if missing:
        raise InputError(
            f"predictions: no column {listing(missing)}; expected the columns that rarebird.predict returns"
        )
    # the caller may have added columns at the end; pandas keeps attrs in most operations
    first = columns.index("error") + 1
    classes = columns[first : first + frame.attrs.get(NUM_CLASSES, len(columns))]
    if not classes:
        raise InputError("predictions: no columns of probabilities; expected the columns that rarebird.predict returns")
    names = pd.Series(without_shared_folder(frame["picture"].astype(str)), frame.index, name=NAME_COLUMN)
    pd.concat([names, frame["class"].rename("ans")], axis=1).to_csv(folder / OUTPUT, index=False)
    pd.concat([names, frame[classes]], axis=1).to_csv(folder / PROBABILITIES, index=False)
    return folder / OUTPUT


def without_shared_folder(paths: Sequence[str]) -> list[str]:
    """The paths relative to the innermost folder that contains all of them: what a ground truth calls the images."""
    folders = [PurePath(path).parent.parts for path in paths]
    first, last = min(folders, default=()), max(folders, default=())
    # what the first and the last in order share, all share
    shared = next(
        (depth for depth, pair in enumerate(zip(first, last)) if pair[0] != pair[1]), min(len(first), len(last))
    )
    return [PurePath(*PurePath(path).parts[shared:]).as_posix() for path in paths]


def truth_file(frame: pd.DataFrame, folder: Path) -> Path:
    """Writes true classes as gt.csv. Returns its path."""
    frame.to_csv(folder / TRUTH, index=False)
    return folder / TRUTH
