"""The runs below a folder side by side: what was set otherwise in each, and what came of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import ENSEMBLE, METRICS, SETTINGS
from model.artifacts.metadata import read_settings_and_metrics
from model.atomic_write import write_beside
from model.errors import InputError, did_you_mean
from model.evaluation.files import EVALUATION_JSON
from model.metrics.epoch_metrics import CRITERIA
from model.runtime.terminal import shortened, text_table, text_width
from model.settings.cli import from_flags
from model.settings.fields import as_dict, setting, value_text
from model.settings.train import TrainSettings

USAGE = """python -m exploration runs [DIR] [--FLAG VALUE ...]

Lists the runs below a folder, finished and unfinished: the settings in which they differ, the scores on the validation
pictures, and those of the evaluation.json that lies in a run's folder or below it (or above it, where the run is alone
there), each with its interval."""

CHECKPOINTS = ".checkpoints"  # the hidden folder in which train.py keeps unfinished runs
OTHERS = ("tensorboard", "wandb")  # folders in a run in which no run lies
LISTED = {"f1": "val F1", "acc": "val accuracy"}  # scores of the validation pictures, with their headers
EVALUATED = {CRITERIA[name].score: CRITERIA[name].label for name in LISTED}  # those of evaluation.json
SCORES = EVALUATED | {CRITERIA[name].name: header for name, header in LISTED.items()}
CELL = 18  # columns of a terminal that a value or a header takes at most
LEAST = 40  # columns, for a text of settings
SORTED = {sort: (CRITERIA[name].name, CRITERIA[name].score) for sort, name in (("f1", "f1"), ("accuracy", "acc"))}


@dataclass(frozen=True)
class RunsSettings:
    dir: str = setting("runs", "folder with the runs", section="What is listed", positional=True)
    sort: str = setting(
        "f1",
        "order: the best macro F1 or accuracy on the validation pictures first, the newest first, or by name",
        choices=("f1", "accuracy", "date", "name"),
    )
    output: str | None = setting(None, "file to write the list into as well, as CSV with every value in full")


@dataclass
class Run:
    """folder: of the saved model, or where it will lie; done: epochs, or models of an ensemble, in words; settings:
    those that change the result, flat; seconds: of training; scores: by the names of SCORES, {value, low, high}, the
    bounds None where there is no interval."""

    folder: Path
    saved: datetime
    finished: bool
    done: str
    settings: dict[str, Any]
    seconds: float
    scores: dict[str, dict[str, float | None]] = field(default_factory=dict)


def find_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Every run below root with its newest evaluation, and a sentence for each file that cannot be read."""
    folders = [(Path(at), set(names)) for at, names in _walk(root)]
    runs: dict[Path, Run] = {}
    faults: list[str] = []

    def note(path: Path, read: Callable[[], Run | None]) -> None:
        try:
            run = read()
        except (InputError, OSError, KeyError, TypeError, ValueError) as error:
            told = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            faults.append(told if told.startswith(f"{path}: ") else f"{path}: {told}")
        else:
            if run and not (run.folder in runs and runs[run.folder].finished):
                runs[run.folder] = run

    for folder, names in folders:
        if {METRICS, SETTINGS} <= names:
            note(folder / METRICS, partial(_saved_run, folder))
    for folder, names in folders:
        if any(name.startswith("checkpoint-") for name in names):
            note(folder, partial(_unfinished_run, folder))
    for folder, names in reversed(folders):  # an ensemble's members may be ensembles
        if ENSEMBLE in names:
            note(folder / ENSEMBLE, partial(_ensemble, folder, runs))
    evaluations = [folder / EVALUATION_JSON for folder, names in folders if EVALUATION_JSON in names]
    for path in sorted(evaluations, key=lambda path: path.stat().st_mtime_ns):
        note(path, partial(_evaluate, path, runs))
    return list(runs.values()), faults


def _walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    for at, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in OTHERS and (name == CHECKPOINTS or not name.startswith("."))
        )
        yield at, names


def _saved_run(folder: Path) -> Run:
    settings, metrics = read_settings_and_metrics(folder)
    pictures = {side: (metrics["data"][side] or {}).get("pictures", 0) for side in ("train", "validation")}
    return Run(
        folder=folder,
        saved=datetime.fromtimestamp((folder / METRICS).stat().st_mtime),
        finished=bool(metrics["finished"]),
        done=f"{metrics['epochs']}/{settings.epochs}",
        settings=_compared(
            as_dict(settings, only_result=True), {f"{side}_pictures": n for side, n in pictures.items()}
        ),
        seconds=float(metrics["seconds"]),
        scores=_validation_scores(metrics["validation"]),
    )


