"""Settings that inference and the server share."""

import dataclasses

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build, fields_by_section
from model.settings.inference import InferenceSettings
from model.settings.prediction import PredictionSettings
from model.settings.serve import ServeSettings


@pytest.mark.parametrize(
    ("cls", "sections"),
    [
        (InferenceSettings, ["Inputs and outputs", "Data", "Prediction", "Machine"]),
        (ServeSettings, ["Inputs and outputs", "Prediction", "Requests", "Machine"]),
    ],
)
def test_every_shared_setting_is_in_its_section(cls: type[PredictionSettings], sections: list[str]):
    by_section = fields_by_section(cls)
    assert list(by_section) == sections
    shared = fields_by_section(PredictionSettings)
    for section, fields in shared.items():
        assert {field.name for field in fields} <= {field.name for field in by_section[section]}
    assert {field.name for field in dataclasses.fields(PredictionSettings)} <= {
        field.name for field in dataclasses.fields(cls)
    }


def test_only_one_setting_may_name_the_model():
    assert build(InferenceSettings, [Layer("{}", {"models": "a b:2"})]).models == ["a", "b:2"]
    with pytest.raises(InputError, match="models and model_dir both name the model"):
        build(InferenceSettings, [Layer("{}", {"models": "a b", "model_dir": "c"})])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"pictures": "a.jpg", "part_size": 9},
            "part_size and resume_from are for a folder of images .* not for single",
        ),
        ({"pictures": "a.jpg", "resume_from": "parts"}, "part_size and resume_from are for a folder"),
        ({"processes": 2, "device": "cuda:1"}, "processes 2 requires device cuda, a GPU per process, not cuda:1"),
    ],
)
def test_settings_of_inference_that_contradict_each_other_are_errors(values: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        build(InferenceSettings, [Layer("{}", values)])
    assert build(InferenceSettings, [Layer("{}", {"processes": 2, "device": "cuda", "part_size": 9})]).processes == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"models": "a b", "model_dir": "c"}, "each define the model"),
        ({"multi_model": "true", "model_dir": "c"}, "each define the model"),
        ({"max_payload_mb": 600}, "max_payload_mb 600 must be at most max_pending_mb 512"),
        ({"accept": "text/cvs"}, "expected one of application/json, .*nearest: text/csv"),
    ],
)
def test_settings_of_the_server_that_contradict_each_other_are_errors(values: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        build(ServeSettings, [Layer("{}", values)])
    assert build(ServeSettings, [Layer("{}", {"max_payload_mb": 512})]).batch_size == 32
