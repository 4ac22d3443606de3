import pytest

from model.images.pipeline import InputPipeline
from model.network.backbone import make_preprocessing
from model.settings.train import TrainSettings
from model.training.augmentation import make_augmentation
from model.training.mixing import make_mixing
from model.training.search.candidates import CURRENT, candidates


@pytest.mark.parametrize("current", [TrainSettings().augmentation, {}, {"timm": {}, "erasing": {"p": 0.25}}])
def test_candidates_are_different_and_valid_and_the_first_is_the_current_one(current):
    found = candidates(current)
    assert next(iter(found)) == CURRENT and found[CURRENT] == current
    policies = list(found.values())
    assert len(policies) > 20 and all(one not in policies[:number] for number, one in enumerate(policies))
    pipeline = InputPipeline(make_preprocessing(TrainSettings(model="test_resnet", input_size=[32, 24])))
    for policy in policies:
        make_augmentation(policy, pipeline, 0)
        make_mixing(policy)


def test_a_piece_replaces_the_one_of_its_name_and_leaves_the_others():
    current = {"flip": {}, "erasing": {"p": 0.9}}
    found = candidates(current)
    assert found["erasing light"] == {"flip": {}, "erasing": {"p": 0.1}}
    assert found["without flip"] == {"erasing": {"p": 0.9}} and "flip" in candidates({})
    assert found["half_cutmix medium"]["half_cutmix"] == {"p": 0.5}
    assert found["mixup medium, rare partners"] == {**current, "mixup": {"alpha": 0.2, "rare": 1.0}}
    assert current == {"flip": {}, "erasing": {"p": 0.9}}
