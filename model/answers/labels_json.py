"""labels.json beside answers: the label scheme of their classes, and the provenance of the model that answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.answers.files import beside_answers
from model.answers.read import MISSING_FILES, UNREADABLE_FILES
from model.answers.seen_images import LEARNT_FROM_KEY
from model.artifacts.files import LABELS, is_saved_model
from model.artifacts.provenance import PROVENANCE_KEY, Provenance
from model.atomic_write import write_json
from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.errors import InputError, Problems
from model.labels import Scheme

HELD_OUT_KEY = "held_out"  # in labels.json beside answers of a training: validation or out_of_fold
PICTURE_COLUMN_KEY = "picture_column"


@dataclass(frozen=True)
class LabelsJson:
    """A labels.json, read once. Each method reports what is wrong with its own part.

    error: why the file could not be read; content is None then.
    """

    path: Path
    content: Any = None
    error: OSError | ValueError | None = None

    @classmethod
    def read(cls, path: Path) -> LabelsJson:
        """Reads a file; an error is kept for the methods to report."""
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError) as error:
            return cls(path, error=error)

    def scheme(self, problems: Problems) -> Scheme | None:
        """The label scheme of the answers; None, and a problem, where it cannot be read."""
        if isinstance(self.error, OSError):
            problems.add(MISSING_FILES, f"{self.path}: {self.error.strerror}")
            return None
        if self.error is not None:
            problems.add(UNREADABLE_FILES, f"{self.path} is not JSON: {self.error}")
            return None
        try:
            return Scheme.from_dict(self.content)
        except InputError as error:
            problems.add(UNREADABLE_FILES, f"{self.path}: {error}")
            return None

    def channel_scheme(self) -> Scheme | None:
        """The whole scheme of the training channel where the model predicts one of its attributes; else None."""
        try:
            return Scheme.from_dict(self.content["channel"])
        except (KeyError, TypeError, InputError):
            return None

    def held_out(self) -> str:
        """Which images of a training the answers are of: validation, out_of_fold, or "" for others."""
        value = self.content.get(HELD_OUT_KEY) if isinstance(self.content, dict) else None
        return value if isinstance(value, str) else ""

    def picture_column(self) -> str | None:
        """The answers' column of image names, where it is not the first of the usual names; else None."""
        column = self.content.get(PICTURE_COLUMN_KEY) if isinstance(self.content, dict) else None
        return column if isinstance(column, str) else None

    def trained_with(self, setting: str) -> Any:
        """A setting that the model, of several the first, was trained with; None where it is the default or unknown."""
        try:
            return Provenance.from_dict(self.content[PROVENANCE_KEY]).members[0].settings.get(setting)
        except (KeyError, TypeError, IndexError, InputError):
            return None

    def provenance(self, notes: list[str]) -> Provenance | None:
        """How the model was trained; None where that is not recorded, and with a note where it cannot be read."""
        try:
            if self.error is not None:
                raise self.error
            saved = self.content.get(PROVENANCE_KEY)
            return Provenance.from_dict(saved) if saved else None
        except (OSError, ValueError, AttributeError, InputError) as error:
            notes.append(f"how the model was made is left out: {self.path.name}: {error}")
            return None


def write_labels(answers_file: Path, labels: Mapping[str, Any], name_column: str = PICTURE_COLUMNS[0]) -> None:
    """Writes labels.json beside answers.

    Beside STEM.csv it is STEM.labels.json, and labels.json as well unless one there names the same classes already:
    that one may belong to output.csv, with the provenance of its model. In a saved model's folder labels.json is the
    model's own, which describes its heads too, and is left alone.

    Args:
        answers_file: the answers, output.csv or STEM.csv.
        labels: classes, attributes and provenance.
        name_column: the answers' column of image names, by which readers find it unless it is ImageID.
    """
    own, shared = beside_answers(answers_file, LABELS), answers_file.with_name(LABELS)
    in_model_folder = is_saved_model(answers_file.parent)
    if column_named([name_column], PICTURE_COLUMNS[0]) is None:  # the table may have another of a usual name too
        own_content = {**labels, PICTURE_COLUMN_KEY: name_column}
    else:
        own_content = dict(labels)
    if own != shared or not in_model_folder:
        write_json(own, own_content)
    classes = {name: value for name, value in labels.items() if name not in (PROVENANCE_KEY, LEARNT_FROM_KEY)}
    if own != shared and not in_model_folder and not _contains(shared, classes):
        write_json(shared, classes)


def _contains(path: Path, expected: dict[str, Any]) -> bool:
    """Whether a JSON file holds an object with all of the expected entries."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content | expected == content
