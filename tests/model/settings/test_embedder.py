from pathlib import Path

import pytest

from model.settings.embedder import EmbedderSettings


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(224, 200)]),
        ({"input_size": [64]}, [(64, 64)]),
        ({"input_size": [128, 96]}, [(128, 96)]),
        ({"sizes": [112, 448]}, [(112, 100), (448, 400)]),
        ({"input_size": [4, 3], "sizes": [128, 256]}, [(128, 96), (256, 192)]),
        ({"input_size": [224], "sizes": [96, 160]}, [(96, 96), (160, 160)]),
        ({"input_size": [400, 4], "sizes": [8]}, [(8, 1)]),
    ],
)
def test_inputs_are_those_of_the_model_or_of_input_size_and_its_aspect_ratio(settings, expected):
    assert EmbedderSettings(**settings).inputs(224, 200) == expected


def test_contradictions_are_reported_together(tmp_path: Path):
    (tmp_path / "weights.pth").touch()
    settings = EmbedderSettings(
        model="thumbnail", weights=str(tmp_path / "weigths.pth"), input_size=[1, 2, 3], sizes=[64, 64]
    )
    problems = list(settings.embedder_contradictions())
    assert len(problems) == 4
    assert "height and width, not 3 numbers" in problems[0] and "different, not 64 64" in problems[1]
    assert "not for --model thumbnail" in problems[2]
    assert "no such file or folder; nearest: weights.pth" in problems[3]


def test_a_missing_saved_model_is_reported_before_the_channel_is_read(tmp_path: Path):
    (tmp_path / "exp").mkdir()
    (problem,) = EmbedderSettings(model=f"{tmp_path}/exq").embedder_contradictions()
    assert problem == f"model {tmp_path}/exq: there is no such file or folder; nearest: exp"


def test_defaults_are_valid():
    assert not list(EmbedderSettings().embedder_contradictions())
