"""Names and paths of the files of predictions (output.csv, probabilities.csv, ...) and of the true labels (gt.csv).

Imports no pandas. If predictions are in STEM.csv instead of output.csv, the other files are STEM.probabilities.csv, ...
"""

from __future__ import annotations

from pathlib import Path

from model.artifacts.files import LABELS

OUTPUT = "output.csv"
PROBABILITIES = "probabilities.csv"
PREDICTIONS = "predictions.csv"
ERRORS = "errors.csv"
ASK_PERSON = "ask_person"  # column of predictions.csv and field of other answers: whether to ask a person
LEARNT_FROM_CSV = "learnt_from.csv"
TRUTH = "gt.csv"
OUT_OF_FOLD = "out_of_fold"  # folder of predictions of the folds of a training; held_out in labels.json
PARTS = "parts"  # folder of the parts of predictions (model.answers.parts)
MANIFEST = "part.json"  # in the folder of each part


def answer_files(folder: Path, output: str | None) -> tuple[Path, Path]:
    """Paths of the predictions and of their probabilities.

    Args:
        folder: The output directory.
        output: The setting `output` of inference: a path, or a file name in folder; None for output.csv.
    """
    if output is None:
        answers = folder / OUTPUT
    elif Path(output).name == output:
        answers = folder / output
    else:
        answers = Path(output)
    return answers, beside_answers(answers, PROBABILITIES)


def beside_answers(answers: Path, name: str) -> Path:
    """Path of a file that belongs to predictions: NAME for output.csv, STEM.NAME for STEM.csv, in the same folder."""
    return answers.with_name(name if answers.name == OUTPUT else f"{answers.stem}.{name}")


def labels_file(answers: Path) -> Path:
    """Path of the labels.json of predictions: STEM.labels.json if it exists, otherwise labels.json, in their folder."""
    own = beside_answers(answers, LABELS)
    return own if own.is_file() else answers.with_name(LABELS)


def answers_file(path: Path) -> Path:
    """The file of predictions at a path: the path itself if it is a CSV, otherwise output.csv in that folder."""
    return path if path.suffix.lower() == ".csv" and not path.is_dir() else path / OUTPUT


def host_parts(answers: Path) -> list[Path]:
    """The predictions of each host if `answers` is missing: files of its name in the subfolders of its folder, sorted.

    Empty if `answers` exists, or if fewer than two subfolders have that file.
    """
    if answers.is_file() or not answers.parent.is_dir():
        return []
    folders = sorted(entry for entry in answers.parent.iterdir() if not entry.name.startswith("."))
    parts = [folder / answers.name for folder in folders if (folder / answers.name).is_file()]
    return parts if len(parts) > 1 else []
