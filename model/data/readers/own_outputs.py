"""Tables that Rarebird writes, which a channel is never read from where no setting names one."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from model.errors import listing

log = logging.getLogger("rarebird")

OF_ANSWERS = ("probabilities.csv", "errors.csv", "predictions.csv", "learnt_from.csv")
OWN_OUTPUTS = ("output.csv", *OF_ANSWERS, "split.csv", "unreadable.csv", "suspects.csv", "compared.csv")
BESIDE_ANSWERS = tuple(f".{name}" for name in OF_ANSWERS)  # of answers STEM.csv
TRUTH = "gt.csv"  # a table like others, but not the one to read where there are others
USUAL = ("train.csv", "info.csv")


def input_tables(tables: Iterable[str]) -> list[str]:
    """The tables of a folder that it may be read from: all but those that Rarebird wrote, which are logged.

    Args:
        tables: Names of the tables in the folder.
    """
    names = list(tables)
    written = {name for name in names if name.lower() in OWN_OUTPUTS or name.lower().endswith(BESIDE_ANSWERS)}
    written |= {
        name
        for name in names
        if name not in USUAL and f"{name.rpartition('.')[0]}{BESIDE_ANSWERS[0]}" in written
    }  # fmt: skip
    left = [name for name in names if name not in written]
    if len(left) > 1:
        written |= {name for name in left if name.lower() == TRUTH}
        left = [name for name in left if name not in written]
    if written:
        log.info("%s not read: outputs of Rarebird; the setting table names one to read", listing(sorted(written)))
    return left
