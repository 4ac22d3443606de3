"""The simulated review and the comparison of benchmarks.label_loop; trainings are not run here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.label_loop import CORRECTED, NOISY, REVIEWED, LoopSettings, compare, simulate_review
from model.cleaning.suspects import GROUP, IMAGE
from model.metrics.scores import scores

SUSPECTS = """path,group,attribute,level,given,suggested,score,reason,neighbours
a/1.jpg,a,gender,group,male,female,0.9,r,[]
b/2.jpg,b,mask,image,worn,none,0.8,r,[]
b/3.jpg,b,mask,image,none,worn,0.8,r,[]
c/1.jpg,c,age,group,20,40,0.7,r,[]
d/1.jpg,d,gender,group,male,female,0.6,r,[]
"""
TRUTH = """path,group,attribute,action,value,given,reviewer,time,source
,a,gender,relabel,female,male,t,,t
b/2.jpg,b,mask,relabel,none,worn,t,,t
a/1.jpg,a,mask,relabel,none,worn,t,,t
,d,gender,relabel,female,male,t,,t
"""


def review(folder: Path, reviewed: int, unit: str = GROUP) -> tuple[list[tuple[str, ...]], int]:
    (folder / "suspects.csv").write_text(SUSPECTS)
    (folder / "truth.csv").write_text(TRUTH)
    rows, corrected = simulate_review(folder / "suspects.csv", folder / "truth.csv", reviewed, unit)
    return [(row.path, row.group, row.attribute, row.action, row.value) for row in rows], corrected


def test_the_reviewer_answers_the_suspects_of_the_first_groups_only(tmp_path: Path) -> None:
    answers, corrected = review(tmp_path, 3)
    assert corrected == 2
    assert answers == [
        ("", "a", "gender", "relabel", "female"),
        ("b/2.jpg", "b", "mask", "relabel", "none"),
        ("b/3.jpg", "b", "mask", "keep", ""),
        ("", "c", "age", "keep", ""),
    ]
    assert len(review(tmp_path, 4)[0]) == 5
    assert [row[0] for row in review(tmp_path, 2, IMAGE)[0]] == ["", "b/2.jpg"]


@pytest.mark.parametrize("grouped", [True, False])
def test_scores_are_means_over_seeds_and_gains_are_paired(tmp_path: Path, grouped: bool) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=600)
    frame = pd.DataFrame({"ImageID": range(600), "ans": truth, "person": np.arange(600) // 3})
    frame.to_csv(tmp_path / "gt.csv", index=False)
    kinds = {NOISY: 0.5, REVIEWED: 0.5, CORRECTED: 0.9}
    answers = {
        kind: [np.where(np.random.default_rng(seed).random(600) < right, truth, (truth + 1) % 3) for seed in (1, 2)]
        for kind, right in kinds.items()
    }
    settings = LoopSettings(ground_truth=str(tmp_path), group_column="person" if grouped else None, resamples=200)
    compared = compare(settings, answers)
    for kind, seeds in answers.items():
        expected = np.mean([scores(truth, own, 3)["macro_f1"] for own in seeds])
        assert compared[kind]["macro_f1"][0] == pytest.approx(expected)
    same, better = compared[REVIEWED]["macro_f1"][1], compared[CORRECTED]["macro_f1"][1]
    assert (same.value, same.low, same.high) == (0, 0, 0)  # pairs are equal, so there is no variance
    assert better.low is not None and 0.3 < better.low < better.value < 0.5
