"""New batch-norm statistics of a network: those of its layers' inputs, batch by batch."""

import numpy as np
import pytest
import torch

from model.artifacts.saved_model import load_model
from model.data.channel import read_channel
from model.errors import InputError, Problems
from model.prediction.torch_backend import load_network
from model.runtime.hardware import find_hardware
from model.training.batch_norm import has_batch_norm, renew_batch_norm


@pytest.fixture
def table(faces):
    return read_channel(faces / "train", Problems(""))


def test_statistics_are_means_over_batches_of_the_layers_inputs(models, table):
    """Reference: numpy, over the recorded inputs of every batch norm in training mode."""
    saved = load_model(models / "a")
    network = load_network(saved)
    norms = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    momenta = {name: norm.momentum for name, norm in norms.items()}
    inputs: dict[str, list[np.ndarray]] = {name: [] for name in norms}
    for name, norm in norms.items():
        norm.register_forward_pre_hook(
            lambda _, given, name=name: inputs[name].append(given[0].detach().double().numpy())
        )
    rows, hardware = table.take(np.arange(67)), find_hardware("cpu", "fp32")
    renew_batch_norm(network, rows, saved.pipeline, saved.settings, hardware, batch_size=20, workers=0)
    assert len(norms) > 3 and not any(norm.training for norm in norms.values())
    for name, norm in norms.items():
        assert [len(batch) for batch in inputs[name]] == [23, 22, 22] and norm.momentum == momenta[name]
        means = np.mean([batch.mean(axis=(0, 2, 3)) for batch in inputs[name]], axis=0)
        variances = np.mean([batch.var(axis=(0, 2, 3)) * _unbiased(batch) for batch in inputs[name]], axis=0)
        np.testing.assert_allclose(norm.running_mean.numpy(), means, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(norm.running_var.numpy(), variances, rtol=1e-4, atol=1e-5)


def _unbiased(batch: np.ndarray) -> float:
    count = batch.size // batch.shape[1]
    return count / (count - 1)


def test_the_order_is_random_and_the_result_does_not_depend_on_workers(models, table, monkeypatch):
    from model.training import batch_norm

    saved, hardware = load_model(models / "a"), find_hardware("cpu", "fp32")
    orders, load = [], batch_norm.batches

    def recorded(images, items, *rest):
        orders.append([row for batch in items for row, _ in batch])
        return load(images, items, *rest)

    monkeypatch.setattr(batch_norm, "batches", recorded)
    networks = []
    for workers in (0, 2):
        networks.append(load_network(saved))
        first = next(module for module in networks[-1].modules() if isinstance(module, torch.nn.Conv2d))
        first.register_forward_hook(lambda _, __, output: torch.nn.functional.dropout(output))
        renew_batch_norm(networks[-1], table, saved.pipeline, saved.settings, hardware, 64, workers)
    assert sorted(orders[0]) == list(range(len(table))) != orders[0] == orders[1]
    one, two = (network.state_dict() for network in networks)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_one_image_has_no_variance(models, table):
    saved = load_model(models / "a")
    with pytest.raises(InputError, match="at least 2 training images, not 1"):
        renew_batch_norm(
            load_network(saved), table.take([0]), saved.pipeline, saved.settings, find_hardware("cpu", "fp32"), 64, 0
        )


def test_only_running_statistics_count():
    assert has_batch_norm(torch.nn.Sequential(torch.nn.BatchNorm1d(2)))
    assert not has_batch_norm(torch.nn.Sequential(torch.nn.BatchNorm1d(2, track_running_stats=False)))
    assert not has_batch_norm(torch.nn.LayerNorm(2))
