"""Formats runs with the settings that differ: as text tables for the terminal and as a CSV table."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from exploration.run_records import SCORES, Run, Score
from model.metrics.epoch_metrics import CRITERIA
from model.runtime.terminal import counted, shortened, table_width, text_table, text_width
from model.settings.fields import as_dict, value_text
from model.settings.train import TrainSettings

WIDEST_VALUE = 18  # of a setting's value or header, in columns of the terminal
NARROWEST_TEXT = 40  # of a run's settings as a text, likewise
# Scores to sort by, for each value of the setting `sort`; the second is used for runs without validation images
SORTED_BY = {sort: (CRITERIA[name].name, CRITERIA[name].score) for sort, name in (("f1", "f1"), ("accuracy", "acc"))}


def sorted_runs(runs: Sequence[Run], sort: str) -> list[Run]:
    """Sorts runs by the setting `sort`; runs without a score come last."""

    def key(run: Run) -> tuple[Any, ...]:
        scores = [run.scores[name]["value"] for name in SORTED_BY.get(sort, ()) if name in run.scores]
        newest = -run.saved.timestamp() if sort != "name" else 0.0
        return (not scores, -(scores[0] or 0.0) if scores else 0.0, newest, run.folder.as_posix())

    return sorted(runs, key=key)


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """Names of the settings that are not the same in all runs, in the order of --help-all. Without epochs, which have a
    column of their own."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    order = list(as_dict(TrainSettings()))
    differing = [name for name in names if name != "epochs" and len({repr(run.settings.get(name)) for run in runs}) > 1]
    return sorted(differing, key=lambda name: order.index(name.split(".")[0]) if name.split(".")[0] in order else -1)


def runs_text(runs: Sequence[Run], root: Path, width: int) -> str:
    """Text tables of the runs, at most `width` wide.

    Scores on different data cannot be compared: runs with the same channel, classes, images and labels have a table,
    in the order of their first runs, with a line above that names the data and, if it is the same for all, the split.
    """
    by_data: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        by_data.setdefault(data_key(run), []).append(run)
    texts, named = [], set()
    for own in by_data.values():
        table = _same_data_text(own, root, width)
        heading = _heading(own)
        if own[0].data in named:
            heading += "; the images or labels differ from those above"
        named.add(own[0].data)
        has_heading = own[0].data or len(by_data) > 1
        lines = textwrap.wrap(heading, width)
        texts.append("\n".join([*lines, "", table]) if has_heading else table)
    return "\n\n".join(texts)


def data_key(run: Run) -> tuple[str, ...]:
    """Equal for runs on the same data: its name, the number of classes, images and labels."""
    return (run.data, *(f"{name}={run.ids[name]}" for name in sorted(run.ids)))


def _heading(runs: Sequence[Run]) -> str:
    """The data of runs and, if all share it, the split."""
    if not runs[0].data:
        return "data not recorded"
    split = split_text(runs[0])
    return f"{runs[0].data}; {split}" if split and has_one_split(runs) else runs[0].data


def has_one_split(runs: Sequence[Run]) -> bool:
    """Whether all runs have the same numbers of images and groups in train and validation."""
    return all(run.sides == runs[0].sides for run in runs)


def split_text(run: Run) -> str:
    """Images, groups and shares of a run's split: `train 140 images of 20 groups (83.3 %), validation ...`."""
    total = max(sum(side.pictures for side in run.sides.values()), 1)
    texts = []
    for name, side in run.sides.items():
        groups = f" of {counted(side.groups, 'group')}" if side.groups < side.pictures else ""
        texts.append(f"{name} {counted(side.pictures, 'image')}{groups} ({100 * side.pictures / total:.1f} %)")
    return ", ".join(texts)


