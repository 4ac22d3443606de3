"""Last layers of classifiers, against their formulas."""

import numpy as np
import pytest
import torch
from torch import nn

from model.network.classifiers import CosineLayer, last_layer, linear_layer, make_classifier, set_class_vectors
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings


def cosines(features: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(N, classes), one scalar product at a time."""
    return np.array([[f @ v / np.linalg.norm(f) / np.linalg.norm(v) for v in vectors] for f in features])


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(1)) * 3 + 1


@pytest.mark.parametrize("learned", [True, False])
def test_cosine_logits_are_scaled_cosines_of_any_length(features, learned):
    layer = CosineLayer(7, 3, scale=12, learned=learned)
    torch.testing.assert_close(layer.weight.norm(dim=1), torch.ones(3))
    with torch.no_grad():
        layer.weight.mul_(torch.tensor([[0.1], [5.0], [2.0]]))
    expected = 12 * cosines(features.double().numpy(), layer.weight.detach().double().numpy())
    np.testing.assert_allclose(layer(features).detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer(features * 100), layer(features))
    assert not layer(torch.zeros(1, 7)).any()
    assert {name for name, _ in layer.named_parameters()} == {"weight", *(["log_scale"] if learned else [])}
    assert set(layer.state_dict()) == {"weight", "log_scale"}


def test_a_learned_scale_is_trained_and_stays_positive(features):
    layer = CosineLayer(7, 3, scale=1)
    optimiser = torch.optim.SGD([layer.log_scale], lr=0.1)
    for sign, larger in ((-1, True), (1, False)):
        before = layer.log_scale.exp().item()
        (sign * layer(features).pow(2).mean()).backward()
        optimiser.step()
        optimiser.zero_grad()
        assert (layer.log_scale.exp().item() > before) == larger and layer.log_scale.exp() > 0


def test_settings_choose_the_last_layer():
    def layer(**values: object) -> nn.Module:
        return last_layer(build(TrainSettings, [Layer("{}", values)]))(7, 3)

    assert last_layer(TrainSettings()) is linear_layer
    cosine = layer(classifier="cosine", classifier_scale=5, classifier_scale_learned=False)
    assert isinstance(cosine, CosineLayer) and cosine.log_scale.exp().item() == pytest.approx(5)
    assert not isinstance(cosine.log_scale, nn.Parameter)
    assert isinstance(layer(classifier="cosine").log_scale, nn.Parameter)


def test_hidden_layers_come_before_the_last_layer(features):
    classifier = make_classifier(7, [6, 4], 3, 0.5, CosineLayer).eval()
    first, second, last = classifier[1], classifier[4], classifier[-1]
    expected = last(second(first(features).relu()).relu())
    torch.testing.assert_close(classifier(features), expected)
    assert [layer.p for layer in classifier if isinstance(layer, nn.Dropout)] == [0.5] * 3


SUMS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize("last", [linear_layer, CosineLayer])
def test_class_vectors_are_directions_of_means_and_a_class_without_images_keeps_its_own(last):
    classifier = make_classifier(3, [], 3, 0.0, last)
    if last is linear_layer:
        classifier[-1].bias.data += 1
    before = classifier[-1].weight.detach().clone()
    length = 2.0 if last is linear_layer else 1.0
    assert set_class_vectors(classifier, SUMS, scale=2.0) == 2
    after = classifier[-1].weight
    torch.testing.assert_close(after[0], torch.tensor([0.6, 0.8, 0.0]) * length)
    torch.testing.assert_close(after[2], torch.tensor([0.0, 0.0, 1.0]) * length)
    assert torch.equal(after[1], before[1]) and after.requires_grad
    if last is linear_layer:
        assert classifier[-1].bias.tolist() == [0, 1, 0]


@pytest.mark.parametrize("last", [linear_layer, CosineLayer])
def test_one_output_for_two_classes_separates_their_directions(last):
    classifier = make_classifier(3, [], 1, 0.0, last)
    sums = torch.tensor([[2.0, 0.0, 0.0], [3.0, 4.0, 0.0]], dtype=torch.float64)
    assert set_class_vectors(classifier, sums, scale=1.0) == 1
    first, second = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.6, 0.8, 0]])
    logits = classifier(torch.cat([first, second, first + second]))[:, 0].tolist()
    assert (
        logits[0] < 0 < logits[1] and logits[1] == pytest.approx(-logits[0]) and logits[2] == pytest.approx(0, abs=1e-6)
    )
    untouched = classifier[-1].weight.detach().clone()
    assert set_class_vectors(classifier, torch.cat([sums[:1], sums[:1] * 0]), scale=1.0) == 0
    assert torch.equal(classifier[-1].weight, untouched)
