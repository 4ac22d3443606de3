"""Answers for a folder of pictures, by a saved model.

    SM_CHANNEL_EVAL=data/eval SM_CHANNEL_MODEL=runs/exp SM_OUTPUT_DATA_DIR=output python inference.py
    python inference.py --eval_dir photos --model_dir runs/exp --output answers/photos.csv --num_tta 8

Reads   SM_CHANNEL_EVAL         pictures, with info.csv where there is one: its rows and their order are kept
        SM_CHANNEL_MODEL        a saved model, or a folder with one in it; else the newest finished run in runs/
Writes  SM_OUTPUT_DATA_DIR      output.csv (the class as `ans`, empty where a picture could not be read),
                                probabilities.csv (a column a class, by name), labels.json (names of the classes),
                                errors.csv where a picture could not be read

Ends with 0 when done, with --strict 1 where a picture could not be read, 2 for bad input.

Test-time augmentation (--num_tta N, or inference_TTA.py, which has 4) joins the answers of N views of each picture:
{views}
"""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from container import environment, job
from model.hardware import worker_count
from model.labels import Scheme
from model.loading import whole_files
from model.prediction import Answers, make_predictor
from model.saved_model import LABELS, load_model, newest_model
from model.settings import InferenceSettings
from model.table import read_info
from model.views import fixed_views_text
from model.writing import write_beside, write_json

ERRORS = "errors.csv"

log = logging.getLogger("rarebird")


def main(argv: Sequence[str] | None = None, usage: str = __doc__ or "", num_tta: int = 1) -> int:
    usage = usage.replace("{views}", fixed_views_text())
    settings, env = environment.read(InferenceSettings, argv, usage, num_tta=num_tta)
    eval_dir = env.required_channel("eval", settings.eval_dir, "inference.py")
    answers_file, probabilities_file = answer_files(env.output_data_dir(settings.output_data_dir), settings.output)
    saved = load_model(env.saved_model_dir(settings.model_dir) or newest_model(env.models_dir(None)))
    info, name_column, paths = read_info(eval_dir, table=settings.table, picture_column=settings.picture_column)

    predictor = make_predictor(
        saved,
        num_tta=settings.num_tta,
        tta_mode=settings.tta_mode,
        seed=settings.seed,
        device=settings.device,
        precision=settings.precision,
    )
    log.info(
        f"{len(info):,} pictures in {eval_dir}; model {saved.folder}: {saved.scheme.num_classes} classes; "
        f"{settings.num_tta} view{'s' if settings.num_tta > 1 else ''}; {predictor.hardware}"
    )
    started = time.monotonic()
    answers = predictor.answers(eval_dir, whole_files(paths), settings.batch_size, worker_count(settings.num_workers))
    unread = write_answers(answers, info, name_column, saved.scheme, answers_file, probabilities_file)
    seconds = time.monotonic() - started
    log.info(f"{len(info):,} pictures in {seconds:.1f} s, {len(info) / max(seconds, 1e-9):,.1f} pictures/s")
    if unread:
        log.warning(
            f"{unread:,} of {len(info):,} pictures could not be read and have no answer: {answers_file.parent / ERRORS}"
        )
    log.info(f"answers: {answers_file}")
    return job.FAULT if unread and settings.strict else job.DONE


def answer_files(output: Path, given: str | None) -> tuple[Path, Path]:
    """Where answers and probabilities go: output.csv and probabilities.csv, or the file that --output names (a bare
    name lies in output) and STEM.probabilities.csv beside it."""
    if given is None:
        return output / "output.csv", output / "probabilities.csv"
    answers = output / given if Path(given).name == given else Path(given)
    return answers, answers.with_name(f"{answers.stem}.probabilities.csv")


def write_answers(
    answers: Iterator[Answers],
    info: pd.DataFrame,
    name_column: str,
    scheme: Scheme,
    answers_file: Path,
    probabilities_file: Path,
) -> int:
    """Writes answers as they come, a row for every row of info in its order, and labels.json and errors.csv beside
    them; all files take their names when the last is done. Returns the number of pictures without an answer."""
    names = info[name_column].tolist()
    only_answer = name_column == "image_name"
    answer_column = "y_pred" if only_answer else "ans"
    columns = [name_column] if only_answer else [column for column in info.columns if column != answer_column]
    kept = info[columns].to_numpy()
    header = [name_column, answer_column] if only_answer else [*info.columns]
    if answer_column not in header:
        header.append(answer_column)
    place = header.index(answer_column)
    errors_file = answers_file.parent / ERRORS
    errors: list[tuple[str, str]] = []
    with ExitStack() as files:
        answer_rows = files.enter_context(csv_writer(answers_file))
        probability_rows = files.enter_context(csv_writer(probabilities_file))
        answer_rows.writerow(header)
        probability_rows.writerow([name_column, *scheme.class_names])
        bar = tqdm(total=len(info), unit="picture", disable=not sys.stderr.isatty(), leave=False)
        for batch in answers:
            read = dict(zip(batch.rows.tolist(), batch.probabilities))
            for row in sorted([*read, *batch.unreadable]):
                probabilities = read.get(row)
                cells = list(kept[row])
                cells.insert(place, "" if probabilities is None else int(probabilities.argmax()))
                answer_rows.writerow(cells)
                told = [""] * scheme.num_classes if probabilities is None else [f"{p:.7g}" for p in probabilities]
                probability_rows.writerow([names[row], *told])
                if probabilities is None:
                    errors.append((names[row], batch.unreadable[row]))
            bar.update(len(batch.rows) + len(batch.unreadable))
        bar.close()
        if errors:
            error_rows = files.enter_context(csv_writer(errors_file))
            error_rows.writerows([(name_column, "error"), *errors])
        write_json(answers_file.parent / LABELS, scheme.to_dict())
    if not errors:
        errors_file.unlink(missing_ok=True)
    return len(errors)


@contextmanager
def csv_writer(path: Path) -> Iterator[Any]:
    """A csv writer of a UTF-8 file that is written beside its place first."""
    with write_beside(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        yield csv.writer(file, lineterminator="\n")


if __name__ == "__main__":
    job.run(main)
