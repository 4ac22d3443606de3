"""Label schemes: classes, names, table values, and the forms of the setting `attributes`."""

import json
import unicodedata
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InputError
from model.label_values import INDICES, NAMES, LabelRules
from model.labels import (
    DROPPED,
    Attribute,
    Scheme,
    band_names,
    banded,
    mask_scheme,
    normal_text,
    target_scheme,
)


def test_the_mask_scheme_is_the_competitions() -> None:
    """class = mask*6 + gender*3 + age, ages cut at 30 and 60."""
    scheme = mask_scheme()
    assert scheme.num_classes == 18
    for mask, gender, age in np.ndindex(3, 2, 3):
        codes = {"mask": mask, "gender": gender, "age": age}
        assert scheme.joint(codes) == mask * 6 + gender * 3 + age
        assert scheme.split(mask * 6 + gender * 3 + age) == codes
    assert scheme.class_names[0] == "worn/male/under 30"
    assert scheme.class_names[8] == "incorrect/male/60 and over"
    assert scheme.class_names[17] == "none/female/60 and over"
    assert scheme.to_dict()["joint"] == "mask*6 + gender*3 + age"
    assert [scheme.attribute("age").band(age) for age in (0, 29, 29.9, 30, 59, 60, 100)] == [0, 0, 0, 1, 1, 2, 2]
    assert mask_scheme((30, 58)).attribute("age").band(58) == 2


