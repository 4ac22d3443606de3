"""Tables that Rarebird writes, which are not read as the table of a channel unless a setting names them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from model.data.readers.text_files import LINE_END, read_beginning
from model.errors import listing

log = logging.getLogger("rarebird")

OF_ANSWERS = ("probabilities.csv", "errors.csv", "predictions.csv", "learnt_from.csv")
OF_REVIEWS = ("suspects.csv", "audit.csv", "corrections.csv", "boxes.csv")
OWN_OUTPUTS = (
    "output.csv",
    *OF_ANSWERS,
    "split.csv",
    "unreadable.csv",
    "compared.csv",
    "training_dynamics.csv",
    *OF_REVIEWS,
)
OF_LOGS = {"attribute", "action", "value"}  # columns of a log of corrections; the log of --clean is cleaned.csv
BESIDE_ANSWERS = tuple(f".{name}" for name in OF_ANSWERS)  # files next to predictions that are called STEM.csv
TRUTH = "gt.csv"  # not read if there is another table
USUAL = ("train.csv", "info.csv")


def is_log_of_corrections(path: Path) -> bool:
    """Whether a table is a log of corrections under another name than corrections.csv, by its header."""
    first = LINE_END.split(read_beginning(path), maxsplit=1)[0].lower()
    columns = {column.strip().strip('"') for column in re.split("[,;\t]", first)}
    return columns >= OF_LOGS and not columns.isdisjoint(("path", "group"))


def input_tables(tables: Iterable[str], folder: Path) -> list[str]:
    """The tables of a folder except those that Rarebird wrote, which are logged.

    Args:
        tables: Names of the tables in the folder.
        folder: The folder.
    """
    names = list(tables)
    written = {name for name in names if name.lower() in OWN_OUTPUTS or name.lower().endswith(BESIDE_ANSWERS)}
    written |= {
        name
        for name in names
        if name not in USUAL and f"{name.rpartition('.')[0]}{BESIDE_ANSWERS[0]}" in written
    }  # fmt: skip
    written |= {name for name in names if name not in written and is_log_of_corrections(folder / name)}
    others = [name for name in names if name not in written]
    if len(others) > 1:
        written |= {name for name in others if name.lower() == TRUTH}
        others = [name for name in others if name not in written]
    if written:
        log.info(
            "%s not read: written by Rarebird; to read such a file anyway, set --table NAME", listing(sorted(written))
        )
    return others
