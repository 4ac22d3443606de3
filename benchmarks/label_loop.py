"""Whether correcting labels pays: trains before and after a simulated review, and compares the scores on other images.

    python -m benchmarks.label_loop --train_dir DIR --eval_dir DIR --ground_truth_dir DIR --config FILE \\
        --weights FILE --suspects suspects.csv --truth truth.csv --out_of_fold DIR --output DIR

A simulated reviewer answers the first suspects of suspects.csv, group by group or image by image, by truth.csv, a file
in the format of corrections.csv that corrects every wrong label. Trains one model per seed with the labels as they
are, after the review, after `--clean` without a reviewer, and with all labels corrected. docs/experiments.md has the
results.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.command_line import run
from benchmarks.seeds import compare, result_rows, results_dict, score, train_and_predict
from model.atomic_write import write_json
from model.cleaning.suspects import GROUP, IMAGE
from model.data.corrections import KEEP, RELABEL, Correction, effective, read_corrections, write_corrections
from model.errors import Problems
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
NOISY, REVIEWED, CLEANED, CORRECTED = "as they are", "reviewed", "--clean", "all corrected"
SCORES = ("macro_f1", "gmean_f1", "accuracy")
REVIEWER = ("simulated", "2026-01-01T00:00:00Z", "suspects")  # reviewer, time and source of its corrections


@dataclass(frozen=True)
class LoopSettings:
    train_dir: str = setting("", "training channel with wrong labels", section="Data")
    eval_dir: str = setting("", "channel of other images")
    ground_truth_dir: str = setting("", "folder with gt.csv, the correct labels of the eval images")
    group_column: str | None = setting(None, "column of gt.csv with the groups", unset="one with a usual name, if any")
    suspects: str = setting("", "suspects.csv of `exploration noise`")
    truth: str = setting("", "corrections of all wrong labels")
    out_of_fold: str | None = setting(None, "out-of-fold predictions for --clean", unset="no training with --clean")
    config: str = setting("", "experiment file", section="Training")
    weights: str = setting("", "weights to start from")
    seeds: list[int] = setting([0, 1, 2], "random seeds, one model each")
    epochs: int = setting(0, "epochs", unset="those of the experiment file", low=0)
    reviewed: int = setting(130, "number of groups, or of images, that are reviewed", section="Review")
    unit: str = setting(GROUP, "what is reviewed and counted", choices=(GROUP, IMAGE))
    output: str = setting("", "folder of the models and predictions; finished ones are kept")
    resamples: int = setting(2000, "bootstrap resamples", low=10)


def simulate_review(suspects: Path, truth: Path, reviewed: int, unit: str) -> tuple[list[Correction], int]:
    """Answers the suspects of the first groups or images by the truth.

    Args:
        suspects: suspects.csv.
        truth: Corrections of all wrong labels; an image or group that it does not list has correct labels.
        reviewed: Number of groups or images to review.
        unit: GROUP or IMAGE.

    Returns:
        The reviewer's corrections, and the number of corrected labels.
    """
    problems = Problems(str(truth))
    right = {
        key: row.value for key, row in effective(read_corrections(truth, problems)).items() if row.action == RELABEL
    }
    problems.raise_if_any()
    seen: set[str] = set()
    answers = []
    for suspect in pd.read_csv(suspects, dtype=str, keep_default_na=False).to_dict("records"):
        seen.add((unit == GROUP and suspect["group"]) or suspect["path"])
        if len(seen) > reviewed:
            break
        path = "" if suspect["level"] == GROUP else suspect["path"]
        kept = Correction(path, suspect["group"], suspect["attribute"], KEEP, "", suspect["given"], *REVIEWER)
        value = right.get(kept.key)
        answers.append(replace(kept, action=RELABEL, value=value) if value else kept)
    return answers, sum(answer.action == RELABEL for answer in answers)


def main(argv: Sequence[str]) -> int:
    settings = from_flags(LoopSettings, argv, USAGE)
    output = Path(settings.output).resolve()
    output.mkdir(parents=True, exist_ok=True)
    truth = Path(settings.truth).resolve()
    answers, corrected = simulate_review(Path(settings.suspects), truth, settings.reviewed, settings.unit)
    review = output / "corrections.csv"
    write_corrections(review, answers)
    print(f"review of {settings.reviewed} {settings.unit}s: {len(answers)} suspects, {corrected} labels corrected")
    kinds: dict[str, tuple[str, list[object]]] = {
        NOISY: ("noisy", []),
        REVIEWED: ("reviewed", ["--corrections", review]),
        CORRECTED: ("corrected", ["--corrections", truth]),
    }
    if settings.out_of_fold:
        kinds[CLEANED] = ("cleaned", ["--clean", settings.out_of_fold])
    common = ["--config", settings.config, "--weights", settings.weights, "--train_dir", settings.train_dir]
    common += ["--epochs", str(settings.epochs)] if settings.epochs else []
    predict = ["--eval_dir", settings.eval_dir]
    for seed in settings.seeds:
        for name, flags in kinds.values():
            train_and_predict(output / f"{name}-{seed}", [*common, "--seed", seed, *flags], predict, "inference.py")
    scored = {
        kind: [
            score(output / f"{name}-{seed}", settings.ground_truth_dir, settings.group_column, settings.resamples)
            for seed in settings.seeds
        ]
        for kind, (name, _) in kinds.items()
    }
    results = compare(scored, SCORES)
    print(text_table(["labels", *SCORES], result_rows(results)))
    write_json(output / "scores.json", results_dict(results))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
