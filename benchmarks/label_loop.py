"""Whether correcting labels pays: trains before and after a simulated review, and compares the scores on other images.

    python -m benchmarks.label_loop --channel DIR --eval DIR --ground_truth DIR --config FILE --weights FILE \\
        --suspects suspects.csv --truth truth.csv --out_of_fold DIR --output DIR

A simulated reviewer answers the first suspects of suspects.csv, group by group or image by image, by truth.csv, a file
in the format of corrections.csv that corrects every wrong label. Trains one model per seed with the labels as they
are, after the review, after `--clean` without a reviewer, and with all labels corrected. docs/experiments.md has the
results.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.files import OUTPUT, TRUTH
from model.atomic_write import write_json
from model.cleaning.suspects import GROUP, IMAGE
from model.data.corrections import KEEP, RELABEL, Correction, effective, read_corrections, write_corrections
from model.errors import Problems
from model.metrics.bootstrap import Interval, interval, resample
from model.metrics.scores import Counts, count_statistics, scores_of
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
ROOT = Path(__file__).resolve().parents[1]
NOISY, REVIEWED, CLEANED, CORRECTED = "as they are", "reviewed", "--clean", "all corrected"
SCORES = ("macro_f1", "gmean_f1", "accuracy")
CONFIDENCE = 0.95
REVIEWER = ("simulated", "2026-01-01T00:00:00Z", "suspects")  # reviewer, time and source of its corrections


@dataclass(frozen=True)
class LoopSettings:
    channel: str = setting("", "training channel with wrong labels", section="Data")
    eval: str = setting("", "channel of other images")
    ground_truth: str = setting("", "folder with gt.csv, the correct labels of the eval images")
    group_column: str | None = setting(None, "column of gt.csv with the groups", unset="each image is a group")
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


def train_and_predict(settings: LoopSettings, name: str, seed: int, flags: Iterable[str]) -> np.ndarray:
    """Trains a model, unless an earlier run has, and returns its predictions for the rows of gt.csv, int64 (n,)."""
    output = Path(settings.output).resolve()
    folder = output / f"{name}-{seed}"
    if not (folder / OUTPUT).is_file():
        train = ["--config", settings.config, "--weights", settings.weights, "--train_dir", settings.channel]
        own = ["--seed", seed, "--name", folder.name, "--model_dir", output / "models"]
        if settings.epochs:
            own += ["--epochs", settings.epochs]
        _run("train.py", *train, *own, "--report", "false", "--tracking", "none", *flags)
        model = output / "models" / folder.name
        _run("inference.py", "--eval_dir", settings.eval, "--model_dir", model, "--output_data_dir", folder)
    truth = pd.read_csv(Path(settings.ground_truth) / TRUTH, dtype=str)
    predicted = pd.read_csv(folder / OUTPUT, dtype=str)
    by_name = dict(zip(predicted.iloc[:, 0], predicted[predicted.columns.intersection(["ans", "y_pred"])[0]]))
    return np.array([int(by_name[name]) for name in truth.iloc[:, 0]])


def _run(script: str, *flags: object) -> None:
    subprocess.run([sys.executable, ROOT / script, *map(str, flags)], cwd=ROOT, check=True)


def compare(
    settings: LoopSettings, predictions: dict[str, list[np.ndarray]]
) -> dict[str, dict[str, tuple[float, Interval]]]:
    """The mean scores over the seeds, and their differences from the labels as they are.

    Resamples of groups are paired: all models are scored on the same ones.

    Args:
        settings: Ground truth and resamples.
        predictions: By kind of labels, the predictions of each seed's model, int64 (n,).

    Returns:
        By kind of labels and score: the mean over seeds, and the difference with its interval.
    """
    table = pd.read_csv(Path(settings.ground_truth) / TRUTH)
    truth = table["ans" if "ans" in table else "label"].to_numpy(np.int64)
    groups = pd.factorize(table[settings.group_column])[0] if settings.group_column else None
    units = len(truth) if groups is None else int(groups.max()) + 1
    classes = int(max(truth.max(), *(own.max() for seeds in predictions.values() for own in seeds))) + 1

    def mean_scores(seeds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        scored = [
            scores_of(
                Counts.from_totals(resample(count_statistics(truth, own, classes), groups, settings.resamples, 0)),
                np.unique(truth).tolist(),
            )
            for own in seeds
        ]
        return {name: np.mean([scores[name] for scores in scored], axis=0) for name in SCORES}

    means = {kind: mean_scores(seeds) for kind, seeds in predictions.items()}
    return {
        kind: {
            name: (float(values[0]), interval(values - means[NOISY][name], CONFIDENCE, units, is_difference=True))
            for name, values in scores.items()
        }
        for kind, scores in means.items()
    }


def main(argv: Sequence[str]) -> int:
    settings = from_flags(LoopSettings, argv, USAGE)
    output = Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)
    files = Path(settings.suspects), Path(settings.truth)
    answers, corrected = simulate_review(*files, settings.reviewed, settings.unit)
    review = output / "corrections.csv"
    write_corrections(review, answers)
    print(f"review of {settings.reviewed} {settings.unit}s: {len(answers)} suspects, {corrected} labels corrected")
    kinds = {
        NOISY: ("noisy", []),
        REVIEWED: ("reviewed", ["--corrections", str(review.resolve())]),
        CORRECTED: ("corrected", ["--corrections", str(Path(settings.truth).resolve())]),
    }
    if settings.out_of_fold:
        kinds[CLEANED] = ("cleaned", ["--clean", settings.out_of_fold])
    predictions: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    for seed in settings.seeds:
        for kind, (name, flags) in kinds.items():
            predictions[kind].append(train_and_predict(settings, name, seed, flags))
    compared = compare(settings, predictions)
    rows = []
    for kind, scores in compared.items():
        cells = [
            f"{mean:.3f}" if kind == NOISY else f"{mean:.3f}, {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
            for mean, gain in scores.values()
        ]
        rows.append([kind, *cells])
    print(text_table(["labels", *SCORES], rows))
    write_json(
        output / "scores.json",
        {
            kind: {name: {"mean": mean, **gain.to_dict()} for name, (mean, gain) in scores.items()}
            for kind, scores in compared.items()
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
