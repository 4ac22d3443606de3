"""Heads: their outputs, targets and joint probabilities in numpy."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.errors import InputError
from model.labels import Scheme, mask_scheme, target_scheme
from model.network.heads import Heads, make_heads
from model.training.losses import LOSSES

MASK = mask_scheme()


def made(target: str, **losses: str) -> Heads:
    def outputs_of(head: str, classes: int) -> int:
        return LOSSES[losses.get(head, "focal")].outputs(classes)

    return make_heads(target_scheme(MASK, target), target, outputs_of)


@pytest.mark.parametrize(
    ("target", "names", "outputs"),
    [("joint", ["joint"], 18), ("heads", ["mask", "gender", "age"], 8), ("gender", ["gender"], 2)],
)
def test_a_target_has_its_heads(target, names, outputs):
    heads = made(target)
    assert [head.name for head in heads.heads] == names
    assert heads.outputs == outputs


def test_an_attribute_that_there_is_not_names_the_nearest():
    with pytest.raises(InputError, match="nearest: gender"):
        made("gendr")


def test_joint_of_one_attribute_is_that_attribute():
    scheme = Scheme((Attribute("label", ("a", "b", "c")),))
    assert [head.name for head in make_heads(scheme, "joint", lambda head, classes: classes).heads] == ["label"]


def test_one_heads_probabilities_are_its_softmax():
    logits = np.random.default_rng(0).normal(size=(5, 18)).astype(np.float32)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made("joint").probabilities(logits), expected, rtol=1e-5)


def test_several_heads_give_the_product_in_the_order_of_joint_classes():
    """Reference: the outer product of the heads' softmax, class by class."""
    heads = made("heads", gender="bce")
    logits = np.random.default_rng(0).normal(size=(4, heads.outputs)).astype(np.float32)
    mask, age = (np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in (logits[:, :3], logits[:, 4:]))
    gender = 1 / (1 + np.exp(-logits[:, 3]))
    found = heads.probabilities(logits)
    for code in range(18):
        parts = MASK.split(code)
        of_gender = gender if parts["gender"] == 1 else 1 - gender
        expected = mask[:, parts["mask"]] * of_gender * age[:, parts["age"]]
        np.testing.assert_allclose(found[:, code], expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_logits_of_half_precision_and_large_ones_give_finite_sums_of_1():
    heads = made("heads", gender="bce")
    drawn = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float16)
    for logits in (drawn, np.full((3, 7), 1e4), np.full((3, 7), -1e4)):
        found = heads.probabilities(logits)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)


def test_targets_are_the_heads_own_classes():
    codes = MASK.split(np.arange(18))
    assert np.array_equal(made("joint").targets(codes)[0], np.arange(18))
    for found, name in zip(made("heads").targets(codes), ("mask", "gender", "age")):
        assert np.array_equal(found, codes[name])


def test_bce_is_for_two_classes():
    assert made("gender", gender="bce").outputs == 1
    with pytest.raises(InputError, match="bce needs two classes; mask has 3: worn, incorrect, none"):
        made("heads", mask="bce")


def test_heads_are_read_back_as_they_were_saved():
    heads = made("heads", gender="bce")
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
def test_heads_that_do_not_answer_the_scheme_are_refused(saved):
    with pytest.raises(InputError, match="heads"):
        Heads.from_dict(MASK, saved)
