from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor, nn

from model.errors import InputError
from model.settings import choices
from model.settings.fields import Layer, build
from model.settings.loss import HeadSettings
from model.settings.train import TrainSettings
from model.training.cross_entropy import CrossEntropy
from model.training.losses import (
    LOSSES,
    BinaryCrossEntropy,
    F1Loss,
    FocalLoss,
    LogitAdjustedCrossEntropy,
    LossContext,
    LossType,
    make_loss,
)

WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.3])
SHARES = np.array([0.7, 0.25, 0.05, 0.0])  # of drawn images; the last class has none
BINARY_WEIGHT = torch.tensor([0.4, 1.7])


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def targets() -> Tensor:
    return torch.randint(0, 4, (16,), generator=torch.Generator().manual_seed(1))


def context(loss: str, weight: Tensor | None = WEIGHT, loss_args: object = (), **settings: object) -> LossContext:
    """The context of a head with these class weights, whose classes are drawn equally often."""
    classes = 4 if weight is None else len(weight)
    common = (
        {"class_weights": "none"}
        if weight is None
        else {"class_weights": "given", "class_weight_values": weight.tolist()}
    )
    train_settings = build(TrainSettings, [Layer("{}", {**common, **settings}), Layer("{}", {"loss": loss})])
    head = build(HeadSettings, [Layer("{}", {**common, "loss": loss, "loss_args": dict(loss_args)})])  # type: ignore
    return LossContext(train_settings, head, np.full(classes, 5), np.full(classes, 1 / classes))


def soft(targets: Tensor, num_classes: int, share: float) -> Tensor:
    """Targets of mixup: each image mixed with the next one."""
    one_hot = F.one_hot(targets, num_classes).float()
    return share * one_hot + (1 - share) * one_hot.roll(1, 0)


