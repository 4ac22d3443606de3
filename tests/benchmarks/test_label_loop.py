"""The simulated review of benchmarks.label_loop; trainings are not run here."""

from __future__ import annotations

from pathlib import Path

from benchmarks.label_loop import simulate_review
from model.cleaning.suspects import GROUP, IMAGE

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
