"""Prediction from Python. tests/test_inference.py compares it with inference.py."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.artifacts.archive import pack
from model.attributes import Attribute
from model.decisions import Decision
from model.errors import InputError
from model.labels import Scheme
from model.prediction import predict as predict_of_package
from model.prediction.api import Model, _answer_frame, predict


def test_predict_expects_a_list_of_images():
    with pytest.raises(InputError, match="expected a list of images"):
        predict("no-model", "a.jpg")


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_an_array_that_is_no_image_is_reported_with_its_row_type_and_shape(array):
    expected = f"image 1 is an array of type {array.dtype} and shape {array.shape}; expected type uint8"
    with pytest.raises(InputError, match=re.escape(expected)):
        predict("no-model", ["a.jpg", array])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tta_mode": "votes"}, "tta_mode = 'votes': expected one of soft, vote"),
        ({"num_tta": 0}, "num_tta = 0: expected at least 1"),
        ({"num_ttas": 2}, "num_ttas: there is no such setting; nearest: num_tta"),
        ({"tta": 2}, "nearest: num_tta"),
        (
            {"max_pixels": 2},
            "predict has no setting max_pixels; its settings are num_tta, tta_mode, seed, batch_size, device",
        ),
    ],
)
def test_settings_are_checked_before_the_model_is_loaded(settings, message):
    with pytest.raises(InputError, match=message):
        predict("no-model", ["a.jpg"], **settings)


def test_a_loaded_model_checks_its_own_settings(models):
    with pytest.raises(InputError, match="devise: there is no such setting; nearest: device"):
        Model(models / "a", devise="cpu")
    with pytest.raises(InputError, match=r"Model\.predict has no setting device; its settings are num_tta"):
        Model(models / "a", device="cpu").predict([], device="cuda")


def test_predict_is_a_name_of_the_package():
    assert predict_of_package is predict


def test_one_row_per_image_has_class_attributes_and_probabilities():
    scheme = Scheme((Attribute("kind", ("cat", "dog")), Attribute("size", ("small", "large"))))
    probabilities = np.float32([[0.1, 0.2, 0.6, 0.1], [np.nan] * 4, [0, 0, 0, 1]])
    frame = _answer_frame(["a", "b", "2"], probabilities, ["", "no such file", ""], scheme, Decision())
    assert frame.columns.tolist() == [
        "picture", "class", "name", "kind", "size", "error", "cat/small", "cat/large", "dog/small", "dog/large",
    ]  # fmt: skip
    assert frame["class"].dtype == "Int64" and frame["class"].isna().tolist() == [False, True, False]
    assert frame["class"].dropna().tolist() == [2, 3] and frame["picture"].tolist() == ["a", "b", "2"]
    assert frame["name"].tolist() == ["dog/small", "", "dog/large"]
    assert frame[["kind", "size"]].to_numpy().tolist() == [["dog", "small"], ["", ""], ["dog", "large"]]
    assert frame["error"].tolist() == ["", "no such file", ""] and frame.attrs == {"num_classes": 4}
    np.testing.assert_array_equal(frame[scheme.class_names], probabilities)
    assert (frame.dtypes[scheme.class_names] == np.float32).all()


def test_the_class_is_that_of_the_decision_and_an_unreadable_image_has_none():
    scheme = Scheme((Attribute("kind", ("cat", "dog")),))
    probabilities = np.float32([[0.7, 0.3], [np.nan, np.nan], [0.9, 0.1]])
    frame = _answer_frame(["a", "b", "c"], probabilities, ["", "gone", ""], scheme, Decision(biases=(0.0, 1.0)))
    assert frame["name"].tolist() == ["dog", "", "cat"] and frame["class"].isna().tolist() == [False, True, False]


def test_one_attribute_has_no_column_in_addition_to_the_name():
    scheme = Scheme((Attribute("kind", ("cat", "dog")),))
    frame = _answer_frame(["a"], np.float32([[0.3, 0.7]]), [""], scheme, Decision())
    assert frame.columns.tolist() == ["picture", "class", "name", "error", "cat", "dog"]
    assert pd.api.types.is_integer_dtype(frame["class"]) and frame["name"][0] == "dog"


def test_a_loaded_model_predicts_paths_bytes_images_and_arrays_alike(models, pictures):
    model = Model(models / "b", device="cpu", precision="fp32")
    path = pictures[0]
    image = Image.open(path).convert("RGB")
    frame = model.predict([path, path.read_bytes(), image, np.asarray(image), np.asarray(image)[:, :, ::-1]])
    probabilities = frame[model.classes].to_numpy()
    np.testing.assert_allclose(probabilities[1:4], probabilities[[0, 0, 0]], atol=1e-6)
    assert np.abs(probabilities[4] - probabilities[0]).max() > 1e-5  # the colours are swapped
    assert frame["picture"].tolist() == [str(path), "1", "2", "3", "4"]
    assert model.attributes["mask"] == ["worn", "incorrect", "none"]
    grey = np.asarray(image.convert("L"))
    pd.testing.assert_frame_equal(model.predict([grey]), model.predict([np.dstack([grey] * 3)]))


def test_views_are_chosen_at_each_call_and_equal_those_of_the_function(models, pictures):
    model = Model(models / "a", device="cpu", precision="fp32")
    paths = pictures[:3]
    for settings in ({}, {"num_tta": 3}, {"num_tta": 3, "tta_mode": "vote", "seed": 5, "batch_size": 3}):
        expected = predict(models / "a", paths, device="cpu", precision="fp32", **settings)
        pd.testing.assert_frame_equal(model.predict(paths, **settings), expected)
        pd.testing.assert_frame_equal(predict(model, paths, **settings), expected)


def test_a_pickled_model_is_small_and_loads_again_with_its_settings(models, pictures, tmp_path):
    pack(models / "a", tmp_path / "model.tar.gz")
    model = Model(tmp_path / "model.tar.gz", device="cpu", precision="fp32")
    pickled = pickle.dumps(model)
    assert len(pickled) < 1_000
    again = pickle.loads(pickled)
    assert str(again) == str(model) and "fp32" in str(model) and "18 classes" in str(model)
    paths = pictures[:2]
    pd.testing.assert_frame_equal(again.predict(paths), model.predict(paths))