def test_classes_are_joined_and_taken_apart_as_arrays_and_tensors() -> None:
    scheme = mask_scheme()
    joint = np.arange(18).reshape(3, 6)
    codes = scheme.split(joint)
    assert list(codes) == ["mask", "gender", "age"]
    assert (codes["mask"] == joint // 6).all() and (codes["gender"] == joint // 3 % 2).all()
    assert (scheme.joint(codes) == joint).all()
    tensor = torch.arange(18)
    assert torch.equal(scheme.joint(scheme.split(tensor)), tensor)
    assert scheme.split(tensor)["age"].dtype == torch.int64


def test_a_target_learns_all_attributes_or_one() -> None:
    scheme = mask_scheme()
    assert target_scheme(scheme, "joint") == target_scheme(scheme, "heads") == scheme
    assert target_scheme(scheme, "age").attributes == (scheme.attribute("age"),)
    with pytest.raises(InputError, match="nearest: gender"):
        target_scheme(scheme, "gendre")


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_taking_apart_is_the_inverse_of_joining(sizes: list[int], data: Any) -> None:
    scheme = Scheme(tuple(Attribute(f"a{i}", tuple(f"v{j}" for j in range(n))) for i, n in enumerate(sizes)))
    codes = {f"a{i}": data.draw(st.integers(0, n - 1)) for i, n in enumerate(sizes)}
    joint = scheme.joint(codes)
    assert joint == np.ravel_multi_index(tuple(codes.values()), tuple(sizes))
    assert scheme.split(joint) == codes
    assert scheme.class_names[joint] == "/".join(f"v{code}" for code in codes.values())
    assert scheme.read([scheme.class_names[joint]], (NAMES,)).codes == {scheme.class_names[joint]: joint}
    assert scheme.read([str(joint)], (INDICES,)).codes == {str(joint): joint}


def codes(attribute: Attribute, *labels: str, readings: tuple[str, ...] = (NAMES,)) -> list[int]:
    """The classes of a column in which every label is known."""
    read = attribute.read(labels, readings)
    assert not read.unknown
    return [read.codes[label] for label in labels]


def test_numbers_are_cut_into_bands_beside_names_of_bands() -> None:
    age = mask_scheme().attribute("age")
    read = age.read(["45", "45.5", "60", "6e1", "under 30"])
    assert read.codes == {"45": 1, "45.5": 1, "60": 2, "6e1": 2, "under 30": 0}
    assert read.numbers == {"45": 45.0, "45.5": 45.5, "60": 60.0, "6e1": 60.0}


def test_bands_whose_names_are_numbers_are_named_by_whole_columns_only() -> None:
    band = banded("age", (18, 65), ("1", "2", "3"))
    assert codes(band, "1", "2", "3") == [0, 1, 2] and codes(band, "1", "2", "70") == [0, 0, 2]


def test_a_column_holds_names_or_indices() -> None:
    mask = mask_scheme().attribute("mask")
    assert codes(mask, "incorrect", "none", readings=(NAMES, INDICES)) == [1, 2]
    assert codes(mask, "2", "0.0", "01", readings=(NAMES, INDICES)) == [2, 0, 1]
    read = mask.read(["worn", "2", "worm"], (NAMES, INDICES))
    assert read.codes == {"worn": 0}
    assert read.unknown == {
        "2": "mask = '2', expected worn, incorrect, none or 0 to 2; a column holds either names or indices",
        "worm": "mask = 'worm', expected worn, incorrect, none or 0 to 2; nearest: worn",
    }
    assert mask_scheme().only("mask").read(["worn"], (NAMES,)).codes == {"worn": 0}


@pytest.mark.parametrize(
    "label", ["nan", "3", "-1", "1.5", "1e400", "True", "worm", "1_0", "1e0", "٢", "²", "0x1", "+1", "9" * 5000]
)
def test_labels_that_are_no_value_are_reported(label: str) -> None:
    read = mask_scheme().attribute("mask").read([label], (NAMES, INDICES))
    assert not read.codes and list(read.unknown) == [label]
    assert "expected worn, incorrect, none or 0 to 2" in read.unknown[label]


def test_a_mistyped_value_is_told_with_the_nearest() -> None:
    assert "`fold_case: true`" in mask_scheme().attribute("mask").read(["WORN"]).unknown["WORN"]
    assert "nearest: incorrect" in mask_scheme().attribute("mask").read(["incorect"]).unknown["incorect"]


@pytest.mark.parametrize("label", ["nan", "inf", "thirty", "1,5", "1_2", "٣", "1e400"])
def test_numbers_that_have_no_band_are_told(label: str) -> None:
    expected = f"age = {label!r}, expected a number or one of under 30, 30 to 59, 60 and over"
    assert mask_scheme().attribute("age").read([label]).unknown == {label: expected}


def test_rules_change_labels_before_they_are_looked_up() -> None:
    rules = LabelRules(("Skip", ""), (("Polo", "T-Shirt"), ("unknown", "Skip")), fold_case=True)
    attribute = Attribute("kind", ("T-Shirt", "Pants"), rules=rules)
    assert codes(attribute, "polo", " PANTS".strip(), "skip", "", "Unknown", "t-shirt") == [
        0, 1, DROPPED, DROPPED, DROPPED, 0,
    ]  # fmt: skip
    assert codes(attribute, "1", "0", "Skip", readings=(NAMES, INDICES)) == [1, 0, DROPPED]
    numbered = Attribute("kind", ("a", "b", "c"), rules=LabelRules(("2", "-1")))
    assert codes(numbered, "0", "2", "-1", readings=(NAMES, INDICES)) == [0, 2, DROPPED]  # 2 is an index here
    saved = json.loads(json.dumps(Scheme((attribute,)).to_dict()))
    assert Scheme.from_dict(saved) == Scheme((attribute,))
    assert saved["attributes"][0].keys() == {"name", "values", "cuts", "column", "drop", "merge", "fold_case"}
    assert mask_scheme().to_dict()["attributes"][0].keys() == {"name", "values", "cuts", "column"}


def test_names_are_compared_in_one_unicode_form() -> None:
    """macOS writes file names as NFD."""
    apart = unicodedata.normalize("NFD", "착용샷")
    assert apart != "착용샷" and normal_text(f" {apart}\n") == "착용샷"


def test_a_scheme_survives_json() -> None:
    for scheme in (
        mask_scheme((25.5, 60)),
        Scheme((Attribute("종류", ("상의", "하의"), (), "label"),)),
    ):
        saved = json.loads(json.dumps(scheme.to_dict(), ensure_ascii=False))
        assert Scheme.from_dict(saved) == scheme
        assert saved["classes"] == scheme.class_names
    assert hash(mask_scheme()) == hash(mask_scheme())


@pytest.mark.parametrize(
    "saved",
    [{}, [], {"attributes": []}, {"attributes": [{"name": "a"}]}, {"attributes": [{"name": "a", "values": []}]}],
)
def test_what_is_no_scheme_is_told(saved: Any) -> None:
    with pytest.raises(InputError, match=r"label scheme|no values"):
        Scheme.from_dict(saved)


def test_bands_are_named_by_their_cuts() -> None:
    assert band_names((30, 60)) == ("under 30", "30 to 59", "60 and over")
    assert band_names((30.5, 60)) == ("under 30.5", "30.5 to below 60", "60 and over")
    assert band_names((10,)) == ("under 10", "10 and over")
    assert banded("age", (30, 60), ("young", "middle", "old")).values == ("young", "middle", "old")


def test_schemes_whose_names_would_be_mixed_up_are_refused() -> None:
    with pytest.raises(InputError, match="at least one attribute"):
        Scheme(())
    with pytest.raises(InputError, match="names must differ"):
        Scheme((Attribute("a", ("x", "y")), Attribute("a", ("z", "w"))))
    with pytest.raises(InputError, match="two joint classes have one name"):
        Scheme((Attribute("a", ("x/y", "x")), Attribute("b", ("z", "y/z"))))
    with pytest.raises(InputError, match="'gendr' is not an attribute; there are mask, gender, age; nearest: gender"):
        mask_scheme().attribute("gendr")
