"""The folds of --clean: which images they are trained on. tests/test_clean.py has whole jobs."""

from __future__ import annotations

import numpy as np
import pytest

from model.cleaning.agreement import AgreementRule
from model.data.channel import read_channel
from model.data.corrections import Correction
from model.errors import InputError, Problems
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.cleaning import FOLDS, Decisions, cleaned_plan, make_cleaning
from model.training.plan import Plan, make_plan


@pytest.fixture(scope="module")
def table(faces):
    problems = Problems("")
    table = read_channel(faces / "train", problems)
    assert not problems
    return table


def plan(table, **values) -> tuple[TrainSettings, Plan]:
    settings = build(TrainSettings, [Layer("{}", {"clean": "auto", **values})])
    return settings, make_plan(settings, table, None)


@pytest.mark.parametrize("target", ["joint", "heads", "separate", "gender"])
@pytest.mark.parametrize("folds", [0, 3])
def test_the_folds_of_a_split_never_have_its_validation_images(table, target, folds):
    settings, whole = plan(table, target=target, folds=folds)
    cleaning = make_cleaning(settings, whole, table)
    assert cleaning is not None and [job.split for job in cleaning.jobs] == list(whole.splits)
    assert cleaning.identity() == {"clean": "auto"} and cleaning.rule == AgreementRule()
    for job in cleaning.jobs:
        datasets = whole.splits[job.split]
        held_out = set(datasets.validation.groups)
        seen = {
            group
            for run in job.plan.runs
            for side in (run.datasets.train, run.datasets.validation)
            for group in side.groups
        }
        assert seen == set(datasets.train.groups) and not seen & held_out
        models = (3 if target == "separate" else 1) * (folds or FOLDS)
        assert len(job.plan.runs) == models and job.plan.folds is not None


def test_only_training_labels_are_changed(table):
    _, whole = plan(table)
    datasets = whole.splits[""]
    groups = datasets.train.groups[0], datasets.validation.groups[0]
    changes = [Correction("", group, "", "delete") for group in groups]
    cleaned = cleaned_plan(whole, {"": Decisions(changes, {"left_out": 7})}).runs[0].datasets
    assert len(cleaned.train) == len(datasets.train) - 7 and len(cleaned.validation) == len(datasets.validation)
    assert cleaned.summary()["cleaning"] == {"left_out": 7} and cleaned.content_ids() == datasets.content_ids()
    assert np.array_equal(cleaned.validation.classes(), datasets.validation.classes())


def test_corrections_of_other_attributes_do_not_apply_to_a_separate_model(table):
    _, whole = plan(table, target="separate")
    group = whole.splits[""].train.groups[0]
    given = whole.splits[""].train.labels["gender"].to_numpy()[0]
    value = whole.channel.only("gender").attributes[0].values[1 - given]
    change = Correction("", group, "gender", "relabel", value)
    runs = cleaned_plan(whole, {"": Decisions([change], {})}).runs
    mask, gender, age = (run.datasets for run in runs)
    assert (gender.train.labels["gender"] != gender.given.labels["gender"]).sum() == 7
    assert mask.train.fingerprint() == mask.given.fingerprint() and age.train.fingerprint() == age.given.fingerprint()


def test_too_few_groups_for_the_folds_are_an_error_before_training(table):
    settings, whole = plan(table.take(np.arange(28)), validation=0)
    with pytest.raises(InputError, match="5 folds require at least 5 groups, not 4"):
        make_cleaning(settings, whole, table)
    assert make_cleaning(build(TrainSettings, []), whole, table) is None
