"""Columns of metadata: found in a table in any letter case; missing ones are reported together."""

from __future__ import annotations

import pandas as pd
import pytest

from model.data.image_locations import ImageLocations
from model.data.metadata import columns_of, require_columns, with_metadata
from model.data.prediction_input import PredictionInput
from model.errors import InputError
from model.images.image_location import ImageLocation
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.vocabulary import MetadataColumn, Vocabulary

FRAME = pd.DataFrame({"Kind": ["a", "b", ""], "kind": ["A", "B", ""], "SHOP": ["n", "", "s"]}, dtype="str")


def pipeline(*names: str) -> InputPipeline:
    vocabulary = Vocabulary(tuple(MetadataColumn(name, 2, ("a",)) for name in names)) if names else None
    return InputPipeline(Preprocessing(8, 8), vocabulary)


@pytest.fixture
def inputs() -> PredictionInput:
    rows = FRAME.drop(columns="Kind").assign(image=["0.png", "1.png", "2.png"])
    return PredictionInput(rows, "image", ImageLocations(ImageLocation(name) for name in rows["image"]))


def test_the_same_letter_case_is_preferred():
    assert columns_of(FRAME, ["shop", "kind"]) == {"shop": ["n", "", "s"], "kind": ["A", "B", ""]}
    assert columns_of(FRAME, ["Kind", "KIND", "price"]).keys() == {"Kind", "KIND"}


def test_all_missing_columns_are_in_one_message():
    require_columns(FRAME, ["shop", "KIND"], "info.csv")
    with pytest.raises(InputError) as error:
        require_columns(FRAME, ["kind", "shopp", "price"], "info.csv", "; advice")
    assert str(error.value) == (
        "info.csv: the model also reads metadata, of which the columns 'shopp' (nearest: SHOP), 'price' are missing; "
        "its columns are Kind, kind, SHOP; advice"
    )
    with pytest.raises(InputError, match="of which the column 'kind' is missing; it has no columns"):
        require_columns(pd.DataFrame(), ["kind"], "info.csv")


def test_inputs_have_the_columns_of_all_models(inputs, caplog):
    assert with_metadata(inputs, [pipeline(), pipeline()], True, "eval") is inputs
    found = with_metadata(inputs, [pipeline("kind"), pipeline(), pipeline("shop", "kind")], True, "eval")
    assert found.metadata.to_dict("list") == {"kind": ["A", "B", ""], "shop": ["n", "", "s"]}
    assert found.take([2, 0]).metadata.to_dict("list") == {"kind": ["", "A"], "shop": ["s", "n"]}
    assert found.part(1, 2).metadata["kind"].tolist() == ["B"] and not caplog.records


def test_a_column_that_is_not_required_is_left_out_and_logged(inputs, caplog):
    with pytest.raises(InputError, match=r"eval: .*'price'.*--missing_metadata unknown predicts without"):
        with_metadata(inputs, [pipeline("kind", "price")], True, "eval")
    found = with_metadata(inputs, [pipeline("kind", "price")], False, "eval")
    assert list(found.metadata) == ["kind"] and "eval: predicted without the metadata price" in caplog.text
    nothing = with_metadata(inputs, [pipeline("price")], False, "eval")
    assert len(nothing.metadata) == 3 and nothing.take([1]).metadata.empty
