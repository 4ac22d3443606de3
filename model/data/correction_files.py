"""Finds the log of corrections of a channel, and checks that its rows are for images of the data."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Sequence
from pathlib import Path

from model.data.correction_record import CorrectionRecord, merged
from model.data.corrections import PROBLEM, Correction
from model.data.table import Table
from model.errors import Problems, did_you_mean, listing

MOST_CANDIDATES = 20_000  # paths among which the nearest one is searched, which takes about a second
SHOWN = 3

log = logging.getLogger("rarebird")


def log_path(corrections: str, root: Path) -> Path:
    """The path of a log: as the setting says, or in the channel if there is no such file.

    Args:
        corrections: The setting.
        root: Folder of the channel.
    """
    path = Path(corrections)
    return root / path if not path.is_file() and (root / path).is_file() else path


def own_logs(corrections: str | None, roots: Sequence[Path]) -> list[str | None]:
    """The log of each channel: one for all, or a file in each channel that has one.

    Args:
        corrections: The setting.
        roots: Folders of the channels.

    Returns:
        A path for each channel, None without one. If there is no such file anywhere, the first is the setting, so that
        reading it fails.
    """
    if not corrections:
        return [None for _ in roots]
    paths = [log_path(corrections, root) for root in roots]
    exist = [path.is_file() for path in paths]
    if not any(exist):
        return [corrections, *(None for _ in roots[1:])]
    return [str(path) if is_file else None for path, is_file in zip(paths, exist)]


def drop_repeated(problems: Problems, first: Problems) -> None:
    """Removes problems of a log that are also problems of the first channel to which it was applied."""
    for kind in [kind for kind in problems.kinds if kind.startswith(PROBLEM)]:
        known = set(first.kinds.get(kind, ()))
        problems.kinds[kind] = [location for location in problems.kinds[kind] if location not in known]
        if not problems.kinds[kind]:
            del problems.kinds[kind]


def records_by_log(tables: Sequence[Table]) -> list[list[CorrectionRecord]]:
    """The records of the tables, together if they are of the same log. Tables of one channel have the same record."""
    by_log: dict[tuple[str, str], dict[int, CorrectionRecord]] = {}
    for table in tables:
        if table.corrected is not None:
            record = table.corrected
            by_log.setdefault((record.file, record.digest), {})[id(record)] = record
    return [list(records.values()) for records in by_log.values()]


def check_corrections(tables: Sequence[Table], problems: Problems) -> None:
    """Logs what the corrections changed, and checks that their rows are for images of the tables.

    Rows for other images are a warning: a log of a whole channel may be used with a part of it. If all rows are for
    other images, that is a problem; likewise a path that is in more than one channel.

    Args:
        tables: The channels of a run.
        problems: Collects rows that match no image or several images.
    """
    for records in records_by_log(tables):
        record = merged(records)
        log.info("%s", record.text())
        for sentence in record.details():
            log.warning("%s: %s", record.source, sentence)
        shared = frozenset.intersection(*(one.paths for one in records)) if len(records) > 1 else ()
        for path in sorted(shared):
            folders = [table.root.name for table in tables]
            problems.add(
                f"{PROBLEM}path in several channels",
                f"{record.file}: {path} is in {listing(folders)}; write which one, such as {folders[0]}/{path}",
                "a log that lies in its channel applies to this channel only: --corrections corrections.csv",
            )
        if record.elsewhere:
            _report_elsewhere(record, tables, problems)


def _report_elsewhere(record: CorrectionRecord, tables: Sequence[Table], problems: Problems) -> None:
    """A warning about rows for images that the data does not have; a problem if all rows are for such images."""
    paths = [path for table in tables for path in table.locations.paths]
    sentences = elsewhere_texts(record, paths, [name for table in tables for name in dict.fromkeys(table.groups)])
    if not record.rows:
        for sentence in sentences:
            problems.add(f"{PROBLEM}no image or group of the data", sentence)
        return
    log.warning(
        "%s: %d of %d rows are for images or groups that the data does not have, and are ignored: %s",
        *(record.source, len(record.elsewhere), len(record.elsewhere) + sum(record.rows.values())),
        listing(sentences, SHOWN),
    )


def elsewhere_texts(record: CorrectionRecord, paths: Sequence[str], groups: Sequence[str]) -> list[str]:
    """For each row of an image or group that does not exist, its line and, for the first ones, the nearest name.

    Args:
        record: The record.
        paths: Paths of the images.
        groups: Names of the groups.
    """
    texts = []
    for number, row in enumerate(record.elsewhere):
        near = _nearest(row, paths, groups) if number < SHOWN else ""
        texts.append(f"line {row.line}: {row.subject}{near}")
    return texts


def _nearest(row: Correction, paths: Sequence[str], groups: Sequence[str]) -> str:
    """`; nearest: NAME` for the image or group of a row."""
    if not row.path:
        return did_you_mean(row.group, groups[:MOST_CANDIDATES])
    folder, name = posixpath.split(row.path)
    moved = [path for path in paths if path == name or path.endswith(f"/{name}")]
    beside = [path for path in paths if posixpath.dirname(path) == folder]
    candidates = moved or beside or paths
    return f"; nearest: {moved[0]}" if len(moved) == 1 else did_you_mean(row.path, candidates[:MOST_CANDIDATES])