def every_loss() -> list[tuple[nn.Module, int]]:
    """Each loss with its number of logits."""
    return [
        (FocalLoss(2.0), 4),
        (FocalLoss(0.5, WEIGHT), 4),
        (CrossEntropy(WEIGHT), 4),
        (CrossEntropy(WEIGHT, 0.1), 4),
        (LogitAdjustedCrossEntropy(SHARES, 1.5), 4),
        (F1Loss(), 4),
        (BinaryCrossEntropy(BINARY_WEIGHT), 1),
    ]


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_torchs_as_a_mean_over_images(
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


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_logit_adjustment_by_hand_in_float64(logits: Tensor, targets: Tensor, tau: float) -> None:
    """-log of exp(f_y) s_y^tau / sum_c exp(f_c) s_c^tau: Menon et al. 2021, equation 10."""
    shares = np.array([0.6, 0.3, 0.09, 0.01])
    expected = []
    for picture, target in zip(logits.double().numpy(), targets.tolist(), strict=True):
        adjusted = np.exp(picture) * shares**tau
        expected.append(-np.log(adjusted[target] / adjusted.sum()))
    loss = LogitAdjustedCrossEntropy(shares, tau)
    assert loss(logits, targets).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_logit_adjustment_with_tau_1_is_balanced_softmax_and_with_0_cross_entropy(
    logits: Tensor, targets: Tensor
) -> None:
    """Balanced softmax (Ren et al. 2020) adds the logarithm of the class counts."""
    counts = torch.tensor([500, 300, 90, 7])
    shares = (counts / counts.sum()).double().numpy()
    balanced = F.cross_entropy(logits + counts.log(), targets)
    torch.testing.assert_close(LogitAdjustedCrossEntropy(shares)(logits, targets), balanced)
    torch.testing.assert_close(
        LogitAdjustedCrossEntropy(shares, 0.0)(logits, targets), F.cross_entropy(logits, targets)
    )
    equal = LogitAdjustedCrossEntropy(np.full(4, 0.25), 1.0)(logits, targets)  # the sampler left nothing to correct
    torch.testing.assert_close(equal, F.cross_entropy(logits, targets))


def test_logit_adjustment_lowers_the_logit_of_a_class_without_images() -> None:
    logits = torch.zeros(3, 4, requires_grad=True)
    LogitAdjustedCrossEntropy(SHARES)(logits, torch.tensor([0, 1, 2])).backward()
    assert logits.grad is not None and (logits.grad[:, 3] > 0.1).all()


def test_logit_adjustment_uses_drawn_shares_and_no_class_weights(logits: Tensor, targets: Tensor) -> None:
    made = make_loss(replace(context("logit_adjustment", WEIGHT, {"tau": "0.5"}), drawn_shares=SHARES))
    assert made(logits, targets) == LogitAdjustedCrossEntropy(SHARES, 0.5)(logits, targets)


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
def test_the_loss_of_a_soft_target_is_the_mean_over_its_classes(loss: nn.Module, outputs: int, logits: Tensor) -> None:
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
    for num_classes in (2, 5, 30):  # with 30, some classes neither occur nor are predicted
        truth, answers = rng.integers(0, num_classes, (2, 20))
        logits = 1e4 * F.one_hot(torch.tensor(answers), num_classes).float()
        expected = 1 - f1_score(truth, answers, average="macro")
        assert F1Loss()(logits, torch.tensor(truth)).item() == pytest.approx(expected, abs=1e-6)


def test_f1_loss_is_0_if_all_are_right_and_1_if_all_are_wrong() -> None:
    truth = torch.tensor([0, 1, 1, 3])
    logits = 1e4 * F.one_hot(truth, 5).float()
    assert F1Loss()(logits, truth).item() == pytest.approx(0, abs=1e-6)
    assert F1Loss()(logits, F.one_hot(truth, 5).float()).item() == pytest.approx(0, abs=1e-6)
    assert F1Loss()(logits, torch.tensor([4, 4, 4, 4])).item() == 1


def test_f1_loss_by_hand() -> None:
    """One image of class 0, p = (0.75, 0.25): f1_0 = 2*0.75 / (0.75 + 1); class 1 neither occurs nor is predicted."""
    logits = torch.tensor([[np.log(3.0), 0.0]])
    assert F1Loss()(logits, torch.tensor([0])).item() == pytest.approx(1 - 1.5 / 1.75)
    assert F1Loss()(logits, torch.tensor([1])).item() == pytest.approx(1 - (0 + 2 * 0.25 / 1.25) / 2)


@pytest.mark.parametrize("name", ["focal", "cross_entropy", "label_smoothing"])
def test_weighted_losses_of_equal_parts_average_to_the_loss_of_all(name: str, logits: Tensor, targets: Tensor) -> None:
    """This makes gradient accumulation and several processes exact, which torch's own weighted mean is not."""
    loss = make_loss(context(name))
    parts = [loss(logits[i : i + 4], targets[i : i + 4]) for i in range(0, 16, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), loss(logits, targets))


def test_a_loss_is_made_with_its_class_weights_and_settings(logits: Tensor, targets: Tensor) -> None:
    def both(expected: nn.Module, name: str, *batch: Tensor, weight: Tensor) -> bool:
        loss_context = context(name, weight, focal_gamma=3.0, label_smoothing=0.2)
        return make_loss(loss_context)(*batch).item() == expected(*batch).item()

    four, two = context("focal", WEIGHT).class_weights, context("focal", BINARY_WEIGHT).class_weights
    torch.testing.assert_close(four, WEIGHT / WEIGHT.mean())
    assert both(FocalLoss(3.0, four), "focal", logits, targets, weight=WEIGHT)
    assert both(CrossEntropy(four), "cross_entropy", logits, targets, weight=WEIGHT)
    assert both(CrossEntropy(four, 0.2), "label_smoothing", logits, targets, weight=WEIGHT)
    assert both(F1Loss(), "f1", logits, targets, weight=WEIGHT)
    assert both(BinaryCrossEntropy(two), "bce", logits[:, :1], targets % 2, weight=BINARY_WEIGHT)


def test_loss_args_override_the_settings_of_the_same_meaning() -> None:
    assert make_loss(context("focal", None, {"gamma": "1.5"}, focal_gamma=3.0)).gamma == 1.5
    assert make_loss(context("focal", None, {"gamma": 0}, focal_gamma=3.0)).gamma == 0
    assert make_loss(context("label_smoothing", None, {"smoothing": 0.3})).smoothing == 0.3


@pytest.mark.parametrize(
    ("loss", "arguments", "message"),
    [
        ("focal", {"gama": 1}, "loss_args: loss focal has no argument 'gama'; nearest: gamma; expected one of gamma"),
        ("cross_entropy", {"gamma": 1}, "loss cross_entropy takes no arguments, not 'gamma'"),
        ("focal", {"context": 1}, "no argument 'context'"),
        ("focal", {"gamma": -1}, "loss 'focal' with .*: expected at least 0"),
        ("logit_adjustment", {"tau": -1}, "loss 'logit_adjustment' with .*: tau = -1: expected at least 0"),
        ("logit_adjustment", {"tau": "inf"}, "expected"),
        ("elr", {"beta": 1}, "loss 'elr' with .*: beta = 1: expected at least 0 and below 1"),
        ("elr", {"lambda": 3}, "loss elr has no argument 'lambda'.*; expected one of strength, beta"),
        ("label_smoothing", {"smoothing": "much"}, "loss 'label_smoothing' with .*: expected a number"),
    ],
)
def test_invalid_arguments_of_a_loss_are_an_error(loss: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_loss(context(loss, None, arguments))


def test_the_setting_names_every_loss() -> None:
    assert choices.LOSSES.keys() == LOSSES.keys()
    assert all(choices.LOSSES.values())


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_can_be_made(name: str, logits: Tensor, targets: Tensor) -> None:
    classes = 2 if name == "bce" else 4
    loss = make_loss(context(name, None))
    assert loss(logits[:, : LOSSES[name].outputs(classes)], targets % classes).isfinite()


def test_bce_needs_two_classes_and_has_one_output() -> None:
    assert LOSSES["bce"].outputs(2) == 1 and LOSSES["focal"].outputs(2) == 2
    with pytest.raises(ValueError, match="loss bce needs two classes"):
        LOSSES["bce"].outputs(3)


def test_an_added_loss_can_be_chosen_and_gets_its_arguments(
    monkeypatch: pytest.MonkeyPatch, logits: Tensor, targets: Tensor
) -> None:
    def scaled(context: LossContext, scale: float = 1.0) -> nn.Module:
        return FocalLoss(scale * len(context.counts), context.class_weights)

    with pytest.raises(InputError, match="expected one of focal"):
        context("scaled")
    monkeypatch.setitem(LOSSES, "scaled", LossType(scaled, corrects=lambda context: 0.75))
    monkeypatch.setitem(choices.LOSSES, "scaled", "a toy")
    loss_context = context("scaled", WEIGHT, {"scale": 0.5})
    assert make_loss(loss_context)(logits, targets) == FocalLoss(2.0, loss_context.class_weights)(logits, targets)


def test_class_weights_move_with_the_loss_and_are_not_in_its_state() -> None:
    loss = FocalLoss(2.0, WEIGHT.clone())
    assert [buffer.device.type for buffer in loss.to("meta").buffers()] == ["meta"]
    assert loss.state_dict() == {}


@pytest.mark.parametrize("loss, outputs", [pair for pair in every_loss() if not isinstance(pair[0], F1Loss)])
def test_the_weight_of_an_image_multiplies_its_loss(loss: nn.Module, outputs: int, logits: Tensor) -> None:
    logits, targets = logits[:, :outputs], torch.arange(16) % max(outputs, 2)
    weights = torch.rand(16, generator=torch.Generator().manual_seed(2)) * 3
    for target in (targets, soft(targets, max(outputs, 2), 0.3)):
        each = torch.stack([loss(logits[i : i + 1], target[i : i + 1]) for i in range(16)])
        torch.testing.assert_close(loss(logits, target, weights), (each * weights).sum() / 16)
        torch.testing.assert_close(loss(logits, target, torch.ones(16)), loss(logits, target))


def test_an_image_of_f1_loss_counts_as_often_as_its_weight(logits: Tensor, targets: Tensor) -> None:
    """Reference: images of weight 3 are repeated, those of weight 0 left out."""
    weights = torch.tensor([0, 3, 1, 1] * 4)
    repeated = torch.repeat_interleave(torch.arange(16), weights)
    expected = F1Loss()(logits[repeated], targets[repeated])
    torch.testing.assert_close(F1Loss()(logits, targets, weights.float()), expected)
    torch.testing.assert_close(F1Loss()(logits, targets, 0.2 * weights.float()), expected)
    assert F1Loss()(logits, targets, torch.zeros(16)) == 1
