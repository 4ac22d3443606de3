"""Settings of fusion that contradict each other."""

from __future__ import annotations

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

ONLY = {"fusion": "metadata", "metadata_columns": "a"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fusion": "concat"}, "--fusion concat requires metadata_columns"),
        ({"metadata_dim": 8}, "metadata_dim is used only with --fusion concat or metadata"),
        ({"metadata_min_count": 2, "metadata_columns": "a"}, "metadata_min_count is used only with"),
        ({"metadata_dropout": 0.2}, "metadata_dropout is used only with"),
        ({**ONLY, "freeze": "backbone"}, "freeze is for the backbone"),
        ({**ONLY, "weights": "x.pth"}, "weights is for the backbone"),
        ({**ONLY, "adapter": "lora"}, "adapter is for the backbone, which --fusion metadata does not have"),
        ({**ONLY, "pooling": "attention"}, "pooling is for the backbone"),
        ({**ONLY, "layer_decay": 0.7}, "layer_decay is for the backbone"),
        ({**ONLY, "drop_path": 0.1}, "drop_path is for the backbone"),
        ({**ONLY, "classifier_init": "class_means"}, "classifier_init is for the backbone"),
        ({**ONLY, "freeze": "backbone", "feature_views": 2}, "feature_views is for the backbone"),
        ({"fusion": "concat", "metadata_columns": "a,b,a"}, "has a column twice: a b a"),
        ({"fusion": "concatenate", "metadata_columns": "a"}, "expected one of none, concat, metadata; nearest: concat"),
        ({"fusion": "concat", "metadata_columns": "a", "metadata_dropout": 1}, "expected at most 0.99"),
    ],
)
def test_contradictions(values, message):
    with pytest.raises(InputError, match=message):
        build(TrainSettings, [Layer("--{}", values)])


def test_columns_are_a_list_in_any_spelling():
    values = {"fusion": "concat", "metadata_columns": "a,b", "freeze": "backbone", "weights": "x.pth"}
    settings = build(TrainSettings, [Layer("--{}", values)])
    assert settings.metadata_columns == ["a", "b"]
    assert build(TrainSettings, [Layer("--{}", {"metadata_columns": ["a"]})]).fusion == "none"
