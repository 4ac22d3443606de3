"""Names inside settings: in any spelling, from every source."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from container import settings_layers
from container.job_types import TRAIN
from model.data.label_forms import forms_from_config
from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.nested import own_names
from model.settings.train import TrainSettings

ARGUMENTS = [field.name for field in fields(TrainSettings) if field.name.endswith("_args")]

# setting: as it is written, as it is read
SPELLINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{name: ({"some-name": 1, "T-max": [2]}, {"some_name": 1, "T_max": [2]}) for name in ARGUMENTS},
    "heads": (
        {"A-b": {"Loss-Weight": 1000, "loss-args": {"some-Name": 1}}},
        {"A-b": {"loss_weight": 1000.0, "loss_args": {"some_Name": 1}}},
    ),
    "separate": (
        {"A-b": {"Batch-Size": 8, "optimizer-args": {"a-b": 1}}},
        {"A-b": {"batch_size": 8, "optimizer_args": {"a-b": 1}}},
    ),
    "augmentation": (
        {"random-resized-crop": {"some-name": [0.5, 1]}, "RandomCrop": {}},
        {"random_resized_crop": {"some_name": [0.5, 1]}, "RandomCrop": {}},
    ),
    "attributes": (
        {"A-b": {"Cuts": [1, 2], "column": "c-d"}, "e-f": ["g-h", "i-j"]},
        {"A-b": {"cuts": [1, 2], "column": "c-d"}, "e-f": ["g-h", "i-j"]},
    ),
}
# What some settings need beside them
BESIDE = {"heads": {"target": "heads"}, "separate": {"target": "separate"}, "clean_args": {"clean": "auto"}}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config folder of SageMaker's tree."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    folder = tmp_path / "input" / "config"
    folder.mkdir(parents=True)
    return folder


def by_flags(values: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name}", json.dumps(value))]


def by_hyperparameters(values: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    (tree / "hyperparameters.json").write_text(json.dumps(texts))
    return []


def by_variables(values: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name, value in values.items():
        monkeypatch.setenv(f"SM_HP_{name.upper()}", str(value))
    return []


def by_dotenv(values: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines = [f"SM_HP_{name.upper()}='{json.dumps(value)}'" for name, value in values.items()]
    Path(".env").write_text("\n".join(lines))
    return []


def by_experiment_file(values: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    Path("a.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return ["--config", "a.yaml"]


SOURCES: list[Callable[..., list[str]]] = [by_flags, by_hyperparameters, by_variables, by_dotenv, by_experiment_file]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", SPELLINGS)
def test_names_inside_a_setting_may_have_any_spelling_in_every_source(tree, monkeypatch, source, name):
    written, expected = SPELLINGS[name]
    argv = source({name: written, **BESIDE.get(name, {})}, tree, monkeypatch)
    settings, _ = settings_layers.read(TRAIN, argv, "")
    assert getattr(settings, name) == expected
    assert list(getattr(settings, name)) == list(expected)


def test_every_mapping_among_the_settings_is_tested():
    mappings = {field.name for field in fields(TrainSettings) if "dict[" in str(field.type)}
    assert mappings == SPELLINGS.keys() and len(ARGUMENTS) >= 4


def test_settings_of_an_attributes_model_may_have_any_spelling():
    own = {"age": {"optimizer-args": {"some-name": 1}}}
    settings = build(TrainSettings, [Layer("--{}", {"target": "separate", "separate": own})])
    assert build(TrainSettings, [Layer("{}", settings.separate["age"])]).optimizer_args == {"some_name": 1}


def test_a_label_scheme_with_upper_case_keys_is_read():
    settings = build(TrainSettings, [Layer("{}", {"attributes": {"Age-x": {"CUTS": [30], "Names": ["young", "old"]}}})])
    (attribute,) = forms_from_config(settings.attributes)
    assert (attribute.name, attribute.cuts, attribute.band_names) == ("Age-x", (30.0,), ("young", "old"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"heads": {"age": {"loss-wait": 1}}},
            "--heads: age: loss_wait: there is no such setting; nearest: loss_weight",
        ),
        ({"heads": {"age": {"loss-weight": "x"}}}, "--heads: age: loss_weight = 'x': expected a number"),
        ({"heads": {"age": {"class-weight-values": [-1]}}}, "--heads: age: class_weight_values = .* at least 0"),
        ({"heads": {"age": [1]}}, "--heads: age: expected a mapping"),
        ({"heads": {"age": {"loss-weight": 1, "loss_weight": 2}}}, "--heads: age: loss_weight is set twice"),
        ({"heads": {"age": {"loss-args": {"a-b": 1, "a_b": 2}}}}, "--heads: age: loss_args: a_b is set twice"),
        ({"loss_args": {"a-b": 1, "a_b": 2}}, "--loss_args: a_b is set twice"),
        ({"augmentation": {"flip": {"a-b": 1, "a_b": 2}}}, "--augmentation: flip: a_b is set twice"),
        ({"attributes": {"age": {"cuts": [1], "Cuts": [2]}}}, "--attributes: age: cuts is set twice"),
        ({"separate": {"age": {"lr": 1, "LR": 2}}}, "--separate: age: lr is set twice"),
    ],
)
def test_a_problem_inside_a_setting_is_reported_with_its_source(values, message):
    with pytest.raises(InputError, match=message):
        build(TrainSettings, [Layer("--{}", {"target": "heads", **values})])


def test_all_problems_are_reported_together():
    heads = {"age": {"loss": "focl", "los": 1}, "mask": 3}
    with pytest.raises(InputError) as error:
        build(TrainSettings, [Layer("--{}", {"target": "heads", "heads": heads, "lr": -1})])
    assert [line.split(" = ")[0] for line in str(error.value).splitlines()[1:]] == [
        "  --heads: age: loss",
        "  --heads: age: los: there is no such setting; nearest: loss",
        '  --heads: mask: expected a mapping, {"name": value}',
        "  --lr",
    ]


def test_attributes_match_exactly_or_if_unique_in_any_spelling():
    names = ["Age-band", "mask", "Mask"]
    assert own_names({"age_band": 1, "mask": 2}, names) == ({"Age-band": 1, "mask": 2}, [])
    assert own_names({"MASK": 1}, names) == ({}, ["MASK"])  # either
    assert own_names({"age_band": 1, "Age-band": 2}, names) == ({"Age-band": 2}, ["age_band"])
    assert own_names({"agee": 1}, names) == ({}, ["agee"])
