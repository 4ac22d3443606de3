"""Which layout a channel has, and its rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from model.data.readers.annotation_files import (
    PICTURE_COLUMNS,
    column_named,
    csv_header,
    read_csv_rows,
    read_lst,
    read_manifest,
)
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.folders import Rows, classes_base, profiles_base, read_classes, read_profiles
from model.errors import Problems, did_you_mean, listing

log = logging.getLogger("rarebird")

SUFFIXES = {"csv": (".csv",), "lst": (".lst",), "manifest": (".manifest", ".jsonl")}


def read_rows(
    files: ChannelFiles, layout: str, table: str | None, picture_column: str | None, problems: Problems
) -> Rows | None:
    """The rows of a channel: auto recognises the layout, else it is csv, profiles, classes, lst or manifest.
    None, and a problem, where it cannot be read."""
    if table is not None and choose_table(files, table, [], (), problems) is None:
        return None
    names = files.folder().names("file")
    tables = {kind: [name for name in names if name.lower().endswith(SUFFIXES[kind])] for kind in SUFFIXES}
    naming = [name for name in tables["csv"] if names_pictures(files.root / name, picture_column)]
    if layout == "auto":
        layout = _kind(table) if table else _recognise(files, tables, bool(naming))
    if layout == "profiles":
        return read_profiles(files, problems)
    if layout == "classes":
        return read_classes(files, problems)
    if layout not in SUFFIXES:
        there = listing(files.folder().kinds, 8)
        expected = f"a CSV with a column {' or '.join(PICTURE_COLUMNS)}, folders of pictures, a .lst or a .manifest"
        problems.add("channel of no known layout", f"{files.root} holds {there}; expected {expected}")
        return None
    candidates = naming if layout == "csv" and naming else tables[layout]
    name = choose_table(files, table, candidates, ("train.csv", "info.csv"), problems)
    if name is None:
        return None
    if layout == "csv":
        return read_csv_rows(files, name, picture_column, problems)
    return read_lst(files, name, problems) if layout == "lst" else read_manifest(files, name, problems)


def _kind(table: str) -> str:
    return next((kind for kind in SUFFIXES if table.lower().endswith(SUFFIXES[kind])), "csv")


def _recognise(files: ChannelFiles, tables: dict[str, list[str]], naming: bool) -> str:
    """The layout's name, "" where it is none. A CSV that names no pictures counts only where nothing else is there."""
    if naming:
        return "csv"
    layout = next((kind for kind in ("lst", "manifest") if tables[kind]), "")
    if not layout:
        layout = "profiles" if profiles_base(files) is not None else ""
    if not layout:
        layout = "classes" if classes_base(files) is not None else ""
    if layout and tables["csv"]:
        log.warning("%s not read, without a column %s", listing(tables["csv"]), " or ".join(PICTURE_COLUMNS))
    return layout or ("csv" if tables["csv"] else "")


def names_pictures(path: Path, picture_column: str | None) -> bool:
    """Whether a CSV has a picture column."""
    return column_named(csv_header(path), *([picture_column] if picture_column else PICTURE_COLUMNS)) is not None


def choose_table(
    files: ChannelFiles, named: str | None, candidates: list[str], usual: Iterable[str], problems: Problems
) -> str | None:
    """The table that is named, else of the candidates one of a usual name, else the only one; None, and a problem,
    where there is none."""
    if named is not None:
        names = files.folder().names("file")
        if named in names:
            return named
        there = listing(names) or "no files"
        problems.add("missing table", f"there is no {named!r}; there are {there}{did_you_mean(named, names)}")
        return None
    for name in usual:
        if name in candidates:
            return name
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        problems.add("several tables", f"{listing(candidates)}; name one by table")
    else:
        problems.add("missing table", f"{files.root} holds none; there are {listing(files.folder().kinds, 8)}")
    return None
