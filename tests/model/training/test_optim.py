from dataclasses import replace

import pytest
import torch

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.backbone import make_backbone
from model.network.heads import make_heads
from model.network.network import Network
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.optim import Accumulation, Schedule, make_optimiser

STEPS = 10


def settings(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("--{}", {"epochs": 4, "lr": 0.1, "optimizer": "sgd", **values})])


def rates(**values: object) -> list[float]:
    """The learning rate of each step of a run."""
    chosen = settings(**values)
    network = torch.nn.Linear(2, 2)
    optimiser = make_optimiser(chosen, network)
    schedule = Schedule(chosen, optimiser, STEPS)
    seen = []
    for step in range(chosen.epochs * STEPS):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.after_step(step + 1)
        if (step + 1) % STEPS == 0:
            schedule.after_epoch(0.5)
    return seen


@pytest.mark.parametrize("name", ["adamw", "SGD", "madgrad", "lamb", "AdamW"])
def test_optimisers_have_timms_names_in_any_letter_case(name):
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    optimiser = make_optimiser(settings(optimizer=name, weight_decay=0.3), network)
    decays = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert decays[id(network[0].weight)] == 0.3
    assert decays[id(network[0].bias)] == decays[id(network[1].weight)] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adamz"}, "nearest: adam"),
        ({"optimizer": "sgd", "optimizer_args": {"momentom": 0.9}}, "momentom"),
        ({"scheduler": "cosin"}, "nearest: cosine"),
        ({"scheduler": "StepLR", "scheduler_args": {"gama": 0.5}}, "gama"),
        ({"scheduler": "cosine", "scheduler_args": {"min": 1}}, "min"),
    ],
)
def test_unknown_optimisers_and_schedules_are_an_error(values, message):
    with pytest.raises(InputError, match=message):
        rates(**values)


def test_cosine_increases_during_warmup_and_decreases_afterwards():
    """Reference: lr/2 * (1 + cos(pi * step / steps)) after the warm-up."""
    seen = rates(scheduler="cosine", warmup_epochs=1)
    assert seen[0] == pytest.approx(0.001)
    assert seen[:10] == sorted(set(seen[:10]))
    half = 0.05 * (1 + torch.cos(torch.tensor(torch.pi * 25 / 40)).item())
    assert seen[25] == pytest.approx(half)
    assert seen[-1] < 0.001


def test_steplr_counts_epochs_and_cycliclr_counts_steps():
    """Reference: torch.optim.lr_scheduler by hand."""
    seen = rates(scheduler="StepLR", scheduler_args={"step_size": 2, "gamma": 0.1})
    assert seen == pytest.approx([0.1] * 20 + [0.01] * 20)
    cyclic = {"base_lr": 0.01, "max_lr": 0.11, "step_size_up": 5, "cycle_momentum": False}
    seen = rates(scheduler="CyclicLR", scheduler_args=cyclic)
    assert seen[:11] == pytest.approx([0.01, 0.03, 0.05, 0.07, 0.09, 0.11, 0.09, 0.07, 0.05, 0.03, 0.01])


def test_onecyclelr_gets_the_number_of_steps():
    seen = rates(scheduler="OneCycleLR")
    assert max(seen) == pytest.approx(0.1, rel=0.01) and seen[-1] < 1e-4


def test_no_schedule_and_plateau():
    assert rates(scheduler="none") == [0.1] * 40
    seen = rates(scheduler="ReduceLROnPlateau", scheduler_args={"patience": 0, "factor": 0.5})
    assert seen == pytest.approx([0.1] * 20 + [0.05] * 10 + [0.025] * 10)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cosine", {}),
        ("StepLR", {"step_size": 1}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "cycle_momentum": False, "step_size_up": 7}),
        ("OneCycleLR", {}),
        ("ReduceLROnPlateau", {"patience": 1}),
    ],
)
def test_a_schedule_resumes_from_its_state(name, arguments, tmp_path):
    """Saves and loads the state at step 17; reference: the rates of a run without the stop."""
    chosen = settings(scheduler=name, scheduler_args=arguments)

    def fresh():
        network = torch.nn.Linear(2, 2)
        optimiser = make_optimiser(chosen, network)
        return optimiser, Schedule(chosen, optimiser, STEPS)

    def advance(optimiser, schedule, first, last):
        seen = []
        for step in range(first, last):
            optimiser.step()
            schedule.after_step(step + 1)
            if (step + 1) % STEPS == 0:
                schedule.after_epoch(0.5)
            seen.append(optimiser.param_groups[0]["lr"])
        return seen

    through, expected = fresh(), []
    expected = advance(*through, 0, 40)[17:]
    before = fresh()
    advance(*before, 0, 17)
    torch.save({"optimiser": before[0].state_dict(), "schedule": before[1].state_dict()}, tmp_path / "state")
    state = torch.load(tmp_path / "state", weights_only=True)
    after = fresh()
    after[0].load_state_dict(state["optimiser"])
    after[1].load_state_dict(state["schedule"])
    assert advance(*after, 17, 40) == expected


