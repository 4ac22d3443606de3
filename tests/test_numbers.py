"""An age that is learned as a distribution, from training to the saved model and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.artifacts.ensemble import load, saved_models
from model.artifacts.saved_model import load_model
from model.network.number_bins import NumberBins

LEARNED = (
    "{mask: [worn, incorrect, none], gender: [male, female], age: {cuts: [30, 60], learn: distribution, sigma: 4}}"
)


@pytest.mark.parametrize("flags", [("--age_sigma", "4"), ("--attributes", LEARNED)], ids=["age_sigma", "attributes"])
def test_the_bins_are_saved_and_read_with_the_model(faces, run_train: Callable[..., Path], flags):
    saved = load_model(run_train(faces / "train", "--target", "heads", *flags))
    bins = [head.bins for head in saved.heads.heads]
    assert bins[:2] == [None, None] and isinstance(bins[2], NumberBins)
    assert bins[2].sigma == 4 and bins[2].cuts == (30, 60) and saved.heads.heads[2].outputs == len(bins[2])
    assert saved.scheme.num_classes == 18


def test_a_model_of_each_attribute_learns_the_distribution_in_its_own(faces, run_train: Callable[..., Path]):
    run = run_train(faces / "train", "--target", "separate", "--age_sigma", "4", "--augmentation", "mixup")
    ensemble = load(run)
    assert ensemble.scheme.names == ("mask", "gender", "age")
    assert [model.heads.number_names for model in saved_models(ensemble)] == [(), (), ("age",)]


def test_without_it_the_saved_labels_are_as_before(faces, run_train: Callable[..., Path]):
    heads = load_model(run_train(faces / "train", "--target", "heads")).heads
    assert [set(head) for head in heads.to_dict()["heads"]] == [{"name", "attributes", "classes", "outputs"}] * 3
    assert np.array_equal([head.outputs for head in heads.heads], [3, 2, 3])
