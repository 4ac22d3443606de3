"""Joint probabilities as tensors, compared with those as arrays."""

import numpy as np
import pytest
import torch

from model.attributes import Attribute
from model.labels import Scheme, mask_scheme, target_scheme
from model.network.heads import make_heads
from model.network.number_bins import NumberBins
from model.network.probabilities import joint_probabilities

DRAWN = torch.from_numpy(np.random.default_rng(0).normal(scale=5, size=(50, 18)).astype(np.float32))


@pytest.mark.parametrize("target", ["joint", "heads", "gender"])
@pytest.mark.parametrize("logits", [DRAWN, DRAWN * 1e3, torch.full((3, 18), -1e4)], ids=["drawn", "large", "equal"])
def test_tensors_and_arrays_give_the_same_probabilities(target, logits):
    scheme = target_scheme(mask_scheme(), target)
    heads = make_heads(scheme, target, lambda head, classes: 1 if head == "gender" else classes)
    logits = logits[:, : heads.outputs]
    result = joint_probabilities(heads, logits)
    assert result.dtype == torch.float32 and result.shape == (len(logits), scheme.num_classes)
    np.testing.assert_allclose(result.numpy(), heads.probabilities(logits.numpy()), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scale", [1, 1e3])
def test_bands_of_a_number_are_the_same_sums_over_bins_as_with_arrays(scale):
    bins = NumberBins(tuple(np.linspace(0, 90, 10)), (30.0, 60.0), 0.5, 4.0)
    heads = make_heads(mask_scheme(), "heads", lambda head, classes: classes, bins={"age": bins})
    logits = DRAWN[:, : heads.outputs] * scale
    result = joint_probabilities(heads, logits)
    np.testing.assert_allclose(result.numpy(), heads.probabilities(logits.numpy()), rtol=2e-4, atol=1e-7)
    np.testing.assert_allclose(result.sum(1), 1, rtol=1e-5)


def test_logits_of_half_precision_and_large_ones_give_finite_sums_of_1():
    heads = make_heads(mask_scheme(), "heads", lambda head, classes: 1 if head == "gender" else classes)
    for logits in (torch.randn(3, 7).bfloat16(), torch.full((3, 7), 1e4), torch.full((3, 7), -1e4)):
        result = joint_probabilities(heads, logits)
        assert result.dtype == torch.float32
        assert torch.allclose(result.sum(1), torch.ones(3), atol=1e-4)


@pytest.mark.parametrize("scale", [1, 1e3])
def test_only_combinations_that_occur_in_a_hierarchy_have_probabilities(scale):
    """Reference: the product over the heads for all combinations; those that occur are selected and normalised."""
    values = tuple(f"v{code}" for code in range(40))
    whole = Scheme((Attribute("a", ("no", "yes")), Attribute("b", values), Attribute("c", values)))
    drawn = np.random.default_rng(1)
    codes = {attribute.name: drawn.integers(len(attribute.values), size=90) for attribute in whole.attributes}
    scheme = whole.occurring(codes)
    outputs = {"a": 1, "b": 40, "c": 40}
    heads = make_heads(scheme, "heads", lambda head, classes: outputs[head])
    logits = torch.from_numpy(drawn.normal(scale=2, size=(20, 81)).astype(np.float32))
    result = heads.probabilities((logits * scale).numpy())
    assert result.shape == (20, scheme.num_classes) and result.dtype == np.float32
    np.testing.assert_allclose(joint_probabilities(heads, logits * scale), result, rtol=2e-4, atol=1e-7)
    np.testing.assert_allclose(result.sum(axis=1), 1, rtol=1e-5)
    if scale == 1:
        everything = make_heads(whole, "heads", lambda head, classes: outputs[head]).probabilities(logits.numpy())
        kept = everything[:, list(scheme.combinations or ())]
        np.testing.assert_allclose(result, kept / kept.sum(axis=1, keepdims=True), rtol=1e-4)
    alone = make_heads(scheme, "joint", lambda head, classes: classes)
    assert alone.outputs == scheme.num_classes and alone.head_classes is None
    drawn_logits = np.ones((1, scheme.num_classes), np.float32)
    np.testing.assert_allclose(alone.probabilities(drawn_logits), 1 / scheme.num_classes, rtol=1e-5)
    targets = alone.targets(codes)[0]
    assert (targets == scheme.joint(codes)).all() and targets.min() >= 0