def _same_data_text(runs: Sequence[Run], root: Path, width: int) -> str:
    """Text tables of runs on the same data.

    The settings that differ are columns if these fit. Otherwise each run lists the settings that are not those of most
    runs, and the settings of most runs follow below.
    """
    columns = {
        "run": [_name(run, root) + ("" if run.finished else " (unfinished)") for run in runs],
        "saved": [f"{run.saved:%m-%d %H:%M}" for run in runs],
        "epochs": [run.done for run in runs],
        "seconds": [f"{run.seconds:,.0f}" for run in runs],
    }
    for name, header in SCORES.items():
        if any(name in run.scores for run in runs):
            columns[header] = [_score_text(run.scores.get(name)) for run in runs]
    if not has_one_split(runs):
        columns["validation"] = [_validation_text(run) for run in runs]
    values = {name: [value_text(run.settings.get(name)) for run in runs] for name in differing_settings(runs)}
    as_columns = columns | {
        broken_name(name, WIDEST_VALUE): [shortened(text, WIDEST_VALUE) for text in texts]
        for name, texts in values.items()
    }
    if not values or _width(as_columns) <= width:
        return _tables_text(tables_that_fit(as_columns, width))
    usual = {name: Counter(texts).most_common(1)[0][0] for name, texts in values.items()}
    tables = tables_that_fit(columns, width)
    if width - _width(tables[-1]) < NARROWEST_TEXT:
        tables.append({"run": columns["run"]})
    room = max(width - _width(tables[-1]) - 2, NARROWEST_TEXT)
    tables[-1]["settings of its own"] = [
        wrapped([f"{name}={texts[row]}" for name, texts in values.items() if texts[row] != usual[name]], room)
        for row in range(len(runs))
    ]
    most = wrapped(list(map("=".join, usual.items())), width)
    heading = textwrap.fill("For settings that differ between runs, the value that most runs use:", width)
    return f"{_tables_text(tables)}\n\n{heading}\n{most}"


def _tables_text(tables: Sequence[Mapping[str, Sequence[str]]]) -> str:
    texts = []
    for columns in tables:
        right = [number for number, header in enumerate(columns) if header in ("epochs", "seconds")]
        texts.append(text_table(list(columns), zip(*columns.values()), right))
    return "\n\n".join(texts)


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    return table_width(list(columns), list(zip(*columns.values())))


def wrapped(texts: Sequence[str], width: int) -> str:
    """Texts side by side in lines of at most `width`; a text is never broken, only shortened if it is wider."""
    lines: list[str] = []
    for text in texts:
        text = shortened(text, width)
        if lines and text_width(f"{lines[-1]}  {text}") <= width:
            lines[-1] += f"  {text}"
        else:
            lines.append(text)
    return "\n".join(lines)


def tables_that_fit(columns: Mapping[str, list[str]], width: int) -> list[dict[str, list[str]]]:
    """Splits columns into tables of at most `width`; each starts with the first column.

    A table of only two columns may be wider.
    """
    (first, names), *others = columns.items()
    tables = [{first: names}]
    for header, texts in others:
        if len(tables[-1]) > 1 and _width(tables[-1] | {header: texts}) > width:
            tables.append({first: names})
        tables[-1][header] = texts
    return tables


def broken_name(name: str, width: int) -> str:
    """A setting's name in lines of at most `width`, broken after underscores and dots."""
    return "\n".join(re.findall(rf".{{1,{width}}}$|.{{1,{width}}}(?<=[_.])|[^_.]+[_.]?", name))


def _name(run: Run, root: Path) -> str:
    return run.folder.relative_to(root).as_posix() if root in run.folder.parents else run.folder.resolve().name


def _validation_text(run: Run) -> str:
    """Images of validation and their share."""
    if "validation" not in run.sides:
        return ""
    total, own = sum(side.pictures for side in run.sides.values()), run.sides["validation"].pictures
    return f"{own:,} ({100 * own / total:.1f} %)"


def _score_text(score: Score | None) -> str:
    if score is None:
        return ""
    interval = "" if score["low"] is None else f" {score['low']:.3f}..{score['high']:.3f}"
    return f"{score['value']:.4f}{interval}"


def runs_frame(runs: Sequence[Run], root: Path) -> pd.DataFrame:
    """One row per run: scores with low and high, and the settings that differ, in full."""
    rows = []
    for run in runs:
        row: dict[str, Any] = {
            "run": _name(run, root),
            "data": run.data,
            "split": split_text(run),
            "finished": run.finished,
            "saved": run.saved.isoformat(timespec="seconds"),
            "epochs": run.done,
            "seconds": round(run.seconds, 1),
        }
        for name in SCORES:
            score = run.scores.get(name, {})
            row |= {name: score.get("value"), f"{name}_low": score.get("low"), f"{name}_high": score.get("high")}
        rows.append(row | {name: value_text(run.settings.get(name)) for name in differing_settings(runs)})
    return pd.DataFrame(rows)
