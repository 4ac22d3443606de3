"""mixup, cutmix and registered methods."""

import numpy as np
import pytest
import torch

from model.errors import InputError
from model.runtime.seeding import seed_all
from model.training.mixing import MIXING, MixingMethod, make_mixing, rare_partners


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


@pytest.mark.parametrize(("width", "share"), [(30, 0.5), (31, 1 - round(31 * 0.5) / 31)])
def test_half_cutmix_replaces_the_left_or_the_right_half(width, share):
    seed_all(1)
    mixing = make_mixing({"half_cutmix": {}})
    batch = torch.arange(16.0).view(16, 1, 1, 1).expand(16, 3, 20, width).clone()
    sides = set()
    for _ in range(20):
        mixed, partner, own = mixing({"pixels": batch})
        assert own == pytest.approx(share)
        kept = round(width * own)
        partners = batch[partner]
        left = torch.cat([batch[..., :kept], partners[..., kept:]], -1)
        right = torch.cat([partners[..., : width - kept], batch[..., width - kept :]], -1)
        assert torch.equal(mixed["pixels"], left) != torch.equal(mixed["pixels"], right)
        sides.add(torch.equal(mixed["pixels"], left))
    assert sides == {True, False}
    assert torch.equal(batch[:, 0, 0, 0], torch.arange(16.0))  # the batch itself is unchanged


def test_the_part_of_half_cutmix_has_any_width_with_alpha():
    seed_all(1)
    mixing = make_mixing({"half_cutmix": {"alpha": 1.0}})
    batch = torch.arange(16.0).view(16, 1, 1, 1).expand(16, 3, 20, 30).clone()
    shares = []
    for _ in range(200):
        mixed, partner, own = mixing({"pixels": batch})
        moved = partner != torch.arange(16)
        columns = (mixed["pixels"][moved] == partner[moved].float().view(-1, 1, 1, 1)).all(2).float().mean()
        assert float(columns) == pytest.approx(1 - own, abs=1e-6)
        shares.append(own)
    assert min(shares) < 0.1 and max(shares) > 0.9 and 0.4 < np.mean(shares) < 0.6


@pytest.mark.parametrize("rare", [0.5, 1.0])
def test_partners_are_drawn_by_the_counts_of_their_classes_in_the_batch(rare):
    """Reference: 24 images of one class, 6 of another, 2 of a third; the third has 1/3 of the partners if rare is 1."""
    seed_all(0)
    mixing = make_mixing({"mixup": {"alpha": 0.4, "rare": rare}})
    counts = np.array([24, 6, 2])
    classes = torch.from_numpy(np.random.permutation(np.repeat([5, 0, 9], counts)))
    batch = {"pixels": torch.randn(32, 1, 2, 2)}
    drawn = np.zeros(10)
    for _ in range(1000):
        mixed, partner, own = mixing(batch, [classes])
        torch.testing.assert_close(mixed["pixels"], batch["pixels"] * own + batch["pixels"][partner] * (1 - own))
        drawn += np.bincount(classes[partner], minlength=10)
    expected = counts ** (1 - rare) / (counts ** (1 - rare)).sum()
    np.testing.assert_allclose(drawn[[5, 0, 9]] / drawn.sum(), expected, atol=0.02)


def test_a_class_of_several_heads_is_a_combination_and_a_missing_label_is_a_class():
    seed_all(0)
    classes = [torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 0, -1, 0, 0])]
    drawn = np.bincount(np.concatenate([rare_partners(classes, 1.0) for _ in range(3000)]), minlength=6)
    np.testing.assert_allclose(drawn / drawn.sum(), [1 / 9] * 3 + [1 / 3] + [1 / 6] * 2, atol=0.02)


def test_rare_0_draws_as_without_it():
    batch, classes = {"pixels": torch.randn(8, 1, 4, 4)}, [torch.arange(8) % 3]
    results = []
    for arguments in ({}, {"rare": 0}):
        seed_all(3)
        mixed, partner, own = make_mixing({"mixup": arguments})(batch, classes)
        results.append((mixed["pixels"], partner, own))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


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
    for arguments, message in (
        ({"alpha": -1}, "alpha = -1; expected a number above 0"),
        ({"alpha": 0}, "alpha = 0; expected a number above 0"),
        ({"alpha": float("nan")}, "alpha = nan; expected a number above 0"),
        ({"alpha": "x"}, "alpha = 'x'; expected a number above 0"),
        ({"p": 1.5}, "p = 1.5; expected at most 1"),
        ({"rare": -0.1}, "rare = -0.1; expected a number from 0 to 1"),
        ({"rare": 2}, "rare = 2; expected at most 1"),
        ({"rear": 1}, "rear = 1; expected one of alpha, p, rare; nearest: rare"),
    ):
        with pytest.raises(InputError, match=f"mixup: {message}"):
            make_mixing({"mixup": arguments})


def test_a_registered_method_can_be_used(monkeypatch):
    monkeypatch.setitem(MIXING, "halves", MixingMethod(lambda images, partner, own: (images * 0, 0.5), alpha=3.0))
    mixing = make_mixing({"halves": {}, "flip": {}})
    assert mixing.alpha == {"halves": 3.0}
    mixed, _, own = mixing({"pixels": torch.ones(2, 3, 4, 4)})
    assert own == 0.5 and not mixed["pixels"].any()
    both = make_mixing({"halves": {"p": 0.5}, "mixup": {"alpha": 1.0, "p": 0.9}})
    assert both.alpha == {"mixup": 1.0, "halves": 3.0} and both.p == 0.9
