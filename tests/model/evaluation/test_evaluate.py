"""All scores of an evaluation from one set of resamples. Reference: scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from model.attributes import Attribute
from model.errors import InputError
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog", "owl")), Attribute("size", ("small", "large"))))


@pytest.fixture
def matched():
    """200 images of 40 persons, with probabilities and other answers; some have no answer."""
    draw = np.random.default_rng(5)
    truth = draw.integers(6, size=200)
    probabilities = draw.dirichlet(np.ones(6), 200)
    probabilities[np.arange(200), truth] += 1
    probabilities /= probabilities.sum(1, keepdims=True)
    answers = np.where(draw.random(200) < 0.1, -1, probabilities.argmax(1))
    other = np.where(draw.random(200) < 0.4, truth, draw.integers(6, size=200))
    names = [f"{row}.jpg" for row in range(200)]
    return MatchedAnswers(
        SCHEME, names, truth, answers, probabilities, np.arange(200) // 5, "person", [f"p{i}" for i in range(40)],
        other=other, unanswered=[name for name, answer in zip(names, answers) if answer < 0],
    )  # fmt: skip


def test_each_target_has_its_own_scores(matched):
    result = evaluate(matched, resamples=0)
    targets = {"": (matched.truth, matched.answers, result.joint, 6)}
    for number, (name, classes) in enumerate((("kind", 3), ("size", 2))):
        truth, answers = (codes // 2 if number == 0 else codes % 2 for codes in (matched.truth, matched.answers))
        targets[name] = (truth, np.where(matched.answers < 0, -1, answers), result.attributes[name], classes)
    for truth, answers, scores, classes in targets.values():
        assert scores.scores["accuracy"].value == pytest.approx(accuracy_score(truth, answers))
        expected = f1_score(truth, answers, labels=range(classes), average=None, zero_division=0)
        assert [of.f1.value for of in scores.per_class.values()] == pytest.approx(list(expected))
        assert scores.confusion.sum() == (answers >= 0).sum() and len(scores.class_names) == classes
    assert result.unanswered == len(matched.unanswered) > 0


def test_a_comparison_is_the_difference_on_the_same_resamples(matched):
    result = evaluate(matched, resamples=300, confidence=0.9, seed=3)
    expected = accuracy_score(matched.truth, matched.answers) - accuracy_score(matched.truth, matched.other)
    gap = result.compare["accuracy"]
    assert gap.value == pytest.approx(expected) and gap.low < expected < gap.high
    same = evaluate(replace(matched, other=matched.answers), resamples=300).compare["macro_f1"]
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_the_calibration_error_is_that_of_the_most_probable_class(matched):
    result = evaluate(matched, resamples=0)
    top, confidence = matched.probabilities.argmax(1), matched.probabilities.max(1)
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [
        abs((top == matched.truth)[bins == number].mean() - confidence[bins == number].mean()) * (bins == number).sum()
        for number in set(bins)
    ]
    assert result.calibration_error.value == pytest.approx(sum(gaps) / 200)
    assert sum(part.pictures for part in result.reliability) == 200


def test_the_evaluation_says_which_units_are_resampled(matched):
    assert evaluate(matched, resamples=5).resampled_over == "person"
    assert evaluate(matched, resamples=0).resampled_over is None
    alone = replace(matched, groups=None, group_column=None, group_names=[], probabilities=None, other=None)
    result = evaluate(alone, resamples=5)
    assert (result.resampled_over, result.groups, result.compare, result.calibration_error) == (
        "picture",
        None,
        None,
        None,
    )
    assert result.reliability == [] and result.to_dict()["calibration_error"] is None


def test_the_geometric_mean_is_over_the_classes_that_are_named(matched):
    result = evaluate(matched, ["cat/small", "3"], resamples=0)
    f1 = [result.joint.per_class[name].f1.value for name in ("cat/small", "dog/large")]
    assert result.gmean_classes == ["cat/small", "dog/large"]
    assert result.joint.scores["gmean_f1"].value == pytest.approx(np.sqrt(np.prod(f1)))
    with pytest.raises(InputError, match=r"gmean_classes: class = 'cat'.*\ngmean_classes: class = '6'"):
        evaluate(matched, ["cat", "6"])


def test_classes_of_the_geometric_mean_that_fit_both_ways_name_the_setting(matched):
    numbered = replace(matched, scheme=Scheme((Attribute("a", tuple("123456")),)))
    with pytest.raises(
        InputError, match=r"gmean_classes: 1, 2 can be .* set --label_values names or --label_values ind"
    ):
        evaluate(numbered, ["1", "2"], resamples=0)
    assert evaluate(numbered, ["1", "2"], resamples=0, label_values="indices").gmean_classes == ["2", "3"]
    assert evaluate(numbered, ["1", "2.0"], resamples=0, label_values="names").gmean_classes == ["1", "2"]
    assert evaluate(numbered, ["1", "6"], resamples=0).gmean_classes == ["1", "6"]


@pytest.fixture
def partial(matched):
    """The same images, of which every fourth lacks the label of kind and every fifth of the others that of size."""
    rows = np.arange(200)
    kind = np.where(rows % 4 == 0, -1, matched.truth // 2)
    size = np.where((rows % 5 == 0) & (kind >= 0), -1, matched.truth % 2)
    joint = np.where((kind >= 0) & (size >= 0), matched.truth, -1)
    return replace(matched, truth=joint, truth_by_attribute={"kind": kind, "size": size})


def test_an_attribute_is_scored_over_all_images_with_its_label(partial):
    result = evaluate(partial, resamples=20)
    answers = {"kind": partial.answers // 2, "size": partial.answers % 2}
    for name, scores in result.attributes.items():
        truth = partial.truth_by_attribute[name]
        labelled, own = truth >= 0, np.where(partial.answers < 0, -1, answers[name])
        assert scores.scores["accuracy"].value == pytest.approx(accuracy_score(truth[labelled], own[labelled]))
        size = len(scores.class_names)
        expected = f1_score(truth[labelled], own[labelled], labels=range(size), average="macro", zero_division=0)
        assert scores.scores["macro_f1"].value == pytest.approx(expected)
        assert scores.pictures == labelled.sum() == result.to_dict()["attributes"][name]["pictures"]
        assert scores.scores["accuracy"].low < scores.scores["accuracy"].value < scores.scores["accuracy"].high
        alone = evaluate(replace(partial.complete, groups=partial.complete.groups, provenance=None), resamples=0)
        assert alone.attributes[name].pictures == result.pictures < scores.pictures
        assert "pictures" not in alone.to_dict()["attributes"][name]


def test_all_other_scores_are_over_the_images_with_every_label(partial):
    result, complete = evaluate(partial, resamples=0), evaluate(partial.complete, resamples=0)
    assert (result.pictures, result.partial) == ((partial.truth >= 0).sum(), (partial.truth < 0).sum())
    without = ("attributes", "notes")
    assert {k: v for k, v in result.to_dict().items() if k not in without} == {
        k: v for k, v in complete.to_dict().items() if k not in without
    }
    assert (
        result.joint.confusion.sum() == (partial.complete.answers >= 0).sum() and result.by_group == complete.by_group
    )
    assert sum(part.pictures for part in result.reliability) == result.pictures and result.unanswered < 20


def test_a_target_has_intervals_by_its_own_groups(partial):
    few = np.where(partial.groups < 9, partial.truth_by_attribute["size"], -1)
    both = {"kind": partial.truth_by_attribute["kind"], "size": few}
    joint = np.where((both["kind"] >= 0) & (few >= 0), partial.truth, -1)
    result = evaluate(replace(partial, truth=joint, truth_by_attribute=both), resamples=20)
    assert result.groups == 9 and result.joint.scores["accuracy"].low is None
    assert result.attributes["size"].scores["accuracy"].low is None
    assert result.attributes["kind"].scores["accuracy"].low is not None
    assert result.attributes["kind"].scores["macro_f1"].low is not None


def test_in_a_large_scheme_the_mean_is_of_attributes_over_their_own_images():
    draw = np.random.default_rng(3)
    scheme = Scheme((Attribute("a", tuple("xyz")), Attribute("b", tuple(map(str, range(400))))))
    truth, answers = draw.integers(5, size=60), draw.integers(5, size=60)
    a = np.where(np.arange(60) % 3 == 0, -1, truth // 400)
    b = np.where(np.arange(60) % 3 == 1, -1, truth % 400)
    joint = np.where((a >= 0) & (b >= 0), truth, -1)
    names = [str(row) for row in range(60)]
    result = evaluate(MatchedAnswers(scheme, names, joint, answers, truth_by_attribute={"a": a, "b": b}), resamples=20)
    means = [scores.scores["macro_f1"].value for scores in result.attributes.values()]
    assert result.joint.scores["macro_f1"].value == pytest.approx(np.mean(means)) and result.pictures == 20
    expected = f1_score(b[b >= 0], answers[b >= 0], average="macro", labels=np.unique(b[b >= 0]), zero_division=0)
    assert result.attributes["b"].scores["macro_f1"].value == pytest.approx(expected)
    assert [scores.pictures for scores in result.attributes.values()] == [40, 40]
