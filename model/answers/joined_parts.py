"""Joins parts into the files of one inference, record by record in the order of the rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from model.answers.files import ERRORS, OUTPUT, PREDICTIONS, PROBABILITIES, beside_answers
from model.answers.labels_json import write_labels
from model.answers.parts import FinishedPart
from model.answers.seen_images import LEARNT_FROM_KEY, SeenImages
from model.atomic_write import remove_parts, write_beside, write_csv
from model.data.prediction_input import PredictionInput
from model.errors import Failure

MOST_OPEN = 100  # files of parts that are open at the same time


def join_parts(
    parts: Sequence[tuple[NDArray[np.int64], FinishedPart]],
    inputs: PredictionInput,
    labels: Mapping[str, Any],
    answers_file: Path,
    probabilities_file: Path,
    seen: SeenImages | None,
) -> int:
    """Writes the files that one inference of all rows would have written.

    Args:
        parts: The parts, at least one, each with the numbers of its rows; every row is in exactly one part.
        inputs: All rows.
        labels: Content of labels.json.
        answers_file: Path of output.csv.
        probabilities_file: Path of probabilities.csv.
        seen: Collects the images that were used to train the model, from all parts; None if they are not known.

    Returns:
        Number of images without a prediction.
    """
    owners = np.empty(len(inputs), np.int64)
    unreadable: dict[int, str] = {}
    for number, (rows, part) in enumerate(parts):
        owners[rows] = number
        unreadable |= {int(rows[row]): reason for row, reason in part.unreadable.items()}
        if seen:
            for row, side in part.seen.items():
                seen.add(int(rows[row]), side)
    folders = [part.folder for _, part in parts]
    names = inputs.rows[inputs.name_column].tolist()
    targets = {
        OUTPUT: answers_file,
        PROBABILITIES: probabilities_file,
        PREDICTIONS: beside_answers(answers_file, PREDICTIONS),
    }
    errors_file = beside_answers(answers_file, ERRORS)
    # temporary files get their names when the last one is written
    with ExitStack() as files:
        for name, target in targets.items():
            remove_parts(target.parent, target.name)
            target_file = files.enter_context(open(files.enter_context(write_beside(target)), "wb"))
            _join_table([folder / name for folder in folders], owners, target_file)
            target_file.flush()
        if unreadable:
            writer = files.enter_context(write_csv(errors_file))
            writer.writerow((inputs.name_column, "error"))
            writer.writerows((names[row], unreadable[row]) for row in sorted(unreadable))
        if seen:
            labels = {**labels, LEARNT_FROM_KEY: seen.counts}
        write_labels(answers_file, labels, inputs.name_column)
    if not unreadable:
        errors_file.unlink(missing_ok=True)  # of an earlier inference
    return len(unreadable)


def _join_table(files: Sequence[Path], owners: NDArray[np.int64], target: IO[bytes]) -> None:
    """Copies the header of the first file, then the records of all.

    Args:
        files: A table of each part.
        owners: int64 (N,), for each row the number of the file with its record.
        target: File to write to.
    """
    with _PartTables(files) as tables:
        headers = [next(tables.records(number)) for number in range(len(files))]
        target.write(headers[0])
        # copy consecutive rows of the same part together
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        counts = np.bincount(owners, minlength=len(files))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(owners)]):
            number = int(owners[start])
            if end - start == counts[number]:  # the whole part
                shutil.copyfileobj(tables.open(number), target)
                continue
            records = tables.records(number)
            for _ in range(start, end):
                target.write(next(records))


class _PartTables:
    """The tables of parts, each read on from its last position, with at most MOST_OPEN of them open."""

    def __init__(self, files: Sequence[Path]):
        self._files = files
        self._positions = [0] * len(files)
        self._open: dict[int, IO[bytes]] = {}

    def __enter__(self) -> _PartTables:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def open(self, number: int) -> IO[bytes]:
        """The file of that number at its last position; closes the file that was opened first if too many are open."""
        if number not in self._open:
            if len(self._open) >= MOST_OPEN:
                oldest = next(iter(self._open))
                file = self._open.pop(oldest)
                self._positions[oldest] = file.tell()
                file.close()
            self._open[number] = self._files[number].open("rb")
            self._open[number].seek(self._positions[number])
        return self._open[number]

    def records(self, number: int) -> Iterator[bytes]:
        """The next records, as bytes. A value in quotation marks may contain line feeds."""
        file = self.open(number)
        while True:
            record = file.readline()
            while record.count(b'"') % 2:
                line = file.readline()
                if not line:
                    break
                record += line
            if not record:
                raise Failure(f"{self._files[number]}: has too few rows; remove the part and run inference again")
            yield record
