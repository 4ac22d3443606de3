"""Heads: their outputs, targets and joint probabilities in numpy."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.errors import InputError
from model.labels import Scheme, mask_scheme, target_scheme
from model.network.heads import Heads, make_heads
from model.network.number_bins import NumberBins
from model.training.losses import LOSSES

MASK = mask_scheme()
BINS = NumberBins((0.0, 20.0, 30.0, 45.0, 60.0, 70.0, 90.0), (30.0, 60.0), 0.5, 4.0)


def with_bins(target: str = "heads") -> Heads:
    return make_heads(target_scheme(MASK, target), target, lambda head, classes: classes, bins={"age": BINS})


def make(target: str, **losses: str) -> Heads:
    def outputs_of(head: str, classes: int) -> int:
        return LOSSES[losses.get(head, "focal")].outputs(classes)

    return make_heads(target_scheme(MASK, target), target, outputs_of)


@pytest.mark.parametrize(
    ("target", "names", "outputs"),
    [("joint", ["joint"], 18), ("heads", ["mask", "gender", "age"], 8), ("gender", ["gender"], 2)],
)
def test_a_target_has_its_heads(target, names, outputs):
    heads = make(target)
    assert [head.name for head in heads.heads] == names
    assert heads.outputs == outputs


def test_an_unknown_attribute_is_an_error_with_the_nearest_name():
    with pytest.raises(InputError, match="nearest: gender"):
        make("gendr")


def test_joint_of_one_attribute_is_that_attribute():
    scheme = Scheme((Attribute("label", ("a", "b", "c")),))
    assert [head.name for head in make_heads(scheme, "joint", lambda head, classes: classes).heads] == ["label"]


def test_the_probabilities_of_one_head_are_its_softmax():
    logits = np.random.default_rng(0).normal(size=(5, 18)).astype(np.float32)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(make("joint").probabilities(logits), expected, rtol=1e-5)


def test_the_probabilities_of_two_heads_are_their_product_in_the_order_of_joint_classes():
    """Reference: the outer product of the heads' softmax, class by class."""
    heads = make("heads", gender="bce")
    logits = np.random.default_rng(0).normal(size=(4, heads.outputs)).astype(np.float32)
    mask, age = (np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in (logits[:, :3], logits[:, 4:]))
    gender = 1 / (1 + np.exp(-logits[:, 3]))
    joint = heads.probabilities(logits)
    for code in range(18):
        parts = MASK.split(code)
        of_gender = gender if parts["gender"] == 1 else 1 - gender
        expected = mask[:, parts["mask"]] * of_gender * age[:, parts["age"]]
        np.testing.assert_allclose(joint[:, code], expected, atol=1e-6)
    np.testing.assert_allclose(joint.sum(axis=1), 1, atol=1e-5)


def test_logits_of_half_precision_and_large_ones_give_finite_sums_of_1():
    heads = make("heads", gender="bce")
    drawn = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float16)
    for logits in (drawn, np.full((3, 7), 1e4), np.full((3, 7), -1e4)):
        joint = heads.probabilities(logits)
        assert joint.dtype == np.float32
        np.testing.assert_allclose(joint.sum(axis=1), 1, atol=1e-4)


def test_targets_are_the_classes_of_each_head():
    codes = MASK.split(np.arange(18))
    assert np.array_equal(make("joint").targets(codes)[0], np.arange(18))
    for targets, name in zip(make("heads").targets(codes), ("mask", "gender", "age")):
        assert np.array_equal(targets, codes[name])


def test_bce_needs_two_classes():
    assert make("gender", gender="bce").outputs == 1
    with pytest.raises(InputError, match="bce needs two classes; mask has 3: worn, incorrect, none"):
        make("heads", mask="bce")


def test_saved_heads_are_read_unchanged():
    heads = make("heads", gender="bce")
    assert Heads.from_dict(heads.scheme, heads.to_dict()) == heads


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"heads": [{"name": "mask"}]},
        {"heads": [{"name": "mask", "attributes": ["mask"], "classes": 3, "outputs": 3}]},
        {"heads": [{"name": "joint", "attributes": ["mask", "gender", "age"], "classes": 17, "outputs": 17}]},
    ],
)
def test_heads_that_do_not_predict_the_scheme_are_an_error(saved):
    with pytest.raises(InputError, match="heads"):
        Heads.from_dict(MASK, saved)


def test_a_head_with_bins_has_a_logit_for_each_and_its_bands_are_the_classes():
    heads = with_bins()
    assert [(head.classes, head.outputs) for head in heads.heads] == [(3, 3), (2, 2), (3, 6)]
    assert heads.number_names == ("age",) and with_bins("age").outputs == 6
    assert make("heads").number_names == () and with_bins("mask").number_names == ()
    logits = np.random.default_rng(0).normal(size=(4, 11)).astype(np.float32)
    mask, gender, bins = (np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in heads.split(logits))
    age = np.stack([bins[:, :2].sum(1), bins[:, 2:4].sum(1), bins[:, 4:].sum(1)], axis=1)
    joint = heads.probabilities(logits)
    for code in range(18):
        parts = MASK.split(code)
        expected = mask[:, parts["mask"]] * gender[:, parts["gender"]] * age[:, parts["age"]]
        np.testing.assert_allclose(joint[:, code], expected, rtol=1e-5)
    values = np.array([9.5, 24.5, 37, 52, 64.5, 79.5])
    np.testing.assert_allclose(heads.numbers(logits)["age"], bins @ values, rtol=1e-5)


def test_the_joint_class_has_no_bins_but_the_joint_of_one_attribute_may():
    with pytest.raises(InputError, match="the distribution of age is learned by a classifier of its own"):
        with_bins("joint")
    only = make_heads(MASK.only("age"), "joint", lambda head, classes: classes, bins={"age": BINS})
    assert only.heads == with_bins("age").heads


def test_num_classes_counts_bands_not_bins():
    make_heads(MASK, "heads", lambda head, classes: classes, num_classes=8, bins={"age": BINS})
    with pytest.raises(InputError, match="num_classes = 11"):
        make_heads(MASK, "heads", lambda head, classes: classes, num_classes=11, bins={"age": BINS})


def test_saved_bins_are_read_unchanged_and_other_heads_are_saved_as_before():
    heads = with_bins()
    saved = heads.to_dict()
    assert Heads.from_dict(MASK, saved) == heads
    assert ["bins" in head for head in saved["heads"]] == [False, False, True]
    for damage in ({"outputs": 5}, {"bins": {"edges": [0, 30], "offset": 0, "sigma": 1}}, {"bins": {}}):
        damaged = {**saved, "heads": [*saved["heads"][:2], {**saved["heads"][2], **damage}]}
        with pytest.raises(InputError, match=r"heads|cut"):
            Heads.from_dict(MASK, damaged)
