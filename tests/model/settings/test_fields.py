"""Settings are built from layers, checked, and written as text and mappings."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from model.errors import InputError
from model.settings.fields import (
    COMMON_NAMES,
    Layer,
    as_dict,
    build,
    canonical,
    differences,
    fields_by_section,
    names_in_sections,
    setting,
    value_text,
)
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings


@dataclass(frozen=True)
class Toy:
    size: list[int] = setting([], "h", low=8)
    rate: float = setting(0.1, "h", low=0, high=1)
    name: str = setting("exp", "h", result=False)
    kind: str = setting("a", "h", choices=("alpha", "a"))
    file: str | None = setting(None, "h")
    least: float | None = setting(None, "h", low=1)
    options: dict[str, Any] = setting({"x": 1}, "h")

    def contradictions(self) -> Iterator[str]:
        if self.rate == 0.5:
            yield "rate 0.5 contradicts itself"


def test_later_layers_win() -> None:
    layers = [Layer("file: {}", {"rate": 0.2, "size": "8 9"}), Layer("--{}", {"rate": "0.3"})]
    assert build(Toy, layers) == Toy(rate=0.3, size=[8, 9])


def test_names_may_have_any_spelling() -> None:
    assert canonical(" Learning-Rate") == "learning_rate"
    assert build(Toy, [Layer("{}", {"RATE": "0.3", "least": "2"})]) == Toy(rate=0.3, least=2.0)


@pytest.mark.parametrize(
    "cls, name, meant",
    [
        (TrainSettings, "arch", "model"),
        (TrainSettings, "imgsz", "input_size"),
        (TrainSettings, "data", "train_dir"),
        (InferenceSettings, "data", "eval_dir"),
        (InferenceSettings, "checkpoint", "model_dir"),
        (InferenceSettings, "gpu", "device"),
        (TrainSettings, "epoch", "epochs"),
        (TrainSettings, "learningrate", "lr"),  # similar to the alias learning_rate
        (TrainSettings, "lerning_rate", "lr"),
        (TrainSettings, "image_sise", "input_size"),  # similar to another tool's image_size
        (InferenceSettings, "output_nam", "output"),
    ],
)
def test_the_name_of_another_tool_suggests_the_setting_here(cls: type, name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"--{name}: there is no such setting; nearest: {meant}$"):
        build(cls, [Layer("--{}", {name: "1"})])


def test_names_of_other_tools_are_no_settings_here() -> None:
    ours = {field.name for cls in (TrainSettings, InferenceSettings) for field in dataclasses.fields(cls)}
    assert {name for names in COMMON_NAMES.values() for name in names} <= ours | {"ground_truth_dir"}
    assert not COMMON_NAMES.keys() & {field.name for field in dataclasses.fields(InferenceSettings)}


def test_problems_of_all_layers_are_reported_together() -> None:
    layers = [
        Layer("configs/{x}.yaml: {}", {"rat": 1, "rate": 2, "size": [7]}),
        Layer("hyperparameter {}", {"kind": "alfa", "least": "0.5", "rate": "-0.1", "name": None}),
    ]
    with pytest.raises(InputError) as caught:
        build(Toy, layers)
    assert str(caught.value).splitlines() == [
        "settings:",
        "  configs/{x}.yaml: rat: there is no such setting; nearest: rate",
        "  configs/{x}.yaml: rate = 2: expected at most 1",
        "  configs/{x}.yaml: size = [7]: expected at least 8",
        "  hyperparameter kind = 'alfa': expected one of alpha, a; nearest: alpha",
        "  hyperparameter least = '0.5': expected at least 1",
        "  hyperparameter rate = '-0.1': expected at least 0",
        "  hyperparameter name = None: expected text, not NoneType",
    ]


def test_bounds_are_inclusive() -> None:
    assert build(Toy, [Layer("{}", {"rate": 1, "size": 8, "least": 1})]).rate == 1
    assert build(Toy, [Layer("{}", {"rate": 0, "least": "none"})]).least is None


def test_contradictions_are_reported() -> None:
    with pytest.raises(InputError, match=r"rate 0\.5 contradicts itself"):
        build(Toy, [Layer("{}", {"rate": 0.5})])


def test_settings_as_mappings() -> None:
    toy = Toy(rate=0.3, name="other")
    assert differences(toy) == {"rate": 0.3, "name": "other"}
    assert list(as_dict(toy)) == ["size", "rate", "name", "kind", "file", "least", "options"]
    assert set(as_dict(toy)) - set(as_dict(toy, only_result=True)) == {"name"}
    assert Toy().options is not Toy().options


def test_values_as_text_for_people():
    assert value_text({"flip": {}, "crop": {"scale": [0.5, 1.0]}, "timm": {"args": {"magnitude": 9}}}) == (
        "flip, crop (scale 0.5 1), timm (args (magnitude 9))"
    )
    assert [value_text(value) for value in (True, None, "", [], {}, 0.25, "sgd")] == [
        "true", "none", "none", "none", "none", "0.25", "sgd",
    ]  # fmt: skip


@dataclass(frozen=True)
class Base:
    SECTIONS: ClassVar[tuple[str, ...]] = ("Data", "Empty", "Machine")

    folder: str = setting("", "h", section="Data")
    device: str = setting("auto", "h", section="Machine")
    workers: int = setting(0, "h")


@dataclass(frozen=True)
class Extended(Base):
    table: str = setting("", "h", section="Data")
    column: str = setting("", "h")
    workers: int = setting(4, "h")
    wait: float = setting(0.0, "h", section="Machine")


def test_a_section_may_be_continued_after_those_of_a_base_class() -> None:
    by_section = {section: [field.name for field in fields] for section, fields in fields_by_section(Extended).items()}
    assert by_section == {"Data": ["folder", "table", "column"], "Machine": ["device", "workers", "wait"]}
    assert list(as_dict(Extended())) == ["folder", "table", "column", "device", "workers", "wait"]
    assert names_in_sections(Extended, ["Machine"]) == ["device", "workers", "wait"]
    assert list(fields_by_section(Toy)) == [""]


def test_contradictions_are_optional() -> None:
    assert build(Extended, []) == Extended()
