"""names of output.csv, probabilities.csv, labels.json, errors.csv."""

from __future__ import annotations

from pathlib import Path

from model.artifacts.files import LABELS


def answer_files(output: Path, given: str | None) -> tuple[Path, Path]:
    """Where answers and probabilities go: output.csv and probabilities.csv, or the file that --output names (a bare
    name lies in output) and STEM.probabilities.csv beside it."""
    answers = output / (given or "output.csv")
    if given is not None and Path(given).name != given:
        answers = Path(given)
    return answers, beside_answers(answers, PROBABILITIES)


PROBABILITIES = "probabilities.csv"
ERRORS = "errors.csv"


def beside_answers(answers: Path, name: str) -> Path:
    """Where a file that belongs to answers lies: NAME beside output.csv, else STEM.NAME, so that several answers may
    share a folder."""
    return answers.with_name(name if answers.name == "output.csv" else f"{answers.stem}.{name}")


def parts_of(answers: Path) -> list[Path]:
    """The files of that name in the folders beside an answers' file that is missing, in the order of the folders'
    names: what several hosts wrote. Empty where the file is there, and where there are not several such folders."""
    if answers.is_file() or not answers.parent.is_dir():
        return []
    folders = sorted(entry for entry in answers.parent.iterdir() if not entry.name.startswith("."))
    found = [folder / answers.name for folder in folders if (folder / answers.name).is_file()]
    return found if len(found) > 1 else []


def answers_file(place: Path) -> Path:
    """The answers' file of a folder, or the file itself."""
    return place if place.suffix.lower() == ".csv" and not place.is_dir() else place / "output.csv"


def labels_file(answers: Path) -> Path:
    """Where the scheme of an answers' file lies: STEM.labels.json, else labels.json beside it."""
    own = beside_answers(answers, LABELS)
    return own if own.is_file() else answers.with_name(LABELS)
