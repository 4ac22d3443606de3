"""Parts of predictions: the predictions of some rows in a folder of their own, with a manifest that identifies them.

    parts/PART/{output.csv, probabilities.csv, predictions.csv, labels.json, errors.csv}   as of a whole inference
    parts/PART/part.json                                                                   the manifest

A later run reuses a part if its model, settings and content are equal; the name of the part does not matter.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model.answers.files import MANIFEST, OUTPUT, PREDICTIONS, PROBABILITIES
from model.answers.seen_images import LEARNT_FROM_KEY, SeenImages
from model.answers.write import Answers, write_answers
from model.artifacts.fingerprint import file_digest
from model.atomic_write import PART, write_json
from model.data.prediction_input import PredictionInput
from model.decisions import Decision

log = logging.getLogger("rarebird")

FORMAT = 1  # of the manifest
TABLES = (OUTPUT, PROBABILITIES, PREDICTIONS)  # a record for each row


@dataclass(frozen=True)
class PartKey:
    """Identifies the predictions of a part: parts with equal keys have equal predictions.

    Attributes:
        model: Fingerprint of the model.
        settings: Settings that change predictions, by name.
        content: Digest of the rows and their images.
    """

    model: str
    settings: Mapping[str, Any]
    content: str


@dataclass(frozen=True)
class FinishedPart:
    """A part whose predictions are on disk.

    Attributes:
        folder: Folder of the part.
        key: See PartKey.
        unreadable: Reason by row, for unreadable images; rows are numbered within the part.
        seen: Index into SIDES by row, for images that were used to train the model.
        files: Digest of each of TABLES.
    """

    folder: Path
    key: PartKey
    unreadable: Mapping[int, str] = field(default_factory=dict)
    seen: Mapping[int, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> FinishedPart | None:
        """Reads the manifest of a part; None if it is missing or damaged."""
        try:
            saved = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if saved["format"] != FORMAT:
                return None
            rows = {name: {int(row): value for row, value in saved[name].items()} for name in ("unreadable", "seen")}
            return cls(folder, PartKey(**saved["key"]), **rows, files=dict(saved["files"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self) -> None:
        content = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_json(self.folder / MANIFEST, {"format": FORMAT, **content})

    @property
    def is_whole(self) -> bool:
        """Whether the files are complete: an upload may have been interrupted."""
        try:
            return all(file_digest(self.folder / name) == self.files.get(name) for name in TABLES)
        except OSError:
            return False


def write_part(
    folder: Path,
    key: PartKey,
    answers: Iterable[Answers],
    inputs: PredictionInput,
    labels: Mapping[str, Any],
    decision: Decision,
    seen: SeenImages | None,
    numbers: Sequence[str] = (),
) -> FinishedPart:
    """Writes a part into a temporary folder, which is then renamed.

    Args:
        folder: Folder of the part; an existing one is replaced.
        key: See PartKey.
        answers: Batches in the order of the rows of inputs.
        inputs: The rows of the part.
        labels: Content of labels.json.
        decision: Decides the class of each image.
        seen: Finds images that were used to train the model; None if they are not known.
        numbers: As of write_answers.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}{PART}")
    unreadable: dict[int, str] = {}
    try:
        labels = dict(labels)
        if seen:
            answers, labels[LEARNT_FROM_KEY] = seen.watch(answers), seen.counts
        watched = _collect_unreadable(answers, unreadable)
        files = (temporary / OUTPUT, temporary / PROBABILITIES)
        write_answers(watched, inputs.rows, inputs.name_column, labels, *files, decision, numbers)
        digests = {name: file_digest(temporary / name) for name in TABLES}
        FinishedPart(temporary, key, unreadable, dict(seen.rows) if seen else {}, digests).save()
        _rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return FinishedPart(folder, key, unreadable, dict(seen.rows) if seen else {}, digests)


def copy_part(part: FinishedPart, folder: Path) -> FinishedPart | None:
    """Copies a finished part to its folder in the output of this run.

    None if the part changes meanwhile: another process of this run may replace it by a part with other content.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}{PART}")
    try:
        try:
            shutil.copytree(part.folder, temporary, copy_function=shutil.copyfile)
        except FileNotFoundError:
            return None
        except shutil.Error as error:  # of single files
            log.warning("%s: cannot be copied, so its images are predicted again: %s", part.folder, error.args[0][0][2])
            return None
        copied = FinishedPart.read(temporary)
        if copied is None or copied.key != part.key or not copied.is_whole:
            return None
        _rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return FinishedPart(folder, part.key, part.unreadable, part.seen, part.files)


def remove_finished_parts(folder: Path) -> None:
    """Removes the parts in a folder, also those of a process that was killed, and the folder if it is then empty.

    Other files in it are the user's and stay.
    """
    for path in [*folder.glob(f"*/{MANIFEST}"), *folder.glob(f".*{PART}/*")]:
        shutil.rmtree(path.parent, ignore_errors=True)
    for path in folder.glob(f".*{PART}"):
        with suppress(OSError):
            path.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _rename(temporary: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # a part with other content
    temporary.rename(folder)


def _collect_unreadable(answers: Iterable[Answers], unreadable: dict[int, str]) -> Iterator[Answers]:
    """Yields the predictions and adds the rows of unreadable images to a dictionary."""
    for batch in answers:
        unreadable |= batch.unreadable
        yield batch


class EarlierParts:
    """The finished parts of stopped runs.

    Args:
        folders: Folders to search at any depth, in this order; missing ones are ignored.
        model: Fingerprint of the model of this run.
        settings: The settings of this run that change predictions.
    """

    def __init__(self, folders: Iterable[Path], model: str, settings: Mapping[str, Any]):
        parts = [part for folder in folders for part in _finished_parts(folder)]
        self._of_other_models = [part for part in parts if part.key.model != model]
        of_model = [part for part in parts if part.key.model == model]
        self._of_other_settings = [part for part in of_model if part.key.settings != settings]
        self._settings = settings
        self._by_content: dict[str, list[FinishedPart]] = {}
        for part in of_model:
            if part.key.settings == settings:
                self._by_content.setdefault(part.key.content, []).append(part)

    def __len__(self) -> int:
        """Number of contents with a part of the same model and settings."""
        return len(self._by_content)

    def find(self, content: str) -> FinishedPart | None:
        """A complete part with this content; None if there is none."""
        for part in self._by_content.get(content, ()):
            if part.is_whole:
                return part
            log.warning("%s: incomplete, so its images are predicted again", part.folder)
        return None

    def warn_of_others(self) -> None:
        """Logs the parts of other models and other settings, which are not reused."""
        if self._of_other_models:
            _warn(self._of_other_models, "another model")
        if self._of_other_settings:
            other = self._of_other_settings[0].key.settings
            names = sorted({*self._settings, *other})
            differing = [
                f"{name} {other.get(name)}, now {self._settings.get(name)}"
                for name in names
                if other.get(name) != self._settings.get(name)
            ]
            _warn(self._of_other_settings, f"different settings ({'; '.join(differing)})")


def _warn(parts: list[FinishedPart], origin: str) -> None:
    subject, verb = ("1 earlier part was", "is") if len(parts) == 1 else (f"{len(parts):,} earlier parts were", "are")
    log.warning("%s written with %s and %s not reused, such as %s", subject, origin, verb, parts[0].folder)


def _finished_parts(folder: Path) -> Iterator[FinishedPart]:
    """The parts in a folder and below it. A name that begins with a dot is an unfinished part."""
    for path, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        if MANIFEST in files:
            names.clear()
            if (part := FinishedPart.read(Path(path))) is not None:
                yield part
