"""Early-learning regularisation against its formula (Liu et al. 2020, equations 6 and 9)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.attributes import MISSING
from model.data.channel import read_channel
from model.data.sampling import make_sampler
from model.data.table import Table
from model.errors import Problems
from model.labels import Scheme
from model.network.heads import make_heads
from model.runtime import distributed
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.criterion import Criterion
from model.training.early_learning import CLAMPED, EarlyLearningLoss, RunningPredictions
from model.training.targets import Targets


def probabilities(logits: Tensor) -> np.ndarray:
    return np.clip(F.softmax(logits.double(), 1).numpy(), CLAMPED, 1 - CLAMPED)


def draw(seed: int, images: int = 6, classes: int = 4) -> Tensor:
    return torch.randn(images, classes, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("beta", [0.0, 0.7, 0.9])
def test_three_batches_by_hand(beta: float) -> None:
    """t <- beta t + (1 - beta) p, then cross entropy + 3 log(1 - <p, t>)."""
    loss, t = EarlyLearningLoss(10, 4, 3.0, beta), np.zeros((10, 4))
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    for step, rows in enumerate(([0, 1, 2, 3, 4, 5], [5, 9, 0, 7, 1, 2], [0, 1, 2, 3, 4, 5])):
        logits = draw(step)
        p = probabilities(logits)
        t[rows] = beta * t[rows] + (1 - beta) * p / p.sum(1, keepdims=True)
        expected = F.cross_entropy(logits, targets).item() + 3 * np.log(1 - (p * t[rows]).sum(1)).mean()
        penalty = loss.penalty(logits, torch.tensor(rows), None, 1.0)
        assert loss(logits, targets, penalty=penalty).item() == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(loss.predictions.average.numpy(), t, atol=1e-6)
    assert loss(logits, targets) == F.cross_entropy(logits, targets)


def test_the_average_has_no_gradient() -> None:
    """Reference: the derivative of the formula with t as a constant."""
    loss, rows = EarlyLearningLoss(6, 4), torch.arange(6)
    loss.penalty(draw(0), rows, None, 1.0)
    logits = draw(1).requires_grad_()
    (gradient,) = torch.autograd.grad(loss.penalty(logits, rows, None, 1.0).sum(), logits)
    constant, other = loss.predictions.average.double(), draw(1).double().requires_grad_()
    p = F.softmax(other, 1).clamp(CLAMPED, 1 - CLAMPED)
    (expected,) = torch.autograd.grad((3 * (1 - (p * constant).sum(1)).log()).sum(), other)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-3, atol=1e-5)


def test_an_image_that_is_drawn_twice_is_updated_once_with_the_mean() -> None:
    predictions = RunningPredictions(5, 3, 0.7)
    p = torch.softmax(draw(0, 4, 3), 1)
    predictions.update(p, torch.tensor([2, 4, 2, 2]))
    torch.testing.assert_close(predictions.of(torch.tensor([2]))[0], 0.3 * p[[0, 2, 3]].mean(0))
    torch.testing.assert_close(predictions.of(torch.tensor([4]))[0], 0.3 * p[1])
    assert not predictions.of(torch.tensor([0, 1, 3])).any()


def test_a_mixed_image_moves_its_own_average_by_its_share_and_is_compared_with_the_mixed_one() -> None:
    loss, rows, partner = EarlyLearningLoss(6, 4), torch.arange(6), torch.tensor([1, 2, 3, 4, 5, 0])
    loss.penalty(draw(0), rows, None, 1.0)
    before, logits = loss.predictions.average.clone(), draw(1)
    p = torch.from_numpy(probabilities(logits)).float()
    penalty = loss.penalty(logits, rows, partner, 0.75)
    after = before + 0.3 * 0.75 * (p / p.sum(1, keepdim=True) - before)
    torch.testing.assert_close(loss.predictions.average, after)
    mixed = 0.75 * after + 0.25 * after[partner]
    torch.testing.assert_close(penalty, 3 * (1 - (p * mixed).sum(1)).log())


def test_processes_update_all_averages_with_the_predictions_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reference: one process with the whole batch; image 3 is drawn by both, and the second has mixed images."""
    p, rows = torch.softmax(draw(0, 6, 3), 1), torch.tensor([0, 3, 1, 3, 4, 2])
    shares = torch.tensor([[1.0]] * 3 + [[0.5]] * 3)
    rest = iter((rows[3:], p[3:], shares[3:]))
    monkeypatch.setattr(distributed, "gather_rows", lambda values: torch.cat([values, next(rest)]))
    predictions = RunningPredictions(5, 3, 0.7)
    predictions.update(p[:3], rows[:3])
    expected = torch.zeros(5, 3)
    expected[[0, 1]] = 0.3 * p[[0, 2]]
    expected[[4, 2]] = 0.3 * 0.5 * p[[4, 5]]
    expected[3] = 0.3 * (p[1] + 0.5 * p[3]) / 2
    torch.testing.assert_close(predictions.average, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_extreme_logits_give_finite_penalties_and_gradients(dtype: torch.dtype) -> None:
    loss, rows = EarlyLearningLoss(3, 3), torch.arange(3)
    logits = torch.tensor([[1e4, -1e4, 0], [0, 0, 1e4], [1e4, 1e4, 1e4]]).to(dtype).requires_grad_()
    for _ in range(20):
        penalty = loss.penalty(logits, rows, None, 1.0)
        (gradient,) = torch.autograd.grad(penalty.sum(), logits)
        assert penalty.dtype == torch.float32 and penalty.isfinite().all() and gradient.isfinite().all()


@pytest.fixture(scope="module")
def gaps(faces) -> Table:
    """Images of which some lack gender."""
    table = read_channel(faces / "train", Problems(""))
    attributes = tuple(replace(a, optional=a.name == "gender") for a in table.scheme.attributes)
    labels = table.labels.copy()
    labels.loc[labels.index % 3 == 0, "gender"] = MISSING
    return replace(table, scheme=Scheme(attributes), labels=labels)


def test_each_head_has_its_averages_and_validation_is_cross_entropy(gaps: Table) -> None:
    own = {"target": "heads", "sampler": "none", "class_weights": "none", "loss": "cross_entropy"}
    own |= {"heads": {"gender": {"loss": "elr", "loss_args": {"strength": 2, "beta": 0.5}}}}
    settings = build(TrainSettings, [Layer("{}", own)])
    heads = make_heads(gaps.scheme, "heads", lambda head, classes: classes)
    criterion = Criterion(settings, heads, gaps, make_sampler(settings, gaps))
    targets, logits = Targets.of(heads, gaps).take(torch.arange(20, 28)), draw(0, 8, heads.outputs)
    parts = list(zip(heads.split(logits), targets.classes))
    plain = sum(F.cross_entropy(part, classes, ignore_index=MISSING) for part, classes in parts)
    torch.testing.assert_close(criterion.eval()(logits, targets), plain)
    assert not criterion.losses[1].predictions.average.any()
    p = F.softmax(parts[1][0], 1).clamp(CLAMPED, 1 - CLAMPED)
    penalty = (2 * (1 - 0.5 * (p * p).sum(1)).log())[targets.classes[1] >= 0].mean()
    torch.testing.assert_close(criterion.train()(logits, targets), plain + penalty)
    assert [tuple(state.shape) for state in criterion.state_dict().values()] == [(len(gaps), 2)]
