"""Attributes: reading a column of labels, rules, bands and their names."""

import json
import unicodedata

import pytest

from model import attributes
from model.attributes import DROPPED, Attribute, band_names, banded, normal_text
from model.label_values import INDICES, NAMES, LabelRules
from model.labels import Scheme, mask_scheme


def codes(attribute: Attribute, *labels: str, readings: tuple[str, ...] = (NAMES,)) -> list[int]:
    """The classes of a column in which every label is known."""
    read = attribute.read(labels, readings)
    assert not read.unknown
    return [read.codes[label] for label in labels]


def test_numbers_and_names_of_bands_are_read() -> None:
    age = mask_scheme().attribute("age")
    read = age.read(["45", "45.5", "60", "6e1", "under 30"])
    assert read.codes == {"45": 1, "45.5": 1, "60": 2, "6e1": 2, "under 30": 0}
    assert read.numbers == {"45": 45.0, "45.5": 45.5, "60": 60.0, "6e1": 60.0}


def test_band_names_that_are_numbers_are_only_read_if_every_label_is_a_name() -> None:
    band = banded("age", (18, 65), ("1", "2", "3"))
    assert codes(band, "1", "2", "3") == [0, 1, 2] and codes(band, "1", "2", "70") == [0, 0, 2]


def test_a_column_contains_either_names_or_indices() -> None:
    mask = mask_scheme().attribute("mask")
    assert codes(mask, "incorrect", "none", readings=(NAMES, INDICES)) == [1, 2]
    assert codes(mask, "2", "0.0", "01", readings=(NAMES, INDICES)) == [2, 0, 1]
    read = mask.read(["worn", "2", "worm"], (NAMES, INDICES))
    assert read.codes == {"worn": 0}
    assert read.unknown == {
        "2": "mask = '2', expected worn, incorrect, none or 0 to 2; a column must contain either names or indices",
        "worm": "mask = 'worm', expected worn, incorrect, none or 0 to 2; nearest: worn",
    }
    assert mask_scheme().only("mask").read(["worn"], (NAMES,)).codes == {"worn": 0}


@pytest.mark.parametrize(
    "label", ["nan", "3", "-1", "1.5", "1e400", "True", "worm", "1_0", "1e0", "٢", "²", "0x1", "+1", "9" * 5000]
)
def test_unknown_labels_are_reported(label: str) -> None:
    read = mask_scheme().attribute("mask").read([label], (NAMES, INDICES))
    assert not read.codes and list(read.unknown) == [label]
    assert "expected worn, incorrect, none or 0 to 2" in read.unknown[label]


def test_a_mistyped_value_is_reported_with_the_nearest() -> None:
    assert "`fold_case: true`" in mask_scheme().attribute("mask").read(["WORN"]).unknown["WORN"]
    assert "nearest: incorrect" in mask_scheme().attribute("mask").read(["incorect"]).unknown["incorect"]


def test_the_nearest_value_is_looked_up_only_for_listed_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(attributes, "did_you_mean", lambda name, _: asked.append(name) or "; nearest: worn")
    unknown = mask_scheme().attribute("mask").read([f"worm{number}" for number in range(100)]).unknown
    assert len(unknown) == 100 and not asked and "worm100" not in unknown
    assert unknown["worm70"].endswith("; nearest: worn")
    assert [sentence.endswith("; nearest: worn") for sentence in unknown.values()] == [
        number < 19 or number == 70 for number in range(100)
    ]
    assert unknown["worm99"] == "mask = 'worm99', expected worn, incorrect, none" and len(asked) == 20


@pytest.mark.parametrize("label", ["nan", "inf", "thirty", "1,5", "1_2", "٣", "1e400"])
def test_numbers_without_a_band_are_reported(label: str) -> None:
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


def test_names_are_compared_in_normal_form() -> None:
    """macOS writes file names as NFD."""
    apart = unicodedata.normalize("NFD", "착용샷")
    assert apart != "착용샷" and normal_text(f" {apart}\n") == "착용샷"


def test_bands_are_named_after_their_cuts() -> None:
    assert band_names((30, 60)) == ("under 30", "30 to 59", "60 and over")
    assert band_names((30.5, 60)) == ("under 30.5", "30.5 to below 60", "60 and over")
    assert band_names((10,)) == ("under 10", "10 and over")
    assert banded("age", (30, 60), ("young", "middle", "old")).values == ("young", "middle", "old")
