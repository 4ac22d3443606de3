"""Parsing of the setting `attributes`."""

import re
import unicodedata
from typing import Any

import pytest
import yaml

from model.attributes import Attribute, banded
from model.data.label_forms import forms_from_config
from model.errors import InputError
from model.label_values import LabelRules
from model.labels import Scheme


def test_schemes_are_read_from_yaml() -> None:
    given = yaml.safe_load(
        """
        mask: [worn, incorrect, none]
        age: {cuts: [30, 60]}
        years: {cuts: [18], names: [minor, adult], column: age}
        kind: {column: label, values: [0, 1, 'no']}
        """
    )
    scheme = Scheme(tuple(form.attribute([]) for form in forms_from_config(given)))
    assert scheme.names == ("mask", "age", "years", "kind")
    assert scheme.attribute("age") == banded("age", (30, 60))
    assert scheme.attribute("years") == Attribute("years", ("minor", "adult"), (18.0,), "age")
    assert scheme.attribute("kind") == Attribute("kind", ("0", "1", "no"), (), "label")
    assert scheme.attribute("mask").column == "mask"


@pytest.mark.parametrize(
    "form, said",
    [
        ([], "at least two values"),
        (["one"], "at least two values"),
        ("worn", "expected a list of names, not 'worn'"),
        (None, "expected a list of names, not None"),
        (["a", "a"], "duplicate value 'a'"),
        (["a", ""], "empty name"),
        (["a", True], "YAML reads a value as True; write it in quotes"),
        (["a", None], "YAML reads a value as None"),
        ({"cuts": [30], "learn": "distribution"}, "needs sigma"),
        ({"value": ["a", "b"]}, "unknown key 'value', expected column, values, cuts"),
        ({"fold": True}, "nearest: fold_case"),
        ({"optional": 1}, "optional must be true or false, not 1"),
        (
            {"optional": True, "drop": [""]},
            'set either `drop: [""]`, which skips rows without a label, or `optional: true`',
        ),
        ({"fold_case": "yes"}, "fold_case must be true or false, not 'yes'"),
        ({"merge": ["a", "b"]}, "merge must be a mapping such as {new: [old, old]}, not ['a', 'b']"),
        ({"merge": {"new": [None]}}, "YAML reads a value as None"),
        ({"drop": [True]}, "YAML reads a value as True; write it in quotes"),
        ({"drop": ["a"], "merge": {"b": ["a"]}}, "'a' is a duplicate in drop and merge"),
        ({"merge": {"b": ["a"], "c": ["a"]}}, "'a' is a duplicate in drop and merge"),
        ({"values": ["a", "b"], "drop": ["a"]}, "the value 'a' is dropped or renamed"),
        ({"values": ["a", "b"], "merge": {"b": ["a"]}}, "the value 'a' is dropped or renamed"),
        ({"values": ["a", "A"], "fold_case": True}, "with fold_case the values A, a are the same"),
        ({"cuts": [30], "values": ["a", "b"]}, "either values, or cuts"),
        ({"values": ["a", "b"], "names": ["x", "y"]}, "either values, or cuts"),
        ({"cuts": [60, 30]}, "cuts must be increasing"),
        ({"cuts": [30, 30]}, "cuts must be increasing"),
        ({"cuts": [float("nan")]}, "cuts must be increasing"),
        ({"cuts": []}, "cuts must have at least one number"),
        ({"cuts": 30}, "cuts must be numbers, not 30"),
        ({"cuts": ["x"]}, "cuts must be numbers"),
        ({"cuts": [30], "names": ["a", "b", "c"]}, "1 cuts make 2 bands, but there are 3 names"),
    ],
)
def test_invalid_attributes_are_errors(form: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        forms_from_config({"kind": form})
    assert "'kind'" in str(caught.value)


def test_all_invalid_attributes_are_reported_together() -> None:
    with pytest.raises(InputError, match=r"'a'.*'b'"):
        forms_from_config({"a": [], "b": ["x", "x"], "c": ["x", "y"]})


def test_names_of_attributes_and_values_are_normalised() -> None:
    apart = unicodedata.normalize("NFD", "착용샷")
    (form,) = forms_from_config({apart: [apart, "하의"]})
    assert (form.name, form.values) == ("착용샷", ("착용샷", "하의"))


@pytest.mark.parametrize("form", [{}, {"column": "kind"}])
def test_values_are_collected_from_labels(form: dict[str, Any]) -> None:
    (entry,) = forms_from_config({"kind": form})
    assert entry.finds_values
    assert entry.attribute(["b", "a", "", "b"]) == Attribute("kind", ("a", "b"))
    with pytest.raises(InputError, match="attribute 'kind': column kind contains only a"):
        entry.attribute(["a", "a", ""])


def test_rules_are_applied_before_values_are_collected() -> None:
    rules = {"drop": ["Skip", ""], "merge": {"Shirt": ["polo", "Tee"], "Other": "Hat"}, "fold_case": True}
    (form,) = forms_from_config({"kind": rules})
    assert form.rules == LabelRules(("Skip", ""), (("polo", "Shirt"), ("Tee", "Shirt"), ("Hat", "Other")), True)
    labels = ["Polo", "tee", "Pants", "pants", "pants", "", "skip", "HAT"]
    assert form.attribute(labels).values == ("Other", "Shirt", "pants")
    assert form.unused_rules(labels) == []


def test_unused_labels_in_drop_and_merge_are_reported_with_the_nearest() -> None:
    (form,) = forms_from_config({"kind": {"drop": ["Not sur", ""], "merge": {"Shirt": ["Polo"]}}})
    assert form.unused_rules(["Not sure", "Polo"]) == [
        "attribute 'kind': 'Not sur' is in drop or merge, but not in column kind; nearest: Not sure"
    ]


def test_listed_values_are_kept_with_rules() -> None:
    (form,) = forms_from_config({"kind": {"values": ["b", "a"], "merge": {"a": ["c"]}, "drop": ["d"]}})
    assert form.attribute(["a", "c", "d", "e"]).values == ("b", "a")
