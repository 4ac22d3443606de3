import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor, nn

from model.errors import InputError
from model.settings.choices import LOSSES
from model.training.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    F1Loss,
    FocalLoss,
    class_weights,
    double_correction,
    make_loss,
)

WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.3])
BINARY_WEIGHT = torch.tensor([0.4, 1.7])


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def targets() -> Tensor:
    return torch.randint(0, 4, (16,), generator=torch.Generator().manual_seed(1))


def soft(targets: Tensor, num_classes: int, share: float) -> Tensor:
    """Mixup's targets: each picture's and the next one's."""
    one_hot = F.one_hot(targets, num_classes).float()
    return share * one_hot + (1 - share) * one_hot.roll(1, 0)


def every_loss() -> list[tuple[nn.Module, int]]:
    """Each loss with its number of logits."""
    return [
        (FocalLoss(2.0), 4),
        (FocalLoss(0.5, WEIGHT), 4),
        (CrossEntropy(WEIGHT), 4),
        (CrossEntropy(WEIGHT, 0.1), 4),
        (F1Loss(), 4),
        (BinaryCrossEntropy(BINARY_WEIGHT), 1),
    ]


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_torchs_averaged_over_pictures(
    logits: Tensor, targets: Tensor, weight: Tensor | None, smoothing: float
) -> None:
    loss = CrossEntropy(weight, smoothing)
    for target in (targets, soft(targets, 4, 0.3)):
        expected = F.cross_entropy(logits, target, weight, reduction="none", label_smoothing=smoothing).mean()
        torch.testing.assert_close(loss(logits, target), expected)


def test_smoothed_weighted_cross_entropy_by_hand(logits: Tensor, targets: Tensor) -> None:
    log_p = F.log_softmax(logits.double(), 1)
    smoothed = 0.9 * F.one_hot(targets, 4) + 0.1 / 4
    expected = -(WEIGHT.double() * smoothed * log_p).sum(1).mean()
    assert CrossEntropy(WEIGHT, 0.1)(logits, targets).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_focal_loss_with_gamma_0_is_cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor | None) -> None:
    for target in (targets, soft(targets, 4, 0.3)):
        torch.testing.assert_close(FocalLoss(0.0, weight)(logits, target), CrossEntropy(weight)(logits, target))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_by_hand_in_float64(logits: Tensor, targets: Tensor, gamma: float) -> None:
    """w_t (1 - p_t)^gamma (-log p_t): Lin et al. 2017, equation 5."""
    expected = []
    for picture, target in zip(logits.double().numpy(), targets.tolist(), strict=True):
        p = np.exp(picture[target]) / np.exp(picture).sum()
        expected.append(WEIGHT[target].item() * (1 - p) ** gamma * -np.log(p))
    assert FocalLoss(gamma, WEIGHT)(logits, targets).item() == pytest.approx(np.mean(expected), rel=1e-5)
    assert FocalLoss(gamma, WEIGHT)(logits.double(), targets).item() == pytest.approx(np.mean(expected), rel=1e-7)


@pytest.mark.parametrize("weight", [None, BINARY_WEIGHT])
def test_binary_cross_entropy_is_torchs(logits: Tensor, targets: Tensor, weight: Tensor | None) -> None:
    one, y = logits[:, :1], targets % 2
    by_picture = F.binary_cross_entropy_with_logits(one[:, 0], y.float(), reduction="none")
    expected = by_picture.mean() if weight is None else (by_picture * weight[y]).mean()
    torch.testing.assert_close(BinaryCrossEntropy(weight)(one, y), expected)


def test_binary_cross_entropy_is_cross_entropy_over_two_logits(logits: Tensor, targets: Tensor) -> None:
    one, y = logits[:, :1], targets % 2
    two = torch.cat([torch.zeros_like(one), one], 1)
    for target in (y, soft(y, 2, 0.3)):
        torch.testing.assert_close(
            BinaryCrossEntropy(BINARY_WEIGHT)(one, target), CrossEntropy(BINARY_WEIGHT)(two, target)
        )


@pytest.mark.parametrize("loss, outputs", [pair for pair in every_loss() if not isinstance(pair[0], F1Loss)])
def test_a_soft_target_costs_the_mix_of_its_hard_ones(loss: nn.Module, outputs: int, logits: Tensor) -> None:
    logits = logits[:, :outputs]
    first = torch.arange(16) % max(outputs, 2)
    mixed = soft(first, max(outputs, 2), 0.3)
    expected = 0.3 * loss(logits, first) + 0.7 * loss(logits, first.roll(1))
    torch.testing.assert_close(loss(logits, mixed), expected)
    torch.testing.assert_close(loss(logits, mixed.half()), expected, rtol=2e-3, atol=0)