def _unfinished_run(folder: Path) -> Run | None:
    """From its newest checkpoint; None where it is finished, or where it has models that keep checkpoints of their
    own."""
    from model.training.checkpoints import Checkpoints  # torch, seconds of it, for unfinished runs alone

    checkpoints = Checkpoints(folder)
    state = checkpoints.newest()
    if state is None or state["finished"] or "updates" not in state:
        return None
    identity = state["identity"]
    given = {**as_dict(TrainSettings(), only_result=True), **identity}
    pictures = {"train": identity["training pictures"], "validation": identity.get("validation pictures", 0)}
    parts = [part for part in folder.parts if part != CHECKPOINTS]
    return Run(
        folder=Path(*parts),
        saved=datetime.fromtimestamp(checkpoints.files()[-1].stat().st_mtime),
        finished=False,
        done=f"{state['epoch']}/{given['epochs']}",
        settings=_compared(
            {name: given[name] for name in as_dict(TrainSettings(), only_result=True)},
            {f"{side}_pictures": n for side, n in pictures.items()},
        ),
        seconds=state["seconds"],
        scores=_validation_scores(state["best"]["metrics"] if state["best"] else None),
    )


def _ensemble(folder: Path, runs: Mapping[Path, Run]) -> Run | None:
    """settings: those that its members share, `various` where they do not; None where none of them can be read."""
    ensemble = read_ensemble_file(folder)
    members = [runs[folder / path] for path in ensemble.paths if folder / path in runs]
    if not members:
        return None
    settings = {
        name: value if all(other.settings.get(name) == value for other in members) else "various"
        for name, value in members[0].settings.items()
    }
    return Run(
        folder=folder,
        saved=datetime.fromtimestamp((folder / ENSEMBLE).stat().st_mtime),
        finished=ensemble.finished,
        done=f"{len(ensemble.members)} models",
        settings=settings,
        seconds=sum(member.seconds for member in members),
    )


def _evaluate(path: Path, runs: Mapping[Path, Run]) -> None:
    """Gives the scores of an evaluation.json to its run: that in whose folder it lies, else the only one below."""
    inside = next((runs[above] for above in (path.parent, *path.parents) if above in runs), None)
    below = [run for at, run in runs.items() if path.parent in at.parents]
    run = inside or (below[0] if len(below) == 1 else None)
    if run is not None:
        told = json.loads(path.read_text(encoding="utf-8"))["rarebird"]
        run.scores |= {name: dict(told[name]) for name in EVALUATED}


def _compared(settings: Mapping[str, Any], pictures: Mapping[str, int]) -> dict[str, Any]:
    """Flat: what lies in a mapping has its own name, augmentation.flip.p."""
    flat: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}.{key}", inner if inner != {} else True)
        else:
            flat[name] = value

    for name, value in {**settings, **pictures}.items():
        add(name, value)
    return flat


def _validation_scores(metrics: Mapping[str, Any] | None) -> dict[str, dict[str, float | None]]:
    if not metrics:
        return {}
    found = {}
    for name in LISTED:
        low, high = metrics.get("intervals", {}).get(name, (None, None))
        found[CRITERIA[name].name] = {"value": metrics[name], "low": low, "high": high}
    return found


def ordered(runs: Sequence[Run], sort: str) -> list[Run]:
    """The order that a setting `sort` names; runs without a score are last."""

    def key(run: Run) -> tuple[Any, ...]:
        found = [run.scores[name]["value"] for name in SORTED.get(sort, ()) if name in run.scores]
        newest = -run.saved.timestamp() if sort != "name" else 0.0
        return (not found, -(found[0] or 0.0) if found else 0.0, newest, run.folder.as_posix())

    return sorted(runs, key=key)


