"""A training channel, and settings of trainings of less than a second."""

import pytest

from model.data.channel import read_channel
from model.errors import Problems
from model.settings.train import TrainSettings


@pytest.fixture
def table(faces):
    return read_channel(faces / "train", Problems(""))


@pytest.fixture
def settings() -> TrainSettings:
    return TrainSettings(
        model="test_resnet",
        pretrained=False,
        input_size=[32, 24],
        epochs=2,
        batch_size=32,
        num_workers=0,
        device="cpu",
        precision="fp32",
        target="mask",
    )
