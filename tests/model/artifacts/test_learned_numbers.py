"""The numbers of ensembles, from those of their members; tests/test_numbers.py has those of whole models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.artifacts.ensemble import Ensemble, make_ensemble
from model.artifacts.learned_numbers import combine_numbers, number_names
from model.artifacts.saved_model import SavedModel
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme, target_scheme
from model.network.heads import make_heads
from model.network.number_bins import NumberBins
from model.settings.train import TrainSettings

BINS = NumberBins((0.0, 30.0, 60.0, 90.0), (30.0, 60.0), 0.5, 5.0)


def model(target: str = "heads", has_bins: bool = True) -> SavedModel:
    scheme = target_scheme(mask_scheme(), target)
    heads = make_heads(scheme, target, lambda head, classes: classes, bins={"age": BINS} if has_bins else {})
    return SavedModel(Path(target), TrainSettings(), heads, InputPipeline(Preprocessing(8, 8)), {})


def combined(ensemble: SavedModel | Ensemble, *ages: float | None) -> dict[str, list[float]]:
    numbers = iter([{} if age is None else {"age": np.float32([age, age + 1])} for age in ages])
    result = combine_numbers(ensemble, numbers)
    assert next(numbers, None) is None  # each model's numbers were taken
    return {name: values.tolist() for name, values in result.items()}


def soft(*members: SavedModel | Ensemble, weights: tuple[float, ...]) -> Ensemble:
    return make_ensemble(Path("soft"), members, weights, "soft")


def test_those_of_a_model_are_its_own():
    assert number_names(model()) == ("age",) and combined(model(), 40) == {"age": [40, 41]}
    assert number_names(model(has_bins=False)) == () and combined(model(has_bins=False), None) == {}


def test_members_are_weighted_and_one_without_a_number_is_left_out():
    ensemble = soft(model(), model(has_bins=False), model(), weights=(3, 5, 1))
    assert combined(ensemble, 20, None, 60) == {"age": pytest.approx([30, 31])}
    vote = replace(ensemble, combine="vote")
    assert combined(vote, 20, None, 60) == {"age": pytest.approx([30, 31])}


def test_a_number_that_only_members_of_weight_0_estimate_is_unknown():
    ensemble = soft(model(), model(has_bins=False), weights=(0, 1))
    assert number_names(ensemble) == () and combined(ensemble, 20, None) == {}


def test_members_for_different_attributes_keep_theirs_and_ensembles_may_be_members():
    product = make_ensemble(Path("p"), [model("age"), model("mask"), model("gender")], (0, 1, 1), "product")
    assert number_names(product) == ("age",) and combined(product, 20, None, None) == {"age": [20, 21]}
    folds = soft(model("age"), model("age"), weights=(1, 1))
    outer = make_ensemble(Path("p"), [model("mask"), model("gender"), folds], (1, 1, 1), "product")
    assert combined(outer, None, None, 20, 30) == {"age": [25, 26]}