def differing(runs: Sequence[Run]) -> list[str]:
    """Names of the settings that are not the same in all runs, in the order of --help. Epochs stand beside the done."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    known = list(as_dict(TrainSettings()))
    found = [n for n in names if n != "epochs" and len({repr(run.settings.get(n)) for run in runs}) > 1]
    return sorted(found, key=lambda name: known.index(name.split(".")[0]) if name.split(".")[0] in known else -1)


def runs_text(runs: Sequence[Run], root: Path, width: int) -> str:
    """The list, at most `width` wide. Where the settings that differ find no room as columns, each run has a text of
    those that are not what most runs have."""
    columns = {
        "run": [_name(run, root) + ("" if run.finished else " (unfinished)") for run in runs],
        "saved": [f"{run.saved:%m-%d %H:%M}" for run in runs],
        "epochs": [run.done for run in runs],
        "seconds": [f"{run.seconds:,.0f}" for run in runs],
    }
    for name, header in SCORES.items():
        if any(name in run.scores for run in runs):
            columns[header] = [_score_text(run.scores.get(name)) for run in runs]
    values = {name: [value_text(run.settings.get(name)) for run in runs] for name in differing(runs)}
    wide = columns | {broken(name, CELL): [shortened(text, CELL) for text in texts] for name, texts in values.items()}
    if not values or table_width(wide) <= width:
        return "\n\n".join(_table(block, width) for block in blocks(wide, width))
    usual = {name: Counter(texts).most_common(1)[0][0] for name, texts in values.items()}
    tables = blocks(columns, width)
    if width - table_width(tables[-1]) < LEAST:
        tables.append({"run": columns["run"]})
    tables[-1]["settings of its own"] = [
        "  ".join(f"{name}={texts[i]}" for name, texts in values.items() if texts[i] != usual[name])
        for i in range(len(runs))
    ]
    tables.append({"The settings of most runs, where they differ:": ["  ".join(map("=".join, usual.items()))]})
    return "\n\n".join(_table(block, width) for block in tables)


def _table(columns: Mapping[str, Sequence[str]], width: int) -> str:
    right = [number for number, header in enumerate(columns) if header in ("epochs", "seconds")]
    return text_table(list(columns), zip(*columns.values()), right, width)


def table_width(columns: Mapping[str, Sequence[str]]) -> int:
    """Columns of the terminal that a table of these columns takes."""
    return sum(max(map(text_width, [header, *texts])) for header, texts in columns.items()) + 2 * (len(columns) - 1)


def blocks(columns: Mapping[str, list[str]], width: int) -> list[dict[str, list[str]]]:
    """Columns as tables below each other, as many as they need; each begins with the first column."""
    (first, names), *others = columns.items()
    tables = [{first: names}]
    for header, texts in others:
        if len(tables[-1]) > 1 and table_width(tables[-1] | {header: texts}) > width:
            tables.append({first: names})
        tables[-1][header] = texts
    return tables


def broken(name: str, width: int) -> str:
    """A setting's name in lines of at most `width`, cut behind _ and points."""
    return "\n".join(re.findall(rf".{{1,{width}}}$|.{{1,{width}}}(?<=[_.])|[^_.]+[_.]?", name))


def _name(run: Run, root: Path) -> str:
    return run.folder.relative_to(root).as_posix() if root in run.folder.parents else run.folder.resolve().name


def _score_text(score: Mapping[str, float | None] | None) -> str:
    if score is None:
        return ""
    interval = "" if score["low"] is None else f" {score['low']:.3f}..{score['high']:.3f}"
    return f"{score['value']:.4f}{interval}"


def runs_frame(runs: Sequence[Run], root: Path) -> pd.DataFrame:
    """A row a run: its scores with low and high, and the settings that differ, in full."""
    rows = []
    for run in runs:
        row: dict[str, Any] = {
            "run": _name(run, root),
            "finished": run.finished,
            "saved": run.saved.isoformat(timespec="seconds"),
            "epochs": run.done,
            "seconds": round(run.seconds, 1),
        }
        for name in SCORES:
            score = run.scores.get(name, {})
            row |= {name: score.get("value"), f"{name}_low": score.get("low"), f"{name}_high": score.get("high")}
        rows.append(row | {name: value_text(run.settings.get(name)) for name in differing(runs)})
    return pd.DataFrame(rows)


def main(argv: Sequence[str]) -> int:
    settings = from_flags(RunsSettings, argv, USAGE)
    root = Path(settings.dir)
    if not root.is_dir():
        beside = [entry.name for entry in root.parent.iterdir()] if root.parent.is_dir() else []
        raise InputError(f"{root}: there is no such folder{did_you_mean(root.name, beside)}")
    found, faults = find_runs(root)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    if not found:
        raise InputError(f"no run lies in {root}: a run's folder holds {SETTINGS} and {METRICS}, or checkpoints")
    runs = ordered(found, settings.sort)
    print(runs_text(runs, root, shutil.get_terminal_size((120, 40)).columns))
    if settings.output:
        with write_beside(Path(settings.output)) as path:
            runs_frame(runs, root).to_csv(path, index=False)
        print(f"\nwrote {settings.output}")
    return 0
