"""Label schemes: classes, names and labels.json."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.attributes import Attribute
from model.errors import InputError
from model.label_values import INDICES, NAMES
from model.labels import Scheme, mask_scheme, target_scheme


def test_the_mask_scheme_has_the_competitions_classes() -> None:
    """class = mask*6 + gender*3 + age, with age bands from 30 and 60."""
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


def test_joint_and_split_accept_arrays_and_tensors() -> None:
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
def test_split_is_the_inverse_of_joint(sizes: list[int], data: Any) -> None:
    scheme = Scheme(tuple(Attribute(f"a{i}", tuple(f"v{j}" for j in range(n))) for i, n in enumerate(sizes)))
    codes = {f"a{i}": data.draw(st.integers(0, n - 1)) for i, n in enumerate(sizes)}
    joint = scheme.joint(codes)
    assert joint == np.ravel_multi_index(tuple(codes.values()), tuple(sizes))
    assert scheme.split(joint) == codes
    assert scheme.class_names[joint] == "/".join(f"v{code}" for code in codes.values())
    assert scheme.read([scheme.class_names[joint]], (NAMES,)).codes == {scheme.class_names[joint]: joint}
    assert scheme.read([str(joint)], (INDICES,)).codes == {str(joint): joint}


def test_a_scheme_is_restored_from_json() -> None:
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
def test_invalid_schemes_are_errors(saved: Any) -> None:
    with pytest.raises(InputError, match=r"label scheme|no values"):
        Scheme.from_dict(saved)


def test_schemes_with_ambiguous_names_are_errors() -> None:
    with pytest.raises(InputError, match="at least one attribute"):
        Scheme(())
    with pytest.raises(InputError, match="duplicate attribute names"):
        Scheme((Attribute("a", ("x", "y")), Attribute("a", ("z", "w"))))
    with pytest.raises(InputError, match="joint classes with the same name"):
        Scheme((Attribute("a", ("x/y", "x")), Attribute("b", ("z", "y/z"))))
    with pytest.raises(
        InputError, match="'gendr' is not an attribute; expected one of mask, gender, age; nearest: gender"
    ):
        mask_scheme().attribute("gendr")


def hierarchy(*sizes: int) -> Scheme:
    return Scheme(tuple(Attribute(f"a{at}", tuple(f"v{code}" for code in range(n))) for at, n in enumerate(sizes)))


def test_is_large_requires_several_attributes_with_1000_combinations() -> None:
    assert not hierarchy(10, 100).is_large and hierarchy(11, 91).is_large
    assert not hierarchy(2000).is_large and not mask_scheme().is_large


def test_a_large_scheme_has_the_combinations_that_occur() -> None:
    """10^15 combinations, of which three occur: time and memory depend on the data only."""
    scheme = hierarchy(10**3, 10**3, 10**3, 10**3, 10**3)
    rows = np.array([[5, 0, 9, 1, 2], [0, 0, 0, 0, 1], [5, 0, 9, 1, 2], [999, 1, 1, 1, 1], [0, -1, 0, 0, 1]])
    codes = {name: rows[:, at] for at, name in enumerate(scheme.names)}
    own = scheme.occurring(codes)
    assert own.num_classes == 3 and own.num_combinations == 10**15
    assert own.class_names == ["v0/v0/v0/v0/v1", "v5/v0/v9/v1/v2", "v999/v1/v1/v1/v1"]
    assert own.joint(codes).tolist() == [1, 0, 1, 2, -1]
    assert {name: split.tolist() for name, split in own.split(np.array([1, 0])).items()} == {
        name: rows[:2, at].tolist() for at, name in enumerate(scheme.names)
    }
    assert own.split(2) == {"a0": 999, "a1": 1, "a2": 1, "a3": 1, "a4": 1}
    assert own.joint(own.split(2)) == 2 and own.joint({**own.split(2), "a4": 0}) == -1
    assert own.combination_number("v0/v0/v0/v0/v1") == 1 and own.combination_number("v0/v0/v0/v0/x") is None


def test_combinations_of_several_tables_are_joined_and_those_of_the_truth_are_appended() -> None:
    scheme = hierarchy(40, 40)
    tables = [{"a0": np.array(first), "a1": np.array(second)} for first, second in (([3, 1], [0, 2]), ([2, 3], [2, 0]))]
    own = scheme.occurring(*tables)
    assert own.combinations == (42, 82, 120)
    wider = own.extended([5, 120, 7])
    assert wider.combinations == (42, 82, 120, 5, 7) and wider.class_names[:3] == own.class_names
    assert wider.joint({"a0": np.array([0, 3]), "a1": np.array([7, 0])}).tolist() == [4, 2]
    small = mask_scheme()
    assert small.occurring({name: np.array([0]) for name in small.names}) is small and small.extended([3]) is small


def test_labels_json_has_the_combinations_if_only_some_are_classes() -> None:
    scheme = hierarchy(40, 40).occurring({"a0": np.array([3, 1]), "a1": np.array([0, 2])})
    saved = json.loads(json.dumps(scheme.to_dict()))
    assert saved["combinations"] == [42, 120] and saved["joint"] == "a0*40 + a1"
    assert saved["classes"] == ["v1/v2", "v3/v0"]
    assert Scheme.from_dict(saved) == scheme
    assert list(mask_scheme().to_dict()) == ["attributes", "joint", "classes"]
    del saved["combinations"]  # as earlier versions wrote it
    assert Scheme.from_dict(saved) == hierarchy(40, 40) and Scheme.from_dict(saved).num_classes == 1600


@pytest.mark.parametrize("combinations", [[], [1, 1], [-1], [1600], ["x"], 3])
def test_invalid_combinations_are_errors(combinations: Any) -> None:
    with pytest.raises(InputError, match=r"combinations must be|invalid label scheme"):
        Scheme.from_dict({**hierarchy(40, 40).to_dict(), "combinations": combinations})
