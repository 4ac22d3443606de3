"""Names and paths of answers' files: output.csv, probabilities.csv, predictions.csv, errors.csv, labels.json, and of
the truth, gt.csv.

Imports no pandas. Answers of another name than output.csv, STEM.csv, have STEM.probabilities.csv and so on beside them.
"""

from __future__ import annotations

from pathlib import Path

from model.artifacts.files import LABELS

OUTPUT = "output.csv"
PROBABILITIES = "probabilities.csv"
PREDICTIONS = "predictions.csv"
ERRORS = "errors.csv"
LEARNT_FROM_CSV = "learnt_from.csv"
TRUTH = "gt.csv"
PARTS = "parts"  # folder of the parts of answers (model.answers.parts)
MANIFEST = "part.json"  # in the folder of each part


def answer_files(folder: Path, output: str | None) -> tuple[Path, Path]:
    """Paths of the answers and of their probabilities.

    Args:
        folder: the output directory.
        output: the setting of inference: a file, of which a bare name lies in folder; None for output.csv.
    """
    if output is None:
        answers = folder / OUTPUT
    elif Path(output).name == output:
        answers = folder / output
    else:
        answers = Path(output)
    return answers, beside_answers(answers, PROBABILITIES)


def beside_answers(answers: Path, name: str) -> Path:
    """Path of a file that belongs to answers: NAME beside output.csv, STEM.NAME beside STEM.csv."""
    return answers.with_name(name if answers.name == OUTPUT else f"{answers.stem}.{name}")


def labels_file(answers: Path) -> Path:
    """Path of the labels.json of answers: STEM.labels.json if it exists, else labels.json beside them."""
    own = beside_answers(answers, LABELS)
    return own if own.is_file() else answers.with_name(LABELS)


def answers_file(path: Path) -> Path:
    """Path of the answers that path names: itself if it is a CSV, else output.csv in the folder."""
    return path if path.suffix.lower() == ".csv" and not path.is_dir() else path / OUTPUT


def host_parts(answers: Path) -> list[Path]:
    """If answers is missing, the files of its name in the folders beside it, one a host, sorted by folder.

    Empty where the file exists, and where fewer than two such folders hold one.
    """
    if answers.is_file() or not answers.parent.is_dir():
        return []
    folders = sorted(entry for entry in answers.parent.iterdir() if not entry.name.startswith("."))
    parts = [folder / answers.name for folder in folders if (folder / answers.name).is_file()]
    return parts if len(parts) > 1 else []
