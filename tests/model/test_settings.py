import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.errors import InputError, Problems, did_you_mean, listing, nearest
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, as_dict, build, decode
from model.settings.inference import InferenceSettings, ServeSettings
from model.settings.train import TrainSettings

JOBS = (TrainSettings, InferenceSettings, EvaluationSettings, ServeSettings)


def train(**values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", values)])


@pytest.mark.parametrize("settings", JOBS)
def test_defaults_agree_with_their_own_rules(settings: type) -> None:
    assert build(settings, []) == settings()
    assert build(settings, [Layer("{}", as_dict(settings()))]) == settings()


@pytest.mark.parametrize("settings", JOBS)
def test_every_setting_is_written_as_text_and_read_again(settings: type) -> None:
    """As a hyperparameter of any type is: str() of the value."""
    made = settings()
    assert build(settings, [Layer("{}", {name: str(value) for name, value in as_dict(made).items()})]) == made


@pytest.mark.parametrize("settings", JOBS)
def test_every_setting_has_a_meaning_and_a_type_that_is_decoded(settings: type) -> None:
    for field in dataclasses.fields(settings):
        assert len(field.metadata["help"]) > 4
        if field.metadata["choices"] and isinstance(getattr(settings(), field.name), str):
            assert getattr(settings(), field.name) in field.metadata["choices"]


def test_the_sampler_names_its_strength() -> None:
    assert train(sampler="imbalanced").sampler_power == 1.0
    assert train().sampler_power == train(sampler="sqrt").sampler_power == 0.5
    assert train(sampler="none").sampler_power == 0.0
    assert train(sampler_strength="0.3").sampler_power == 0.3
    assert train(sampler_strength=0).sampler_power == 0.0


def test_what_cannot_change_the_result_may_differ_between_runs() -> None:
    same = set(as_dict(TrainSettings())) - set(as_dict(TrainSettings(), only_result=True))
    assert {"num_workers", "log_interval", "checkpoint_seconds", "resume", "name", "train_dir"} <= same
    assert not {"seed", "lr", "batch_size", "accumulate", "precision", "validation", "augmentation"} & same


@pytest.mark.parametrize(
    "values, said",
    [
        ({"sampler": "none", "sampler_strength": 0.5}, "sampler none has strength 0, not 0.5"),
        ({"class_weights": "given"}, "need each other"),
        ({"class_weight_values": "1 2"}, "need each other"),
        ({"input_size": "64 64 64"}, "height and width, not 3 numbers"),
        ({"channels": 2}, "3 .colour. or 1 .grey."),
        ({"normalisation": "given", "mean": "0.5", "std": "0.2 0.2 0.2"}, "needs mean with 3 numbers"),
        ({"mean": "0.5 0.5 0.5"}, "belong to normalisation given, not backbone"),
        ({"age_cuts": "60 30"}, "age_cuts must rise"),
        ({"age_cuts": "none"}, "age_cuts must rise"),
        ({"age_cuts": "30 58", "attributes": {"kind": ["a", "b"]}}, "age_cuts belongs to the mask scheme"),
        ({"heads": {"age": {"loss_weight": 2}}}, "heads belongs to target heads, not joint"),
        (
            {"target": "heads", "heads": {"age": {"los": "f1"}}},
            "heads: age: los: there is no such setting; nearest: loss",
        ),
        ({"target": "heads", "heads": {"age": 2}}, "age: expected a mapping"),
        ({"freeze_epochs": 3}, "freeze_epochs needs freeze"),
        ({"name": "a/b"}, "must be a folder's name"),
        ({"name": ".."}, "must be a folder's name"),
        ({"optimiser": "sgd"}, "no such setting; nearest: optimizer"),
        ({"loss": "focl"}, "expected one of focal, .*nearest: focal"),
        ({"validation": 1}, "at most 0.9"),
    ],
)
def test_settings_that_contradict_each_other_are_told(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(**values)


def test_the_ways_in_need_no_torch() -> None:
    """`python -m jobs --help` must come under half a second."""
    script = "import sys, model.settings, model.labels; print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_problems_are_told_by_kind_with_their_first_twenty_places() -> None:
    problems = Problems("channel train")
    problems.raise_if_any()
    assert not problems
    problems.add("cannot be read", "a.jpg: truncated")
    for row in range(1, 1027):
        problems.add("unknown label", f"train.csv row {row}")
    problems.add("cannot be read", "b.jpg: empty")
    with pytest.raises(InputError) as caught:
        problems.raise_if_any()
    lines = str(caught.value).splitlines()
    assert len(problems) == 1028
    assert lines[:5] == [
        "channel train: 1,028 problems",
        "  cannot be read (2):",
        "    a.jpg: truncated",
        "    b.jpg: empty",
        "  unknown label (1,026):",
    ]
    assert lines[5] == "    train.csv row 1" and lines[24] == "    train.csv row 20"
    assert lines[25:] == ["    ... and 1,006 more"]


def test_one_problem_is_one() -> None:
    problems = Problems("x")
    problems.add("kind", "place")
    assert str(problems) == "x: 1 problem\n  kind (1):\n    place"


def test_nearest_names() -> None:
    assert nearest("Bach_Size", ["batch_size", "epochs"]) == "batch_size"
    assert nearest("ADAM", ["AdamW", "sgd"]) == "AdamW"
    assert nearest("zzz", ["batch_size"]) is None and nearest("x", []) is None
    assert did_you_mean("epoch", ["epochs"]) == "; nearest: epochs" and did_you_mean("zzz", ["epochs"]) == ""
    assert listing(range(3)) == "0, 1, 2" and listing(range(1500), 2) == "0, 1 and 1,498 more"


def test_the_classic_augmentation_is_read_from_text() -> None:
    text = '{"flip": {}, "random_resized_crop": {"scale": [0.7, 1.0]}}'
    assert train(augmentation=text) == TrainSettings()
    assert decode(dict[str, dict[str, Any]], text) == TrainSettings().augmentation
    assert train(augmentation="none").augmentation == {}
