import re
from dataclasses import replace

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.summary import intervals, labelled_scores, notes_of, summary, verdict
from model.labels import Scheme
from model.metrics.bootstrap import Interval

TWO = Scheme((Attribute("kind", ("cat", "dog")), Attribute("size", ("small", "large"))))


def evaluated(resamples: int = 0, gmean_classes: tuple[str, ...] = (), **changes: object) -> Evaluation:
    truth, answers = np.array([0, 0, 1, 2]), np.array([0, 1, 1, -1])
    names = [f"{row}.jpg" for row in range(4)]
    return evaluate(MatchedAnswers(TWO, names, truth, answers, **changes), gmean_classes, resamples=resamples)


def test_the_summary_has_a_table_each_for_scores_classes_and_attributes():
    heading, note, *tables = summary(evaluated()).split("\n\n")
    assert heading == "4 images in 4 classes; no intervals: resamples is 0"
    assert note == "note: 1 class does not occur in the true labels, so F1 counts as 0 in macro means: dog/large"
    assert [table.split()[0] for table in tables] == ["score", "class", "attribute", "kind", "size"]
    scores, classes, attributes, *_ = (table.splitlines() for table in tables)
    assert re.split("  +", scores[2]) == ["accuracy", "0.5000", "-"]
    assert classes[2].split() == ["cat/small", "0.6667", "-", "1.0000", "0.5000", "2"]
    assert attributes[0].count("95 % interval") == 3 and attributes[2].split()[:2] == ["kind", "0.7500"]


def test_a_comparison_has_a_signed_difference_and_its_verdict():
    compared = evaluated(resamples=50, other=np.array([2, 2, 2, 1]))
    *_, table = summary(compared).split("\n\n")
    header, _, accuracy, *_ = table.splitlines()
    assert header.startswith("these predictions minus the compared ones") and " +0.5000 " in accuracy


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.2, "better"), (-0.2, -0.1, "worse"), (-0.1, 0.1, "no clear difference"), (None, None, "")],
)
def test_a_verdict_depends_on_the_side_of_0_of_the_interval(low, high, expected):
    assert verdict(Interval(0.0, low, high)) == expected


def test_the_heading_names_the_resampled_units():
    few = {"groups": np.array([0, 0, 1, 1]), "group_column": "person", "group_names": ["p", "q"]}
    assert intervals(evaluated(10)) == "no intervals: 4 images; an interval needs at least 10"
    assert intervals(evaluated(10, **few)) == "no intervals: 2 groups; an interval needs at least 10"
    assert intervals(evaluated(0, **few)) == "no intervals: resamples is 0"
    enough = replace(evaluated(10, **few), groups=10)
    assert intervals(enough) == "95 % intervals from 10 bootstrap resamples of the 10 groups of column person"
    over = "single images; no column of groups was found"
    assert intervals(replace(evaluated(10), pictures=10)) == f"95 % intervals from 10 bootstrap resamples of {over}"


def test_one_image_is_written_in_the_singular_and_notes_name_groups_or_images():
    kind = Scheme((Attribute("kind", ("cat",)),))
    one = evaluate(MatchedAnswers(kind, ["a.jpg"], np.array([0]), np.array([0])), resamples=10)
    heading = "1 image in 1 class; no intervals: 1 image; an interval needs at least 10"
    assert summary(one).splitlines()[0] == heading
    assert "no intervals: 1 image; an interval needs at least 10" in one.notes
    grouped = evaluated(10, groups=np.array([0, 0, 1, 1]), group_column="person", group_names=["p", "q"])
    assert "no intervals: 2 groups; an interval needs at least 10" in grouped.notes


def test_notes_of_the_matching_precede_that_on_classes_without_images():
    notes = notes_of(evaluated(notes=["a note"]))
    assert notes[0] == "a note" and notes[1].startswith("1 class does not occur") and len(notes) == 2


def test_a_geometric_mean_of_some_classes_names_them():
    chosen = list(labelled_scores(evaluated(gmean_classes=("cat/small",))))
    assert chosen[3] == "geometric mean of F1 of cat/small"
    assert list(labelled_scores(evaluated()))[3] == "geometric mean of F1"


def test_images_that_the_model_saw_are_the_first_line():
    seen = {"train": 2, "validation": 1}
    first, second, *_ = summary(evaluated(learnt_from=seen)).splitlines()
    assert first.startswith(
        "warning: 3 of 4 images were used to train the model: 2 for its weights, 1 to choose its best epoch; scores"
    )
    assert second.startswith("4 images in 4 classes")
    assert summary(evaluated(learnt_from={"train": 0, "validation": 0})) == summary(evaluated())


def test_of_many_classes_the_table_has_the_lowest_f1():
    classes = np.repeat(np.arange(81), 2)
    answers = np.where(classes < 70, classes, (classes + 1) % 81)
    scheme = Scheme((Attribute("variety", tuple(f"kind{code}" for code in range(81))),))
    text = summary(evaluate(MatchedAnswers(scheme, [str(row) for row in range(162)], classes, answers), resamples=0))
    lines = next(part for part in text.split("\n\n") if part.startswith("class ")).splitlines()
    assert len(lines) == 2 + 20 + 1 and lines[-1] == "... and 61 more classes; evaluation.json lists all classes"
    f1 = [float(line.split()[1]) for line in lines[2:-1]]
    assert f1 == sorted(f1) and f1[:11] == [0] * 11 and f1[11] > 0


def test_the_scores_of_a_hierarchy_are_called_means_of_the_attributes():
    values = tuple(f"v{code}" for code in range(40))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)))
    scheme = scheme.occurring({"a": np.array([0, 0, 1]), "b": np.array([0, 1, 0])})
    matched = MatchedAnswers(scheme, ["0", "1"], np.array([0, 1]), np.array([0, 2]))
    evaluation = evaluate(matched, resamples=0)
    assert list(labelled_scores(evaluation))[:2] == ["accuracy", "macro F1, mean of attributes"]
    assert notes_of(evaluation)[0].startswith("every score is the mean of the attribute scores")
    chosen = evaluate(matched, ("v0/v0", "v0/v1"), resamples=0)
    assert "geometric mean of F1 of v0/v0, v0/v1" in labelled_scores(chosen)


def test_images_of_each_attribute_are_counted_if_labels_are_missing():
    assert "pictures" not in summary(evaluated()).split("\n\n")[4].splitlines()[0]
    labels = {"kind": np.array([0, 0, 0, 1]), "size": np.array([0, 0, -1, 0])}
    truth, answers = np.array([0, 0, -1, 2]), np.array([0, 1, 1, -1])
    lacking = MatchedAnswers(TWO, list("abcd"), truth, answers, truth_by_attribute=labels)
    heading, *_, attributes, _, _ = summary(evaluate(lacking, resamples=0)).split("\n\n")
    assert heading.startswith("3 images in 4 classes")
    assert [line.split()[-1] for line in attributes.splitlines() if "---" not in line] == ["images", "4", "3"]
