"""Scores of models of several seeds: means, paired gains, and scores by the number of training images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from benchmarks.seeds import COST, Scored, compare, result_rows, score
from model.errors import InputError

CLASSES = 3


def write_predictions(folder: Path, answers: np.ndarray, counts: tuple[int, ...] = (20, 8, 7)) -> Path:
    """Writes output.csv, the cost and the model's numbers of training images; returns the folder."""
    folder.mkdir(parents=True)
    pd.DataFrame({"ImageID": [f"{row}.jpg" for row in range(len(answers))], "ans": answers}).to_csv(
        folder / "output.csv", index=False
    )
    (folder / COST).write_text('{"minutes": 2.5}')
    model = folder.parent / "models" / folder.name
    model.mkdir(parents=True)
    sides = {"train": {"class_counts": list(counts)}, "validation": None}
    (model / "metrics.json").write_text(json.dumps({"data": sides}))
    return folder


@pytest.fixture
def truth(tmp_path: Path) -> np.ndarray:
    """True classes of 600 images of 200 persons, which gt.csv has."""
    truth = np.random.default_rng(0).integers(CLASSES, size=600)
    frame = {"ImageID": [f"{row}.jpg" for row in range(600)], "ans": truth, "person": np.arange(600) // 3}
    pd.DataFrame(frame).to_csv(tmp_path / "gt.csv", index=False)
    return truth


def answers(truth: np.ndarray, right: float, seed: int) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(len(truth)) < right, truth, (truth + 1) % CLASSES)


def test_scores_are_those_of_the_predictions_in_total_and_by_training_images(tmp_path: Path, truth: np.ndarray) -> None:
    own = answers(truth, 0.7, 1)
    scored = score(write_predictions(tmp_path / "runs" / "a-0", own), str(tmp_path), "person", 50, shots=(20, 8))
    by_class = f1_score(truth, own, average=None)
    assert scored.values["macro_f1"][0] == pytest.approx(by_class.mean())
    assert [scored.values[f"macro_f1@{low}"][0] for low in (20, 8, 0)] == pytest.approx(by_class.tolist())
    assert (scored.units, scored.minutes, len(scored.values["accuracy"])) == (200, 2.5, 51)


def test_gains_are_paired_over_persons_and_seeds(tmp_path: Path, truth: np.ndarray) -> None:
    rights = {"base": 0.5, "same": 0.5, "better": 0.9}
    kinds: dict[str, list[Scored]] = {}
    for kind, right in rights.items():
        folders = [
            write_predictions(tmp_path / "runs" / f"{kind}-{seed}", answers(truth, right, seed)) for seed in (1, 2, 3)
        ]
        kinds[kind] = [score(folder, str(tmp_path), "person", 300) for folder in folders]
    results = compare(kinds, ["macro_f1"])
    expected = np.mean([f1_score(truth, answers(truth, 0.9, seed), average="macro") for seed in (1, 2, 3)])
    assert results["better"]["macro_f1"].mean.value == pytest.approx(expected)
    same, better = results["same"]["macro_f1"].gain, results["better"]["macro_f1"].gain
    assert same is not None and (same.value, same.low, same.high) == (0, 0, 0)  # pairs are equal
    assert better is not None and better.low is not None and 0.3 < better.low < better.value < 0.5
    assert results["base"]["macro_f1"].gain is None
    turned = {kind: kinds[kind] for kind in ("better", "base", "same")}
    of_first, of_previous = (compare(turned, ["macro_f1"], flag)["same"]["macro_f1"].gain for flag in (False, True))
    assert of_first is not None and of_first.value == pytest.approx(-better.value)
    assert of_previous is not None and of_previous.value == 0
    row = result_rows(results)[2]
    assert row[0] == "better" and row[1].startswith(f"{expected:.3f} (") and f"; +{better.value:.3f} (+" in row[1]


def test_the_deviation_over_seeds_is_that_of_their_mean() -> None:
    """With images that do not vary, the variance is that of the mean of n seeds, s^2 / n."""
    seeds = np.array([0.50, 0.53, 0.58, 0.51])
    models = [Scored({"macro_f1": np.full(40_001, own)}, 1000, 1.0) for own in seeds]
    mean = compare({"a": models}, ["macro_f1"])["a"]["macro_f1"].mean
    assert mean.deviation == pytest.approx(seeds.std(ddof=1) / 2, rel=0.02)


def test_an_unknown_score_is_an_error_with_the_nearest_name() -> None:
    models = [Scored({"macro_f1": np.zeros(3), "age.macro_f1": np.zeros(3)}, 20, 1.0)]
    with pytest.raises(InputError, match=r"no 'age.macrof1'.*nearest: age.macro_f1"):
        compare({"a": models}, ["age.macrof1"])