def test_accumulation_divides_an_epoch_into_groups_and_the_last_may_be_smaller():
    accumulation = Accumulation(batches=7, per_step=3)
    assert accumulation.optimiser_steps == 3
    assert [accumulation.group_size(batch) for batch in range(7)] == [3, 3, 3, 3, 3, 3, 1]
    assert [batch for batch in range(7) if accumulation.ends_group(batch)] == [2, 5, 6]
    assert all(Accumulation(5, 1).ends_group(batch) and Accumulation(5, 1).group_size(batch) == 1 for batch in range(5))
    assert [batch for batch in range(2) if Accumulation(2, 9).ends_group(batch)] == [1]


@pytest.mark.parametrize(("criterion", "mode"), [("f1", "max"), ("acc", "max"), ("gmean", "max"), ("loss", "min")])
def test_plateau_uses_the_direction_of_the_criterion(criterion, mode):
    chosen = settings(scheduler="ReduceLROnPlateau", best_criterion=criterion)
    schedule = Schedule(chosen, make_optimiser(chosen, torch.nn.Linear(2, 2)), STEPS)
    assert schedule.torch.mode == mode


@pytest.fixture
def network() -> Network:
    """A stem, four stages of one block each, and two classifiers."""
    heads = make_heads(mask_scheme().only("age"), "joint", lambda head, classes: classes)
    return Network(make_backbone("test_resnet", Preprocessing(32, 32)), heads)


def group_rates(network: Network, optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate of each parameter by its name."""
    by_id = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    return {name: by_id[id(parameter)] for name, parameter in network.named_parameters()}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cosine", {}),
        ("step", {}),
        ("none", {}),
        ("StepLR", {"step_size": 1}),
        ("OneCycleLR", {}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False}),
    ],
)
def test_the_rate_of_a_layer_is_that_of_the_classifier_times_the_decay_per_layer_behind_it(network, name, arguments):
    chosen = settings(layer_decay=0.5, scheduler=name, scheduler_args=arguments)
    optimiser = make_optimiser(chosen, network)
    reference = make_optimiser(settings(scheduler=name), torch.nn.Linear(2, 2))
    schedules = Schedule(chosen, optimiser, STEPS), Schedule(replace(chosen, layer_decay=1.0), reference, STEPS)
    behind = {"conv1": 5, "bn1": 5, "layer1": 4, "layer2": 3, "layer3": 2, "layer4": 1}
    for step in range(2 * STEPS):
        whole = reference.param_groups[0]["lr"]
        for parameter, rate in group_rates(network, optimiser).items():
            layers = behind[parameter.split(".")[1]] if parameter.startswith("backbone.") else 0
            assert rate == pytest.approx(whole * 0.5**layers), parameter
        for schedule, own in zip(schedules, (optimiser, reference), strict=True):
            own.step()
            schedule.after_step(step + 1)
            if (step + 1) % STEPS == 0:
                schedule.after_epoch(0.5)


def test_a_norm_behind_all_blocks_has_the_rate_of_the_classifier():
    heads = make_heads(mask_scheme().only("age"), "joint", lambda head, classes: classes)
    network = Network(make_backbone("test_convnext", Preprocessing(64, 64)), heads)
    rates_by_name = group_rates(network, make_optimiser(settings(layer_decay=0.5, scheduler="none"), network))
    last = f"backbone.stages.{len(network.backbone.stages) - 1}."
    blocks = {name: rate for name, rate in rates_by_name.items() if name.startswith(last) and ".blocks." in name}
    assert rates_by_name["heads.0.1.weight"] == rates_by_name["backbone.head.norm.weight"] == 0.1
    assert max(blocks.values()) == pytest.approx(0.05)


def test_with_layer_decay_biases_and_norms_have_no_weight_decay_and_the_state_can_be_saved(network):
    chosen = settings(layer_decay=0.5, weight_decay=0.3, optimizer="adamw")
    optimiser = make_optimiser(chosen, network)
    decays = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    for parameter in network.parameters():
        assert decays[id(parameter)] == (0.3 if parameter.ndim > 1 else 0)
    again = make_optimiser(chosen, network)
    again.load_state_dict(optimiser.state_dict())
    assert group_rates(network, again) == group_rates(network, optimiser)


def test_without_layer_decay_the_groups_have_no_factors(network):
    assert not any("lr_scale" in group for group in make_optimiser(settings(), network).param_groups)
