"""mixup, cutmix and registered methods."""

import pytest
import torch

from model.errors import InputError
from model.runtime.seeding import seed_all
from model.training.mixing import MIXING, MixingMethod, make_mixing


def test_mixup_mixes_pairs_by_their_share():
    seed_all(0)
    mixing = make_mixing({"mixup": {"alpha": 1.0}})
    batch = torch.randn(16, 3, 8, 8)
    mixed, partner, own = mixing({"pixels": batch})
    assert 0 < own < 1
    assert sorted(partner.tolist()) == list(range(16))
    assert torch.allclose(mixed["pixels"], batch * own + batch[partner] * (1 - own))


def test_cutmix_replaces_a_box_and_returns_its_actual_share():
    seed_all(1)
    mixing = make_mixing({"cutmix": {}})
    batch = torch.arange(16.0).view(16, 1, 1, 1).expand(16, 3, 20, 30).clone()
    mixed, partner, own = mixing({"pixels": batch})
    moved = partner != torch.arange(16)
    from_partner = (mixed["pixels"][moved] == partner[moved].float().view(-1, 1, 1, 1)).float().mean()
    assert float(from_partner) == pytest.approx(1 - own, abs=1e-6)
    assert torch.equal(batch[:, 0, 0, 0], torch.arange(16.0))  # the batch itself is unchanged


def test_other_tensors_stay_as_they_are():
    seed_all(0)
    tensors = {"pixels": torch.randn(8, 3, 4, 4), "codes": torch.arange(8)}
    mixed, _, own = make_mixing({"mixup": {"alpha": 1.0}})(tensors)
    assert own < 1 and list(mixed) == ["pixels", "codes"] and mixed["codes"] is tensors["codes"]
    assert not torch.equal(mixed["pixels"], tensors["pixels"])


def test_mixing_is_off_by_default_and_rare_if_p_is_small():
    assert make_mixing({"flip": {}}) is None
    seed_all(2)
    mixing = make_mixing({"mixup": {"p": 0.25}})
    batch = {"pixels": torch.randn(4, 3, 4, 4)}
    mixed = sum(mixing(batch)[2] < 1 for _ in range(400))
    assert 60 < mixed < 140


def test_invalid_arguments_of_mixing_are_an_error():
    with pytest.raises(InputError, match="mixup: alpha = -1; expected alpha or p, above 0"):
        make_mixing({"mixup": {"alpha": -1}})


def test_a_registered_method_can_be_used(monkeypatch):
    monkeypatch.setitem(MIXING, "halves", MixingMethod(lambda images, partner, own: (images * 0, 0.5), alpha=3.0))
    mixing = make_mixing({"halves": {}, "flip": {}})
    assert mixing.alpha == {"halves": 3.0}
    mixed, _, own = mixing({"pixels": torch.ones(2, 3, 4, 4)})
    assert own == 0.5 and not mixed["pixels"].any()
    both = make_mixing({"halves": {"p": 0.5}, "mixup": {"alpha": 1.0, "p": 0.9}})
    assert both.alpha == {"mixup": 1.0, "halves": 3.0} and both.p == 0.9
