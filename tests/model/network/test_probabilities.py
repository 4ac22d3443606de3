"""Joint probabilities of tensors, against those of arrays."""

import numpy as np
import pytest
import torch

from model.labels import mask_scheme, target_scheme
from model.network.heads import make_heads
from model.network.probabilities import joint_probabilities

DRAWN = torch.from_numpy(np.random.default_rng(0).normal(scale=5, size=(50, 18)).astype(np.float32))


@pytest.mark.parametrize("target", ["joint", "heads", "gender"])
@pytest.mark.parametrize("logits", [DRAWN, DRAWN * 1e3, torch.full((3, 18), -1e4)], ids=["drawn", "large", "equal"])
def test_tensors_and_arrays_give_the_same_probabilities(target, logits):
    scheme = target_scheme(mask_scheme(), target)
    heads = make_heads(scheme, target, lambda head, classes: 1 if head == "gender" else classes)
    logits = logits[:, : heads.outputs]
    found = joint_probabilities(heads, logits)
    assert found.dtype == torch.float32 and found.shape == (len(logits), scheme.num_classes)
    np.testing.assert_allclose(found.numpy(), heads.probabilities(logits.numpy()), rtol=1e-5, atol=1e-7)


def test_logits_of_half_precision_and_large_ones_give_finite_sums_of_1():
    heads = make_heads(mask_scheme(), "heads", lambda head, classes: 1 if head == "gender" else classes)
    for logits in (torch.randn(3, 7).bfloat16(), torch.full((3, 7), 1e4), torch.full((3, 7), -1e4)):
        found = joint_probabilities(heads, logits)
        assert found.dtype == torch.float32
        assert torch.allclose(found.sum(1), torch.ones(3), atol=1e-4)