@pytest.mark.parametrize("loss, outputs", every_loss())
def test_gradients_are_those_of_finite_differences(loss: nn.Module, outputs: int, logits: Tensor) -> None:
    inputs = logits[:6, :outputs].double().requires_grad_()
    targets = torch.arange(6) % max(outputs, 2)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), inputs)
    assert torch.autograd.gradcheck(lambda x: loss(x, soft(targets, max(outputs, 2), 0.3).double()), inputs)


@pytest.mark.parametrize("loss, outputs", [*every_loss(), (FocalLoss(0.01), 4), (FocalLoss(0.0), 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_extreme_logits_give_finite_losses_and_gradients(loss: nn.Module, outputs: int, dtype: torch.dtype) -> None:
    rows = torch.tensor([[1e4, -1e4, 0, 30.0], [-1e4, 1e4, 1e4, -1e4], [0, 0, 0, 1e4], [1e4] * 4, [-1e4] * 4])
    for target in range(max(outputs, 2)):
        logits = rows[:, :outputs].to(dtype).requires_grad_()
        hard = torch.full((5,), target)
        for targets in (hard, F.one_hot(hard, max(outputs, 2)).float()):
            value = loss(logits, targets)
            (gradient,) = torch.autograd.grad(value, logits)
            assert value.dtype == torch.float32 and value.isfinite() and gradient.isfinite().all()


@pytest.mark.parametrize("loss, outputs", every_loss())
def test_losses_are_computed_in_float32_under_autocast(loss: nn.Module, outputs: int, logits: Tensor) -> None:
    half = logits[:, :outputs].bfloat16()
    targets = torch.arange(16) % max(outputs, 2)
    expected = loss(half.float(), targets)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(half, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)


def test_f1_loss_on_one_hot_probabilities_is_scikit_learns_macro_f1() -> None:
    rng = np.random.default_rng(0)
    for num_classes in (2, 5, 30):  # with 30 some classes neither occur nor are answered
        truth, answers = rng.integers(0, num_classes, (2, 20))
        logits = 1e4 * F.one_hot(torch.tensor(answers), num_classes).float()
        expected = 1 - f1_score(truth, answers, average="macro")
        assert F1Loss()(logits, torch.tensor(truth)).item() == pytest.approx(expected, abs=1e-6)


def test_f1_loss_is_0_where_all_is_right_and_1_where_all_is_wrong() -> None:
    truth = torch.tensor([0, 1, 1, 3])
    logits = 1e4 * F.one_hot(truth, 5).float()
    assert F1Loss()(logits, truth).item() == pytest.approx(0, abs=1e-6)
    assert F1Loss()(logits, F.one_hot(truth, 5).float()).item() == pytest.approx(0, abs=1e-6)
    assert F1Loss()(logits, torch.tensor([4, 4, 4, 4])).item() == 1


def test_f1_loss_by_hand() -> None:
    """One picture of class 0, p = (0.75, 0.25): f1_0 = 2*0.75 / (0.75 + 1); class 1 is neither there nor answered."""
    logits = torch.tensor([[np.log(3.0), 0.0]])
    assert F1Loss()(logits, torch.tensor([0])).item() == pytest.approx(1 - 1.5 / 1.75)
    assert F1Loss()(logits, torch.tensor([1])).item() == pytest.approx(1 - (0 + 2 * 0.25 / 1.25) / 2)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["inverse", "effective", "given"])
def test_class_weights_by_hand(kind: str, strength: float) -> None:
    counts, drawn = np.array([5000, 10, 0, 300]), np.array([0.6, 0.1, 0.0, 0.3])
    values = [1.0, 4.0, 9.0, 2.0]
    weights = class_weights(kind, counts, drawn, strength, values, beta=0.99)
    assert weights is not None and weights.dtype == torch.float32
    assert weights[2] == 0
    assert float((weights * torch.tensor(drawn)).sum()) == pytest.approx(1)
    raw = {
        "inverse": [1 / 5000, 1 / 10, 1 / 300],
        "effective": [0.01 / (1 - 0.99**n) for n in (5000, 10, 300)],
        "given": [1.0, 4.0, 2.0],
    }[kind]
    power = 1 if kind == "given" else strength
    ratios = (weights / weights[0]).tolist()
    assert [ratios[1], ratios[3]] == pytest.approx([(raw[1] / raw[0]) ** power, (raw[2] / raw[0]) ** power])


def test_effective_weights_lie_between_none_and_inverse() -> None:
    counts, drawn = np.array([5000, 10]), np.array([0.9, 0.1])
    inverse = class_weights("inverse", counts, drawn, 1.0)
    torch.testing.assert_close(class_weights("effective", counts, drawn, 1.0, beta=1.0), inverse)
    torch.testing.assert_close(
        class_weights("effective", counts, drawn, 1.0, beta=0.999999), inverse, rtol=5e-3, atol=0
    )
    torch.testing.assert_close(class_weights("effective", counts, drawn, 1.0, beta=0.0), torch.ones(2))
    assert class_weights("none", counts, drawn, 1.0) is None


def test_given_weights_must_be_one_a_class_and_leave_something_to_learn() -> None:
    counts = np.array([3, 4, 0])
    with pytest.raises(InputError, match="2 numbers, there are 3 classes"):
        class_weights("given", counts, counts / 7, 1.0, [1.0, 2.0])
    with pytest.raises(InputError, match="no picture with a weight"):
        class_weights("given", counts, counts / 7, 1.0, [0.0, 0.0, 1.0])
    with pytest.raises(InputError, match="'inverted' is none of"):
        class_weights("inverted", counts, counts / 7, 1.0)


@pytest.mark.parametrize("name", ["focal", "cross_entropy", "label_smoothing"])
def test_weighted_losses_of_equal_parts_average_to_that_of_the_whole(
    name: str, logits: Tensor, targets: Tensor
) -> None:
    """What makes gradient accumulation and several processes exact; torch's own weighted mean is not."""
    loss = make_loss(name, gamma=2.0, smoothing=0.1, weight=WEIGHT)
    parts = [loss(logits[i : i + 4], targets[i : i + 4]) for i in range(0, 16, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), loss(logits, targets))


def test_make_loss_passes_on_what_each_loss_takes(logits: Tensor, targets: Tensor) -> None:
    def value(name: str, logits: Tensor, targets: Tensor, weight: Tensor | None) -> float:
        return make_loss(name, gamma=3.0, smoothing=0.2, weight=weight)(logits, targets).item()

    assert value("focal", logits, targets, WEIGHT) == FocalLoss(3.0, WEIGHT)(logits, targets).item()
    assert value("cross_entropy", logits, targets, WEIGHT) == CrossEntropy(WEIGHT)(logits, targets).item()
    assert value("label_smoothing", logits, targets, WEIGHT) == CrossEntropy(WEIGHT, 0.2)(logits, targets).item()
    assert value("f1", logits, targets, WEIGHT) == F1Loss()(logits, targets).item()
    one, y = logits[:, :1], targets % 2
    assert value("bce", one, y, BINARY_WEIGHT) == BinaryCrossEntropy(BINARY_WEIGHT)(one, y).item()
    with pytest.raises(InputError, match="nearest: focal"):
        value("focl", logits, targets, None)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_that_the_setting_names_can_be_made(name: str, logits: Tensor, targets: Tensor) -> None:
    outputs = 1 if name == "bce" else 4
    loss = make_loss(name, gamma=2.0, smoothing=0.1, weight=None)
    assert loss(logits[:, :outputs], targets % max(outputs, 2)).isfinite()


def test_weights_move_with_the_loss_and_are_not_saved_with_it() -> None:
    loss = FocalLoss(2.0, WEIGHT.clone())
    assert [buffer.device.type for buffer in loss.to("meta").buffers()] == ["meta"]
    assert loss.state_dict() == {}


def test_correcting_the_prior_twice_is_told() -> None:
    warning = double_correction(1.0, "inverse", 1.0)
    assert warning is not None and "2 times over" in warning and "sampler_strength" in warning
    assert double_correction(0.5, "effective", 0.75) is not None
    assert double_correction(0.7, "inverse", 0.3) is None
    assert double_correction(0.0, "inverse", 1.0) is None
    assert double_correction(1.0, "inverse", 0.0) is None
    assert double_correction(1.0, "given", 1.0) is None
    assert double_correction(1.0, "none", 1.0) is None
