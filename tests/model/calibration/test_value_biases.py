"""Biases of classes as sums of those of attribute values."""

import numpy as np
import pytest

from model.calibration.value_biases import ValueBiases
from model.labels import mask_scheme


def test_the_bias_of_a_class_is_the_sum_of_those_of_its_values():
    scheme = mask_scheme()
    structure = ValueBiases(scheme)
    values = np.random.default_rng(0).normal(size=8)
    biases = structure.of_classes(values)
    for joint in range(18):
        codes = scheme.split(joint)
        expected = values[codes["mask"]] + values[3 + codes["gender"]] + values[5 + codes["age"]]
        assert biases[joint] == pytest.approx(expected)


def test_centred_values_differ_from_the_biases_by_a_constant():
    structure = ValueBiases(mask_scheme())
    values = np.random.default_rng(0).normal(size=8)
    centred = structure.centred(values)
    assert [part.sum() for part in np.split(centred, [3, 5])] == pytest.approx([0, 0, 0])
    difference = structure.of_classes(values) - structure.of_classes(centred)
    assert np.ptp(difference) < 1e-12
