"""Detection on simulated channels with known errors (also tests evidence)."""

import numpy as np
import pandas as pd
import pytest

from model.cleaning.detection import DetectionSettings, detect
from model.cleaning.evidence import Sources, pooled
from model.cleaning.grouped import make_units
from model.cleaning.predicted import attribute_probabilities
from model.cleaning.suspects import GROUP, IMAGE
from tests.model.cleaning.conftest import make_table, simulate


@pytest.fixture(scope="module")
def detection(simulated):
    return detect(simulated.table, simulated.features, {})


def test_each_attribute_is_judged_at_its_level(detection):
    assert {one.name: one.level for one in detection.attributes} == {"gender": GROUP, "pose": IMAGE, "age": GROUP}


def test_wrong_labels_come_first_and_their_number_is_estimated(simulated, detection):
    """10 % of the persons have a wrong gender, 10 % two exchanged poses, 10 % a wrong age."""
    for one in detection.attributes:
        wrong = simulated.wrong[one.name]
        scores = detection.scores[one.name]
        per_unit = 4 if one.level == GROUP else 1
        top = np.argsort(-scores, kind="stable")[: wrong.sum()]
        assert wrong[top].mean() >= {"gender": 0.9, "pose": 0.95, "age": 0.8}[one.name]
        assert one.wrong == pytest.approx(wrong.sum() / per_unit, rel=0.7)
    first = detection.suspects[: int(0.3 * 150 * 1.5)]
    assert np.mean([simulated.wrong[one.attribute][one.rows[0]] for one in first[:40]]) > 0.9
    scores = [round(one.score, 6) for one in detection.suspects]  # as in suspects.csv
    assert scores == sorted(scores, reverse=True)


def test_a_flip_of_all_images_of_a_person_is_one_suspect(simulated, detection):
    own = [one for one in detection.suspects if one.attribute == "gender"]
    assert all(len(one.rows) == 4 and one.level == GROUP for one in own)
    assert len({simulated.table.groups[one.rows[0]] for one in own}) == len(own)
    assert own[0].reason.startswith(f"The 4 images of the person look {own[0].suggested}, not {own[0].given}")


def test_exchanged_images_are_both_listed_with_each_others_label(simulated, detection):
    exchanged = [one for one in detection.suspects if "look exchanged" in one.reason]
    assert len(exchanged) >= 2 * 14
    for first, second in zip(exchanged[::2], exchanged[1::2]):
        groups = simulated.table.groups
        assert groups[first.rows[0]] == groups[second.rows[0]] and first.reason == second.reason
        assert (first.given, first.suggested) == (second.suggested, second.given)


def test_evidence_is_never_of_the_own_group(simulated, detection):
    groups = simulated.table.groups
    for one in detection.suspects:
        assert 0 < len(one.neighbours) <= 5 and groups[one.rows[0]] not in groups[list(one.neighbours)]


def test_numbers_are_suggested_as_numbers(detection):
    ages = [one for one in detection.suspects if one.attribute == "age"]
    assert all(one.given.isdigit() and one.suggested.isdigit() for one in ages)
    assert "; the most similar images are labelled " in ages[0].reason
    assert np.median([abs(int(one.given) - int(one.suggested)) for one in ages[:10]]) > 15


def test_the_order_of_the_rows_does_not_matter(simulated, detection):
    order = np.random.default_rng(0).permutation(len(simulated.table))
    mixed = detect(simulated.table.take(order), simulated.features[order], {})
    for name, scores in detection.scores.items():
        np.testing.assert_allclose(mixed.scores[name], scores[order], atol=2e-3)


def test_one_deviating_image_of_a_person_is_suspect_alone(simulated):
    table = simulated.table
    labels = table.labels.copy()
    clean = int(np.flatnonzero(~simulated.wrong["gender"])[0])
    labels.loc[clean, "gender"] = 1 - labels.loc[clean, "gender"]
    from dataclasses import replace

    found = detect(replace(table, labels=labels), simulated.features, {})
    own = [one for one in found.suspects if one.attribute == "gender" and clean in one.rows]
    assert [one.rows for one in own] == [(clean,)] and own[0].score > 0.9 and own[0].level == IMAGE
    assert "3 other images of the person have another label" in own[0].reason


