"""Out-of-fold predictions, read for the rows of a channel."""

import json

import numpy as np
import pandas as pd
import pytest

from model.attributes import Attribute
from model.cleaning.predicted import read_predicted
from model.errors import InputError
from model.labels import Scheme
from tests.model.cleaning.conftest import make_table


@pytest.fixture
def table():
    return make_table({"a": [0, 1, 0], "b": [2, 1, 0]}, ["x", "y", "z"])


def write(folder, table, scheme=None, held_out="out_of_fold", rows=slice(None), **changed):
    scheme = scheme or table.scheme
    joint = np.random.default_rng(0).dirichlet(np.ones(scheme.num_classes), len(table))
    frame = pd.DataFrame(joint, columns=scheme.class_names)
    frame.insert(0, "ImageID", table.locations.paths)
    frame.iloc[rows].iloc[::-1].to_csv(folder / "probabilities.csv", index=False)
    labels = scheme.to_dict() | ({"held_out": held_out} if held_out else {}) | changed
    (folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    return joint


def test_probabilities_are_summed_by_attribute_and_aligned_with_the_rows(tmp_path, table):
    tmp_path /= "out_of_fold"
    tmp_path.mkdir()
    joint = write(tmp_path, table).reshape(3, 2, 3)
    found = read_predicted(tmp_path, table)
    assert read_predicted(tmp_path.parent, table).keys() == found.keys()  # the output folder of the run
    np.testing.assert_allclose(found["a"], joint.sum(axis=2))
    np.testing.assert_allclose(found["b"], joint.sum(axis=1))


def test_predictions_of_one_attribute_or_of_some_images_are_enough(tmp_path, table):
    write(tmp_path, table, scheme=table.scheme.only("b"), rows=slice(0, 2), held_out="validation")
    found = read_predicted(tmp_path, table)
    assert set(found) == {"b"} and np.isnan(found["b"][2]).all() and np.isfinite(found["b"][:2]).all()


def test_predictions_of_training_images_are_refused(tmp_path, table):
    write(tmp_path, table, held_out="")
    with pytest.raises(InputError, match="not out of fold"):
        read_predicted(tmp_path, table)


def test_other_classes_attributes_and_images_are_named(tmp_path, table):
    scheme = Scheme((Attribute("a", ("v1", "v0")), Attribute("c", ("x", "y", "z"))))
    write(tmp_path, table, scheme=scheme)
    with pytest.raises(InputError, match=r"a: v1, v0; the channel has v0, v1(.|\n)*c; the channel has a, b"):
        read_predicted(tmp_path, table)
    write(tmp_path, table)
    other = make_table({"a": [0, 1], "b": [2, 1]}, ["p", "q"])
    with pytest.raises(InputError, match=r"names no image of channel: 'images/p/00000\.jpg' of the channel"):
        read_predicted(tmp_path, other)


def test_missing_files_and_columns_are_named(tmp_path, table):
    with pytest.raises(InputError, match=r"labels\.json(.|\n)*probabilities\.csv: no such file"):
        read_predicted(tmp_path, table)
    write(tmp_path, table)
    frame = pd.read_csv(tmp_path / "probabilities.csv")
    frame.iloc[:, :-1].to_csv(tmp_path / "probabilities.csv", index=False)
    with pytest.raises(InputError, match="5 columns of classes, expected one for each of the 6 classes"):
        read_predicted(tmp_path, table)
