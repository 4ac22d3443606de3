"""Audits of drawn channels, with counts written out; tests/benchmarks/test_audit.py has the coverage."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from model.cleaning.audit import Audit, draw_sample
from model.data.corrections import Correction
from model.metrics.finite_population import unsampled_total
from tests.model.cleaning.test_verdicts import people, row

SAMPLE = list("abcdefghij")


def reviewed(*further: Correction, sample: list[str] = SAMPLE) -> list[Correction]:
    """The log of an audit that keeps everything but what `further` says."""
    return [*(row(group, "", "keep") for group in sample), *further]


def test_the_rates_count_groups_and_images_of_the_whole_channel():
    log = reviewed(row("a", "gender", "relabel", "female"), row("b/0", "mask", "marked"), row("b/1", "mask", "marked"))
    result = Audit(people(26), SAMPLE).result(log)
    assert (result.population, result.sampled, result.reviewed, result.units) == (26, 10, 10, "groups")
    gender, mask, age = (result.attributes[name] for name in ("gender", "mask", "age"))
    assert (gender.unit, mask.unit) == ("groups", "images") and (gender.wrong, mask.wrong, age.wrong) == (1, 1, 0)
    assert gender.group_rate.value == gender.image_rate.value == pytest.approx(0.1)
    assert mask.image_rate.value == mask.group_rate.value == pytest.approx(0.1)
    rest = unsampled_total([1] + [0] * 9, 16)
    assert gender.group_rate.low == pytest.approx((1 + rest.low) / 26)
    assert gender.group_rate.high == pytest.approx((1 + rest.high) / 26)
    assert gender.unseen == rest and mask.unseen.value == pytest.approx(2 * rest.value)
    assert result.unseen.value == pytest.approx(3 * rest.value) and gender.found == 1 and mask.found == 2


def test_unseen_labels_are_estimated_from_what_the_review_of_suspects_did_not_see():
    suspects = [row(group, "gender", "relabel", "female", source="suspects") for group in ("a", "c", "y")]
    suspects += [row(group, "gender", "keep", source="suspects") for group in ("e", "z")]
    log = [*suspects, *reviewed(row("b", "gender", "marked"))]
    gender = Audit(people(26), SAMPLE).result(log).attributes["gender"]
    # outside of the five suspects there are 21 groups; 7 are audited, 1 of them is wrong
    assert gender.unseen == unsampled_total([1] + [0] * 6, 14) and gender.unseen.value == pytest.approx(2)
    # as in training, a later keep of all attributes does not withdraw the relabel of one
    assert (gender.reviewed, gender.wrong, gender.found) == (10, 3, 4)


def test_single_images_that_were_reviewed_leave_the_others_of_their_group():
    log = [*(row(f"{group}/0", "mask", "keep", source="suspects") for group in SAMPLE), *reviewed()]
    mask = Audit(people(26), SAMPLE).result(log).attributes["mask"]
    assert mask.unseen.high == unsampled_total([0] * 10, 16, 2).high


def test_unsure_is_right_at_the_lower_bound_and_wrong_at_the_upper_one():
    certain = reviewed(row("a", "gender", "marked"))
    table, unsure = people(26), row("b", "gender", "unsure")
    low = Audit(table, SAMPLE).result(certain).attributes["gender"]
    high = Audit(table, SAMPLE).result([*certain, row("b", "gender", "marked")]).attributes["gender"]
    both = Audit(table, SAMPLE).result([*certain, unsure]).attributes["gender"]
    assert (both.wrong, both.unsure) == (1, 1)
    assert (both.group_rate.low, both.group_rate.high) == (low.group_rate.low, high.group_rate.high)
    assert (both.unseen.low, both.unseen.high) == (low.unseen.low, high.unseen.high)
    assert both.group_rate.value == pytest.approx(1 / 9)


def test_a_census_leaves_nothing_unseen_and_an_unfinished_audit_is_estimated_from_what_is_reviewed():
    table = people(10)
    result = Audit(table, SAMPLE).result(reviewed(row("a", "gender", "marked")))
    assert result.unseen.high == 0 and result.attributes["gender"].group_rate.high == pytest.approx(0.1)
    result = Audit(table, SAMPLE).result(reviewed(sample=SAMPLE[:4]))
    assert result.reviewed == 4 and result.attributes["gender"].reviewed == 4
    assert "4 of 10 sampled groups are reviewed; the channel has 10" in result.sentences()


def test_missing_labels_are_no_labels():
    table = people(26)
    table.labels.loc[table.labels.index[20:], "gender"] = -1
    gender = Audit(table, SAMPLE).result(reviewed()).attributes["gender"]
    assert gender.reviewed == 10 and gender.unseen.high == 0


def test_before_the_review_nothing_is_known_and_the_content_is_json():
    result = Audit(people(26), SAMPLE).result([])
    assert result.sentences() == ["none of the 10 sampled groups is reviewed yet"]
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["attributes"]["gender"]["unseen"] == {"value": None, "low": 0.0, "high": 26.0}


def test_the_sentences_name_rates_and_the_unseen_labels():
    log = reviewed(row("a", "gender", "marked"), row("b", "gender", "unsure"))
    text = "\n".join(Audit(people(26), SAMPLE).result(log).sentences())
    assert "gender: 11.1 % (3.8 % to " in text and ") of the groups have a wrong label" in text
    assert "found in 1 of 10, 1 unsure (the interval covers both answers)" in text
    assert "expected wrong labels still unseen: " in text


def test_channels_without_groups_are_audited_by_image():
    table = people(26, images=1, grouped_by="")
    table = replace(table, groups=np.array(table.locations.paths))
    result = Audit(table, ["a/0", "b/0"]).result([row("a/0", "", "keep"), row("b/0", "gender", "marked")])
    assert result.units == "images" and result.attributes["gender"].wrong == 1


def test_a_larger_sample_begins_with_the_smaller_one_and_ignores_the_order_of_rows():
    groups = people(26).groups
    small, large = draw_sample(groups, 5, seed=3), draw_sample(groups[::-1], 50, seed=3)
    assert large[:5] == small and sorted(large) == sorted(set(groups)) and small != draw_sample(groups, 5, seed=4)