def test_predictions_are_used_alone_and_with_features(simulated, detection):
    table = simulated.table
    truth = table.labels["pose"].to_numpy() * 1
    wrong = simulated.wrong["pose"]
    predicted = np.full((len(table), 3), 0.05)
    true = truth.copy()
    rows = np.flatnonzero(wrong).reshape(-1, 2)
    true[rows] = truth[rows[:, ::-1]]
    predicted[np.arange(len(table)), true] = 0.9
    alone = detect(table, None, {"pose": predicted})
    assert wrong[np.argsort(-alone.scores["pose"])[: wrong.sum()]].all()
    assert {one.name: one.note for one in alone.attributes}["gender"].startswith("no predictions")
    assert all(one.neighbours == () for one in alone.suspects)
    both = detect(table, simulated.features, {"pose": predicted})
    assert wrong[np.argsort(-both.scores["pose"])[: wrong.sum()]].all()
    np.testing.assert_array_equal(both.scores["gender"], detection.scores["gender"])
    predicted[::2] = np.nan  # images without a prediction are judged by their features
    assert np.isfinite(detect(table, simulated.features, {"pose": predicted}).scores["pose"]).all()


def test_rare_classes_keep_most_of_their_groups():
    simulated = simulate(persons=60)
    labels = simulated.table.labels.copy()
    labels["pose"] = np.where(np.arange(len(labels)) < 8, 3, labels["pose"])  # a class that does not fit its images
    columns = {"pose": labels["pose"].tolist()}
    table = make_table(columns, simulated.table.groups.tolist())
    found = detect(table, simulated.features, {}, DetectionSettings(most=0))
    counts = pd.Series([one.given for one in found.suspects]).value_counts()
    assert counts.get("v3", 0) <= 1  # a fifth of 8
    assert (found.scores["pose"][:8] > 0.5).sum() > 1


def test_what_cannot_be_judged_is_said():
    groups = [f"g{row // 2}" for row in range(40)]
    random = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    columns = {"same": [1] * 40, "none": [-1] * 40, "few": [0, 1] * 5 + [-1] * 30, "lonely": [2, 2] + [0, 1] * 19}
    found = detect(make_table(columns, groups), random, {})
    notes = {one.name: one.note for one in found.attributes}
    assert notes["same"] == "all labels are v1" and notes["none"] == "no image has a label"
    assert notes["few"] == "10 labelled images; at least 20 are needed"
    assert notes["lonely"] == "1 value of only one group not judged" and found.scores["lonely"][0] == 0
    assert np.isnan(found.scores["few"]).all()
    single = detect(make_table({"x": [0, 1] * 20}, ["g"] * 40), random, {})
    assert "one group" in single.attributes[0].note and not single.suspects


def test_two_groups_and_unreadable_images_are_no_error():
    random = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    random[5] = np.nan
    table = make_table({"x": [0, 1] * 20, "n": [0, 1] * 20}, ["a"] * 20 + ["b"] * 20, {"n": [30, 60] * 20})
    found = detect(table, random, {})
    assert np.isfinite(found.scores["x"]).all() and np.isfinite(found.scores["n"]).all()


def test_a_hierarchy_of_many_classes_is_judged():
    generator = np.random.default_rng(0)
    codes = np.repeat(np.arange(60), [1, 2, 3] + [8] * 57)
    features = (np.eye(60)[codes] + generator.normal(0, 0.1, (len(codes), 60))).astype(np.float32)
    given = codes.copy()
    wrong = generator.permutation(np.arange(6, len(codes)))[:20]
    given[wrong] = (given[wrong] + 7) % 57 + 3
    table = make_table({"variety": given, "aisle": codes // 20}, [f"{row}" for row in range(len(codes))])
    found = detect(table, features, {})
    top = np.argsort(-found.scores["variety"])[:20]
    assert np.isin(top, wrong).mean() >= 0.9
    assert {one.name: one.wrong for one in found.attributes}["aisle"] < 5


def test_joint_probabilities_are_summed_by_attribute(simulated):
    scheme = simulated.table.scheme
    joint = np.random.default_rng(0).dirichlet(np.ones(scheme.num_classes), 5)
    found = attribute_probabilities(scheme, joint)
    grid = joint.reshape(5, 2, 3, 2)
    np.testing.assert_allclose(found["gender"], grid.sum(axis=(2, 3)))
    np.testing.assert_allclose(found["pose"], grid.sum(axis=(1, 3)))
    np.testing.assert_allclose(found["age"], grid.sum(axis=(1, 2)))


def test_evidence_of_a_group_is_the_mean_of_its_log_probabilities():
    groups = np.array([0, 0, 1])
    units = make_units(np.array([1, 1, 0]), groups, by_group=True)
    probabilities = np.array([[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])
    found = pooled(probabilities, groups, units)
    root = np.sqrt([0.8 * 0.5, 0.2 * 0.5])
    np.testing.assert_allclose(found, [root / root.sum(), [0.1, 0.9]])


def test_sources_without_features_have_no_neighbours():
    assert Sources.of(np.array([0, 1]), None, {}).neighbours is None
