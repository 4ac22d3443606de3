"""Drawn labels and probabilities, with what must happen to each written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.attributes import Attribute
from model.cleaning.agreement import (
    CAPPED,
    DROPPED,
    KEPT,
    RELABELLED,
    UNKNOWN,
    AgreementRule,
    _limits,
    agree,
)
from model.cleaning.temperature import fit_temperature, tempered
from model.data.corrected_labels import apply_corrections
from model.errors import InputError, Problems
from model.labels import Scheme
from tests.model.cleaning.test_temperature import confident, drawn
from tests.model.cleaning.test_verdicts import people

LOOSE = AgreementRule(cap=1.0)


def test_sure_contradictions_are_relabelled_unsure_ones_dropped_and_the_rest_kept():
    table = people(50, images=1)
    right = table.labels["mask"].to_numpy().copy()
    own = confident(right)
    own[[2, 4, 6]] = [[0.02, 0.98], [0.4, 0.6], [0.2, 0.8]]  # the labels are 0
    rule = replace(LOOSE, relabel_at=0.9, drop_below=0.3)
    temperature = fit_temperature(own, right)
    calibrated = tempered(own, temperature)
    actions = agree(table, {"mask": own}, rule).actions[:, 0]
    assert actions[2] == RELABELLED and calibrated[2, 1] >= 0.9
    assert actions[4] == KEPT and calibrated[4, 0] >= 0.3 and actions[6] == DROPPED and calibrated[6, 1] < 0.9
    assert (np.delete(actions, [2, 4, 6]) == KEPT).all()


def test_labels_of_groups_are_judged_by_the_mean_log_probability_of_their_images():
    table = people(50, images=3)
    own = confident(table.labels["gender"].to_numpy())
    own[6:9] = [[0.001, 0.999], [0.01, 0.99], [0.6, 0.4]]  # the last image alone would be kept
    own[3:6] = [[0.99, 0.01], [0.1, 0.9], [0.1, 0.9]]  # the first image alone would be relabelled
    result = agree(table, {"gender": own}, LOOSE)
    assert result.is_of_group == (False, True, True)
    pooled = np.exp(np.log(own[6:9]).mean(axis=0))
    expected = tempered(pooled[None] / pooled.sum(), result.temperatures["gender"])[0, 1]
    np.testing.assert_allclose(result.suggested_probability[6:9, 1], expected)
    assert result.actions[:, 1].tolist() == [KEPT] * 6 + [RELABELLED] * 3 + [KEPT] * 141
    (row,) = result.corrections()
    assert (row.path, row.group, row.attribute, row.action, row.value, row.given) == (
        *("", "c", "gender", "relabel", "female", "male"),
    )
    assert row.reviewer == row.source == "out-of-fold"


def test_most_wrong_labels_are_found_by_a_good_model_and_none_in_right_ones():
    table = people(300, images=1)
    right = table.labels["mask"].to_numpy().copy()
    own = drawn(right, 2)
    assert not (agree(table, {"mask": own}).actions == RELABELLED).any()
    wrong = np.random.default_rng(0).permutation(300)[:30]
    table.labels.loc[wrong, "mask"] = 1 - right[wrong]
    actions = agree(table, {"mask": own}, joint=False).actions[:, 0]
    found = set(np.flatnonzero(actions == RELABELLED))
    assert found <= set(wrong) and len(found) >= 20


def test_at_most_the_cap_of_a_class_is_changed_least_probable_labels_first():
    table = people(40, images=1)
    codes = table.labels["mask"].to_numpy()
    wrong = np.flatnonzero(codes == 0)[:10]  # of 20 groups of the class
    own = confident(codes)
    own[wrong] = [[0.05 - 0.004 * number, 0.95 + 0.004 * number] for number in range(10)]
    actions = agree(table, {"mask": own}, AgreementRule(relabel_at=0.6, cap=0.2), joint=False).actions[:, 0]
    assert actions[wrong].tolist() == [CAPPED] * 6 + [RELABELLED] * 4


def test_right_labels_of_many_classes_are_not_dropped_for_being_improbable():
    table, classes = people(400, images=1), 100
    values = tuple(f"class {number}" for number in range(classes))
    codes = np.arange(len(table)) % classes
    scheme, labels = Scheme((Attribute("species", values),)), pd.DataFrame({"species": codes})
    table = replace(table, scheme=scheme, labels=labels, numbers=table.numbers[[]])
    logits = np.random.default_rng(0).normal(size=(len(table), classes))  # a model that has learnt little
    logits[np.arange(len(table)), codes] += 1
    own = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    changed = agree(table, {"species": own}, LOOSE).actions != KEPT
    assert changed.mean() < 0.2
    own = np.full((len(table), classes), 1 / classes)
    own[:, 0] += 1e-6
    assert (agree(table, {"species": own}, LOOSE).actions == KEPT).all()


def test_the_cap_is_exact():
    assert _limits(np.zeros(100, np.int64), np.arange(100), 0.29) == {0: 29}


def test_the_last_group_of_a_class_is_never_changed_even_of_a_joint_class():
    table = people(40, images=1)
    table.labels["mask"] = 0
    table.labels.loc[[3, 5], "mask"] = 1
    own = confident(np.zeros(40, int))
    assert agree(table, {"mask": own}, LOOSE).actions[[3, 5], 0].tolist().count(RELABELLED) == 1
    # the joint class of both is none/female/30 and over; another mask of image 6 leaves its joint class too
    table.labels.loc[6, "mask"] = 1
    actions = agree(table, {"mask": own}, LOOSE).actions[[3, 5, 6], 0].tolist()
    assert actions.count(RELABELLED) == 1 and actions[2] == CAPPED
    assert agree(table, {"mask": own}, LOOSE, joint=False).actions[[3, 5, 6], 0].tolist().count(RELABELLED) == 2


def test_a_dropped_image_counts_in_the_classes_of_all_attributes():
    table = people(40, images=1)
    table.labels["age"] = 0
    table.labels.loc[7, "age"] = 1  # the only one
    own = confident(table.labels["mask"].to_numpy())
    own[7] = [0.5, 0.5]
    rule = AgreementRule(drop_below=0.6, cap=1.0)
    assert agree(table, {"mask": own}, rule).actions[7, 0] == CAPPED
    own[9] = [0.5, 0.5]
    result = agree(table, {"mask": own}, rule)
    assert result.actions[9, 0] == DROPPED and result.left_out == 1
    assert [(row.path, row.action) for row in result.corrections()] == [("", "delete")]  # its group has one image


def test_missing_labels_and_images_without_predictions_are_not_judged():
    table = people(30, images=1)
    table.labels.loc[0, "mask"] = -1
    own = confident(1 - table.labels["mask"].to_numpy().clip(0))
    own[1:] = np.nan
    result = agree(table, {"mask": own}, LOOSE)
    assert not result.actions.any() and result.counts()["mask"]["judged"] == 0 and result.corrections() == []
    assert result.counts()["gender"]["judged"] == 0


def test_a_combination_that_does_not_occur_is_not_made():
    table = people(40, images=1)
    codes = np.unique(table.scheme.joint(table.codes()))
    table = replace(table, scheme=replace(table.scheme, combinations=tuple(int(code) for code in codes)))
    own = confident(table.labels["gender"].to_numpy())
    own[0] = [0.01, 0.99]  # the only person of this age is male
    assert agree(table, {"gender": own}, LOOSE).actions[0, 1] in (CAPPED, UNKNOWN)
    table.labels.loc[2, ["gender", "age"]] = [0, 0]
    table.labels.loc[4, ["gender", "age"]] = [0, 0]
    assert agree(table, {"gender": own}, LOOSE).actions[0, 1] == UNKNOWN


def test_corrections_change_the_table_as_the_actions_say():
    table = people(60, images=2)
    generator = np.random.default_rng(3)
    own = {}
    for attribute in table.scheme.attributes:
        codes = table.labels[attribute.name].to_numpy()
        own[attribute.name] = confident(np.where(generator.random(120) < 0.15, 1 - codes, codes), probability=0.97)
    own["mask"][generator.random(120) < 0.1] = 0.5
    result = agree(table, own, AgreementRule(drop_below=0.6, cap=0.5))
    assert {RELABELLED, DROPPED, CAPPED} <= set(result.actions.ravel())
    problems = Problems("")
    changed = apply_corrections(table, result.corrections(), problems)
    left = ~(result.actions == DROPPED).any(axis=1)
    given = np.stack(list(table.codes().values()), axis=1)
    expected = np.where(result.actions == RELABELLED, result.suggested, given)[left]
    assert not problems and result.left_out == (~left).sum()
    assert np.array_equal(np.stack(list(changed.codes().values()), axis=1), expected)


def test_reasons_name_the_classes_and_their_probabilities():
    table = people(30, images=1)
    own = confident(table.labels["mask"].to_numpy())
    own[2] = [0.01, 0.99]
    result = agree(table, {"mask": own}, LOOSE)
    assert result.reason(2, 0).startswith("mask relabelled: none 0.9") and "worn 0.0" in result.reason(2, 0)
    assert result.reason(1, 0).startswith("mask kept: none 0.9")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"relabel": 0.9}, "'relabel', expected relabel_at, drop_below, cap; nearest: relabel_at"),
        ({"cap": 2}, "cap = 2, expected a number from 0 to 1"),
        ({"relabel_at": 0.4}, "relabel_at = 0.4, expected a number above 0.5"),
    ],
)
def test_invalid_arguments_are_an_error(arguments, message):
    with pytest.raises(InputError, match=message):
        AgreementRule.of(arguments)
    assert AgreementRule.of({"cap": 0}) == AgreementRule(cap=0.0)
