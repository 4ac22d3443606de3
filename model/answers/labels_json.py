"""labels.json next to predictions: the label scheme of their classes, and the provenance of the model."""

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

HELD_OUT_KEY = "held_out"  # in labels.json of predictions that a training wrote: validation or out_of_fold
PICTURE_COLUMN_KEY = "picture_column"


@dataclass(frozen=True)
class LabelsJson:
    """The content of a labels.json. Each method reports the errors of its own part.

    error: Why the file could not be read; content is None then.
    """

    path: Path
    content: Any = None
    error: OSError | ValueError | None = None

    @classmethod
    def read(cls, path: Path) -> LabelsJson:
        """Reads a file; the methods report an error."""
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError) as error:
            return cls(path, error=error)

    def scheme(self, problems: Problems) -> Scheme | None:
        """The label scheme of the predictions; None, with a problem, if it cannot be read."""
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
        """The whole scheme of the training channel if the model predicts only one of its attributes, otherwise None."""
        try:
            return Scheme.from_dict(self.content["channel"])
        except (KeyError, TypeError, InputError):
            return None

    def held_out(self) -> str:
        """The images of a training that were predicted: validation, out_of_fold, or "" for other images."""
        value = self.content.get(HELD_OUT_KEY) if isinstance(self.content, dict) else None
        return value if isinstance(value, str) else ""

    def picture_column(self) -> str | None:
        """The column of image names if it is not the first of the usual names, otherwise None."""
        column = self.content.get(PICTURE_COLUMN_KEY) if isinstance(self.content, dict) else None
        return column if isinstance(column, str) else None

    def trained_with(self, setting: str) -> Any:
        """A setting of the training of the (first) model; None if it has its default value or is not known."""
        try:
            return Provenance.from_dict(self.content[PROVENANCE_KEY]).members[0].settings.get(setting)
        except (KeyError, TypeError, IndexError, InputError):
            return None

    def provenance(self, notes: list[str]) -> Provenance | None:
        """How the model was trained; None if that is not recorded, or, with a note, if it cannot be read."""
        try:
            if self.error is not None:
                raise self.error
            saved = self.content.get(PROVENANCE_KEY)
            return Provenance.from_dict(saved) if saved else None
        except (OSError, ValueError, AttributeError, InputError) as error:
            notes.append(f"the report does not say how the model was trained: {self.path.name}: {error}")
            return None


def write_labels(answers_file: Path, labels: Mapping[str, Any], name_column: str = PICTURE_COLUMNS[0]) -> None:
    """Writes labels.json into the folder of predictions.

    For STEM.csv it is STEM.labels.json, and also labels.json, unless that file exists with the same classes: it may
    belong to output.csv and have the provenance of another model. In a saved model's folder, labels.json is the model's
    own, which also describes its heads, and is not changed.

    Args:
        answers_file: The predictions, output.csv or STEM.csv.
        labels: Classes, attributes and provenance.
        name_column: Column of image names, written unless it is ImageID, so that readers find it.
    """
    own, shared = beside_answers(answers_file, LABELS), answers_file.with_name(LABELS)
    in_model_folder = is_saved_model(answers_file.parent)
    if column_named([name_column], PICTURE_COLUMNS[0]) is None:  # the table may have other columns of a usual name
        own_content = {**labels, PICTURE_COLUMN_KEY: name_column}
    else:
        own_content = dict(labels)
    if own != shared or not in_model_folder:
        write_json(own, own_content)
    classes = {name: value for name, value in labels.items() if name not in (PROVENANCE_KEY, LEARNT_FROM_KEY)}
    if own != shared and not in_model_folder and not _contains(shared, classes):
        write_json(shared, classes)


def _contains(path: Path, expected: dict[str, Any]) -> bool:
    """Whether a JSON file contains an object with all expected entries."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content | expected == content
