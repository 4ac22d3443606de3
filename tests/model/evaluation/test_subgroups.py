"""Reference: counting in a plain loop, and the mean and deviation of groups of equal size."""

from dataclasses import replace

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.subgroups import MOST_VALUES, subgroups_by_group, subgroups_by_metadata
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog", "owl")),))


@pytest.fixture
def matched():
    """60 images of 12 persons, of whom the fifth has no name: five groups of one image each."""
    generator = np.random.default_rng(3)
    truth = generator.integers(3, size=60)
    answers = np.where(generator.random(60) < 0.6, truth, generator.integers(-1, 3, 60))
    groups = np.arange(60) // 5
    names = [f"p{group}" for group in range(12)]
    names[4] = ""
    site = generator.choice(["a", "b", ""], 60, p=[0.6, 0.3, 0.1]).tolist()
    return MatchedAnswers(
        SCHEME,
        [f"{row}.jpg" for row in range(60)],
        truth,
        answers,
        groups=groups,
        group_column="person",
        group_names=names,
        metadata={"site": site, "number": [str(row) for row in range(60)], "always": ["x"] * 60},
    )


def test_groups_with_a_name_are_counted(matched):
    result = {of.name: of for of in subgroups_by_group(matched)}
    assert list(result) == [name for name in matched.group_names if name]
    for at, name in enumerate(matched.group_names):
        if name:
            right = sum(matched.truth[row] == matched.answers[row] for row in range(60) if matched.groups[row] == at)
            assert (result[name].pictures, result[name].correct, result[name].accuracy.value) == (5, right, right / 5)


def test_groups_of_one_image_each_are_no_groups(matched):
    alone = replace(matched, groups=np.arange(60), group_names=matched.names)
    assert subgroups_by_group(alone) == subgroups_by_group(replace(matched, groups=None)) == []


def test_values_of_a_column_are_counted_and_an_empty_cell_is_one(matched):
    result = subgroups_by_metadata(matched, 0.0)
    assert list(result) == ["site"] and [of.name for of in result["site"]] == ["", "a", "b"]
    for of in result["site"]:
        rows = [row for row in range(60) if matched.metadata["site"][row] == of.name]
        right = sum(matched.truth[row] == matched.answers[row] for row in rows)
        assert (of.pictures, of.correct, of.accuracy.value) == (len(rows), right, right / len(rows))
        assert of.accuracy.low is None


def test_a_column_has_from_two_to_twenty_values(matched):
    values = {"most": [str(row % MOST_VALUES) for row in range(60)], "more": [str(row % 21) for row in range(60)]}
    assert list(subgroups_by_metadata(replace(matched, metadata=values), 0.95)) == ["most"]


def test_an_interval_is_over_the_groups_and_has_a_width_at_one_group(matched):
    rare = ["rare" if person == 3 else "b" for person in matched.groups]
    (of_b, of_rare) = subgroups_by_metadata(replace(matched, metadata={"site": rare}), 0.9)["site"]
    by_group = np.array([matched.correct[matched.groups == group].mean() for group in range(12) if group != 3])
    assert of_b.accuracy.value == pytest.approx(by_group.mean())
    assert of_b.accuracy.deviation == pytest.approx(by_group.std(ddof=1) / 11**0.5)
    assert of_b.accuracy.low < of_b.accuracy.value < of_b.accuracy.high
    # five images of one person count as one: the interval is nearly all
    assert of_rare.accuracy.high - of_rare.accuracy.low > 0.9
    few = replace(matched, groups=matched.groups // 2, metadata={"site": rare})
    assert all(one.accuracy.low is None for one in subgroups_by_metadata(few, 0.9)["site"])


def test_evaluation_json_has_subgroups_of_metadata_only(matched):
    result = evaluate(matched, resamples=20)
    assert result.by_group == subgroups_by_group(matched)
    assert result.by_metadata == subgroups_by_metadata(matched, 0.95)
    block = result.to_dict()
    assert "by_group" not in block and list(block["metadata"]) == ["site"]
    of = result.by_metadata["site"][1]
    assert block["metadata"]["site"]["a"] == {
        "pictures": of.pictures,
        "accuracy": {"value": of.accuracy.value, "low": of.accuracy.low, "high": of.accuracy.high},
    }
