import numpy as np
import pytest
import torch

from model.errors import InputError
from model.settings import choices
from model.training.class_weights import CLASS_WEIGHTS, class_weights, corrected_share


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


def test_effective_weights_are_between_none_and_inverse() -> None:
    counts, drawn = np.array([5000, 10]), np.array([0.9, 0.1])
    inverse = class_weights("inverse", counts, drawn, 1.0)
    torch.testing.assert_close(class_weights("effective", counts, drawn, 1.0, beta=1.0), inverse)
    torch.testing.assert_close(
        class_weights("effective", counts, drawn, 1.0, beta=0.999999), inverse, rtol=5e-3, atol=0
    )
    torch.testing.assert_close(class_weights("effective", counts, drawn, 1.0, beta=0.0), torch.ones(2))
    assert class_weights("none", counts, drawn, 1.0) is None


def test_given_weights_must_be_one_per_class_and_above_0_for_a_class_with_images() -> None:
    counts = np.array([3, 4, 0])
    with pytest.raises(InputError, match="2 numbers; expected 3, one per class"):
        class_weights("given", counts, counts / 7, 1.0, [1.0, 2.0])
    with pytest.raises(InputError, match="no class with images has a weight"):
        class_weights("given", counts, counts / 7, 1.0, [0.0, 0.0, 1.0])
    with pytest.raises(InputError, match="'inverted': expected one of"):
        class_weights("inverted", counts, counts / 7, 1.0)


def test_the_setting_names_every_kind() -> None:
    assert choices.CLASS_WEIGHTS.keys() == CLASS_WEIGHTS.keys()


def test_an_added_formula_is_raised_to_the_strength_and_corrects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASS_WEIGHTS, "square", lambda counts, beta: 1 / counts**2)
    counts = np.array([10, 20])
    torch.testing.assert_close(
        class_weights("square", counts, counts / 30, 0.5), class_weights("inverse", counts, counts / 30, 1.0)
    )
    assert corrected_share("square", 0.5) == 0.5
    assert corrected_share("given", 0.5) == corrected_share("none", 0.5) == 0
