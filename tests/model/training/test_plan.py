from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.artifacts.ensemble import PRODUCT, SOFT
from model.data.channel import read_channel
from model.data.table import Table
from model.decisions import Decision
from model.errors import InputError, Problems
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.plan import EnsembleSpec, Plan, make_plan


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def plan(table: Table, validation: Table | None = None, **values: object) -> Plan:
    return make_plan(build(TrainSettings, [Layer("{}", values)]), table, validation)


def test_one_model_has_no_folder_of_its_own_and_no_ensemble(table):
    single = plan(table, target="gender")
    assert single.is_single and [run.folder for run in single.runs] == [""]
    assert single.runs[0].datasets.train.scheme.names == ("gender",) == single.table.scheme.names
    assert single.channel.names == ("mask", "gender", "age") and single.folds is None


def test_folds_hold_out_each_group_once(table):
    folds = plan(table, folds=3)
    assert [run.folder for run in folds.runs] == ["fold1", "fold2", "fold3"]
    assert folds.ensembles == [EnsembleSpec("", ["fold1", "fold2", "fold3"], SOFT, Decision())]
    held_out = [set(run.datasets.validation.groups) for run in folds.runs]
    assert set.union(*held_out) == set(table.groups) and sum(map(len, held_out)) == len(set(table.groups))
    for run in folds.runs:
        assert not set(run.datasets.train.groups) & set(run.datasets.validation.groups)
        np.testing.assert_array_equal(run.datasets.validation.groups, table.groups[folds.folds == run.fold])


def test_settings_of_separate_models_are_named_in_any_spelling(table):
    own = {"AGE": {"Batch-Size": 8, "optimizer-args": {"beta-1": 0.5}}}
    runs = plan(table, target="separate", separate=own).runs
    assert [run.settings.batch_size for run in runs] == [64, 64, 8]
    assert runs[2].settings.optimizer_args == {"beta_1": 0.5}
    with pytest.raises(InputError, match=r"separate: age: batch_sise cannot be .* nearest: batch_size"):
        plan(table, target="separate", separate={"age": {"batch-sise": 8}})
    with pytest.raises(InputError, match="'Age' is not an attribute"):
        plan(table, target="separate", separate={"age": {"lr": 1}, "Age": {"lr": 2}})


def test_separate_models_hold_out_the_same_groups_and_have_their_own_settings(table):
    separate = plan(table, target="separate", separate={"age": {"lr": 0.5}}, lr=0.1, num_classes=18)
    assert [(run.folder, run.settings.target, run.settings.lr) for run in separate.runs] == [
        ("mask", "mask", 0.1),
        ("gender", "gender", 0.1),
        ("age", "age", 0.5),
    ]
    assert {run.settings.num_classes for run in separate.runs} == {0}
    assert len({tuple(run.datasets.validation.groups) for run in separate.runs}) == 1
    assert separate.ensembles == [EnsembleSpec("", ["mask", "gender", "age"], PRODUCT, Decision())]


def test_the_decision_belongs_to_the_outermost_model(table):
    """With target separate the ensemble of attributes, whose classes are joint; otherwise each model and their mean."""
    args = {"temperature": 2, "biases": [0.5, *[0] * 17]}
    decision = Decision(2.0, (0.5, *[0.0] * 17))
    folds = plan(table, folds=2, decision_args=args)
    assert folds.decision == decision and [spec.decision for spec in folds.ensembles] == [decision]
    assert all(run.settings.decision_args == args for run in folds.runs)
    separate = plan(table, target="separate", folds=2, decision_args=args)
    assert [spec.decision for spec in separate.ensembles] == [Decision()] * 3 + [decision]
    assert separate.decision == decision and all(run.settings.decision_args == {} for run in separate.runs)


def test_a_wrong_number_of_biases_names_the_classes(table):
    message = "decision_args: biases: expected 2, one per class, not 3; the classes are male, female"
    with pytest.raises(InputError, match=message):
        plan(table, target="gender", decision_args={"biases": [0, 1, 2]})
    with pytest.raises(InputError, match="biases: expected 18, one per class, not 2"):
        plan(table, target="separate", decision_args={"biases": [0, 1]})
    with pytest.raises(InputError, match="decision cannot be set per attribute"):
        plan(table, target="separate", separate={"age": {"decision": "argmax"}})


def test_folds_of_each_attribute_form_an_ensemble_and_the_attributes_another(table):
    both = plan(table, target="separate", folds=2)
    assert [run.folder for run in both.runs] == [
        f"{name}/fold{n}" for name in ("mask", "gender", "age") for n in (1, 2)
    ]
    assert [(spec.folder, spec.combine) for spec in both.ensembles] == [
        ("mask", SOFT),
        ("gender", SOFT),
        ("age", SOFT),
        ("", PRODUCT),
    ]


def test_problems_of_all_attributes_are_reported_together(table):
    own = {"agee": {}, "mask": 3, "age": {"lr": -1}, "gender": {"layout": "csv"}}
    with pytest.raises(InputError) as error:
        plan(table, target="separate", separate=own)
    text = str(error.value)
    assert "'agee' is not an attribute" in text and "separate: mask: expected settings by name, not 3" in text
    assert "age: lr = -1: expected at least 0" in text and "layout cannot be set per attribute" in text


def test_separate_needs_two_attributes_and_folds_allow_no_validation_channel(table):
    with pytest.raises(InputError, match="needs at least two attributes; the channel has only gender"):
        plan(plan(table, target="gender").table, target="separate")
    with pytest.raises(InputError, match="folds and a validation channel cannot be combined"):
        plan(table, validation=table, folds=2)


@pytest.mark.parametrize("further", [{"target": "heads"}, {"target": "age", "folds": 2}, {"target": "separate"}])
def test_numbers_that_are_learned_identify_the_data(table, further):
    """Other ages in the same bands: the labels are equal, but not the targets."""
    ages = table.numbers["age"].to_numpy(np.float64).copy()
    ages[ages >= 60] += 1
    other = replace(table, numbers=table.numbers.assign(age=ages))
    assert (ages != table.numbers["age"]).any() and other.fingerprint() == table.fingerprint()
    before, after = (plan(own, **further, age_sigma=4).identity() for own in (table, other))
    assert {name for name in before if before[name] != after[name]} == {"numbers"}
    assert before == plan(table, **further, age_sigma=4).identity()
    plain = plan(table, **further).identity()
    assert plain == plan(other, **further).identity() and "numbers" not in plain
    assert "numbers" not in plan(table, target="gender", age_sigma=4).identity()
