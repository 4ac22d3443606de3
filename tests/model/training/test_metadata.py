"""Metadata in training: columns of labels are refused, rare values warn, values identify a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.attributes import Attribute
from model.data.datasets import Datasets
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.errors import InputError
from model.images.image_location import ImageLocation
from model.labels import Scheme
from model.settings.train import TrainSettings
from model.training.metadata import check_metadata, log_vocabulary, make_vocabulary, metadata_identity

LABEL = Scheme((Attribute("label", ("x", "y")),))
SETTINGS = TrainSettings(fusion="concat", metadata_columns=["kind", "Shop"], metadata_min_count=2, metadata_dim=4)


def make_table(**metadata: list[str]) -> Table:
    rows = len(next(iter(metadata.values())))
    return Table(
        root=None,
        scheme=LABEL,
        locations=ImageLocations(ImageLocation(f"{row}.png") for row in range(rows)),
        groups=np.arange(rows).astype(str).astype(object),
        grouped_by="",
        labels=pd.DataFrame({"label": np.zeros(rows, np.int64)}),
        numbers=pd.DataFrame(index=range(rows)),
        metadata=pd.DataFrame(metadata, dtype="str"),
        source="train.csv",
    )


@pytest.mark.parametrize(
    ("scheme", "columns", "wrong"),
    [
        (LABEL, ["kind", "label"], r"label \(attribute label\)"),
        (LABEL, ["y_pred"], r"y_pred \(attribute label\)"),  # an only attribute `label` is read from it
        (Scheme((Attribute("kind", ("x", "y"), column="type"),)), ["Kind", "TYPE"], "Kind .*, TYPE"),
        (Scheme((Attribute("a", ("x", "y")), Attribute("b", ("x", "y")))), ["b"], "b .attribute b."),
    ],
)
def test_columns_of_labels_are_refused(scheme, columns, wrong):
    with pytest.raises(InputError, match=f"metadata_columns: {wrong}"):
        check_metadata(replace(SETTINGS, metadata_columns=columns), scheme)
    check_metadata(replace(SETTINGS, metadata_columns=columns, fusion="none"), scheme)


def test_other_columns_are_allowed():
    check_metadata(SETTINGS, LABEL)
    check_metadata(replace(SETTINGS, metadata_columns=["class"]), Scheme((Attribute("ill", ("x", "y")),)))


def test_the_vocabulary_is_of_the_training_images():
    table = make_table(kind=["a", "a", "b"], shop=["n", "s", "s"], other=["1", "1", "1"])
    vocabulary = make_vocabulary(SETTINGS, table)
    assert vocabulary is not None and vocabulary.names == ("kind", "Shop")
    assert [(column.values, column.size) for column in vocabulary.columns] == [(("a",), 4), (("s",), 4)]
    assert make_vocabulary(TrainSettings(), table) is None
    with pytest.raises(InputError, match="the column 'Shop' is missing"):
        make_vocabulary(SETTINGS, make_table(kind=["a"]))


def test_a_column_without_known_values_warns(caplog):
    vocabulary = make_vocabulary(SETTINGS, make_table(kind=["a", "a"], shop=["n", "s"]))
    with caplog.at_level("INFO"):
        log_vocabulary(vocabulary, 2)
    assert "metadata: kind (1 values), Shop (0 values)" in caplog.text
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("metadata column Shop has no effect: none of its values occurs in 2 training images")


def test_a_run_is_identified_by_the_values_that_it_reads():
    def identity(settings: TrainSettings = SETTINGS, validation: Table | None = None, **metadata: list[str]) -> dict:
        return metadata_identity(settings, Datasets(make_table(**metadata), validation))

    values = {"kind": ["a", "b"], "shop": ["n", "s"]}
    first = identity(**values)
    assert first.keys() == {"metadata"} and identity(TrainSettings(), **values) == {}
    assert identity(**values, other=["1", "2"]) == first
    different = [
        identity(kind=["a", "c"], shop=["n", "s"]),
        identity(kind=["b", "a"], shop=["n", "s"]),
        identity(replace(SETTINGS, metadata_columns=["kind"]), **values),
        identity(validation=make_table(**values), **values),
    ]
    assert len({one["metadata"] for one in (first, *different)}) == 5
