"""The name of the column of groups; test_matching has the groups themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.answers.labels_json import HELD_OUT_KEY
from model.artifacts.provenance import PROVENANCE_KEY, MemberProvenance, Provenance, SplitSize
from model.evaluation.evaluate import evaluate
from model.evaluation.matching import match_answers
from model.evaluation.report.render import render_report
from model.evaluation.summary import intervals
from model.evaluation.truth_groups import column_in_training

MEMBER = MemberProvenance(
    "exp", "resnet18", {}, "CSV", "person", SplitSize(9, 3), None, {}, "f1", True, 1, 1, 1.0, "CPU", {}
)
MADE = Provenance("exp", 1, "", (MEMBER,))


def test_groups_of_a_training_have_the_name_of_its_column():
    assert column_in_training("group", MADE) == "person"
    assert (
        column_in_training("house", MADE) == column_in_training(None, MADE) == column_in_training("group", None) == ""
    )
    assert column_in_training("group", replace(MADE, members=(replace(MEMBER, grouped_by=""),))) == ""
    two = replace(MADE, members=(MEMBER, replace(MEMBER, grouped_by="sender")))
    assert column_in_training("group", two) == ""


@pytest.mark.parametrize(("held_out", "label"), [("validation", "person"), (None, "group")])
def test_only_the_ground_truth_that_training_wrote_is_renamed(files, held_out, label):
    rows = range(12)
    truth, answers = files(
        "ImageID,ans,group\n" + "".join(f"{row},0,p{row // 2 + row % 2 * 6}\n" for row in rows),
        "ImageID,ans\n" + "".join(f"{row},{row % 2}\n" for row in rows),
    )
    labels: Path = answers.with_name("labels.json")
    content = json.loads(labels.read_text()) | {PROVENANCE_KEY: MADE.to_dict()}
    labels.write_text(json.dumps(content | ({HELD_OUT_KEY: held_out} if held_out else {})))
    matched = match_answers(truth, answers)
    assert matched.group_column == "group" and matched.group_label == label and matched.metadata == {}
    evaluation = evaluate(matched, resamples=10)
    assert evaluation.resampled_over == "group"  # the column of the file
    assert f"over the 12 groups of column {label}:" in intervals(evaluation)
    assert f"12 images of 12 {label}s" in render_report(evaluation, matched)
