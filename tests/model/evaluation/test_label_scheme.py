"""Which label scheme answers are evaluated by."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.answers.read import read_class_table
from model.errors import InputError, Problems
from model.evaluation.label_scheme import true_classes
from model.evaluation.matching import match_answers
from model.labels import Attribute, Scheme, mask_scheme


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_labels_classes_are_those_found_or_those_of_the_probabilities(files):
    plain = match_answers(*files("ImageID,ans\na,3\nb,0\n", "ImageID,ans\na,7.0\n", scheme=None))
    assert plain.scheme.class_names == [str(number) for number in range(8)]
    assert any("0 to 7" in note for note in plain.notes)
    named = match_answers(
        *files("ImageID,ans\na,2\nb,모자\n", "ImageID,ans\na,0\n", scheme=None,
               probabilities="ImageID,신발,모자,옷\na,1,0,0\n")
    )  # fmt: skip
    assert named.scheme.class_names == ["신발", "모자", "옷"]
    assert named.truth.tolist() == [2, 1]


def test_labels_are_named_by_flag(files, tmp_path):
    labels = write(tmp_path / "scheme.json", json.dumps(mask_scheme().to_dict()))
    matched = match_answers(*files("ImageID,ans\na,none/female/60 and over\n", "ImageID,ans\na,17\n"), labels=labels)
    assert matched.scheme.names == ("mask", "gender", "age")
    assert matched.truth.tolist() == matched.answers.tolist() == [17]


def test_a_scheme_that_is_named_must_be_there(files, tmp_path):
    with pytest.raises(InputError, match=r"scheme\.json: No such file"):
        match_answers(*files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n"), labels=tmp_path / "scheme.json")


@pytest.mark.parametrize("labels", ["{", "[]", "{}", '{"attributes": [{"name": "a", "values": ["x", "x"]}]}'])
def test_a_broken_scheme_is_told(files, labels):
    truth, answers = files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n", scheme=None)
    write(answers.with_name("labels.json"), labels)
    with pytest.raises(InputError, match=r"labels\.json"):
        match_answers(truth, answers)


@pytest.mark.parametrize("value", ["착용샷", "1000", "987654321012", "-1"])
def test_without_labels_only_small_whole_numbers_are_classes(files, value):
    with pytest.raises(InputError, match=r"labels\.json: without it classes must be whole numbers below 1,000|'-1'"):
        match_answers(*files(f"ImageID,ans\na,{value}\n", f"ImageID,ans\na,{value}\n", scheme=None))


JOINT = "ImageID,ans\na,17\nb,0\nc,\nd,worn/female/30 to 59\n"


@pytest.mark.parametrize(
    ("text", "expected", "note"),
    [
        (JOINT, [2, 0, -1, 1], "the truth holds classes of mask and gender and age together, of which age is taken"),
        ("ImageID,ans\na,2\nb,under 30\nc,\n", [2, 0, -1], "the truth is read as classes of age, not of mask and"),
    ],
)
def test_a_model_of_one_attribute_takes_it_from_the_joint_truth(tmp_path, text, expected, note):
    problems, notes = Problems("truth"), []
    truth = read_class_table(write(tmp_path / "gt.csv", text), problems)
    classes = true_classes(truth, mask_scheme().only("age"), mask_scheme(), problems, notes)
    np.testing.assert_array_equal(classes, expected)
    assert note in notes[0] and not problems


@pytest.fixture
def hierarchy():
    """Two attributes of 40 values, of which one contains a slash, with two combinations."""
    values = ("v/0", *(f"v{code}" for code in range(1, 40)))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)))
    return scheme.occurring({"a": np.array([0, 2]), "b": np.array([1, 3])})


def test_combinations_that_only_the_truth_has_are_wrong_and_scored_by_attribute(files, hierarchy):
    truth = "ImageID,ans\na,v/0/v1\nb,v/0/v/0\nc,v2/v3\nd,v/0/v/0\n"
    table = "ImageID,v/0/v1,v2/v3\na,0.75,0.25\nc,0.5,0.5\nb,0.25,0.75\nd,,\n"
    matched = match_answers(*files(truth, "ImageID,ans\na,0\nb,0\nc,0\nd,\n", hierarchy, probabilities=table))
    assert matched.scheme.class_names == ["v/0/v1", "v2/v3", "v/0/v/0"]
    assert matched.truth.tolist() == [0, 2, 1, 2] and matched.answers.tolist() == [0, 0, 0, -1]
    np.testing.assert_array_equal(matched.probabilities[:3], [[0.75, 0.25, 0], [0.25, 0.75, 0], [0.5, 0.5, 0]])
    assert np.isnan(matched.probabilities[3]).all()
    assert any("does not know: 1 (v/0/v/0), of 2 pictures" in note for note in matched.notes)
    with pytest.raises(InputError, match="v2/v9x"):
        match_answers(*files("ImageID,ans\na,v2/v9x\n", "ImageID,ans\na,0\n", hierarchy))


def test_an_answer_is_no_combination_that_only_the_truth_has(files, hierarchy):
    with pytest.raises(InputError, match=r"output\.csv row 2: class = '2'"):
        match_answers(*files("ImageID,ans\na,v/0/v/0\n", "ImageID,ans\na,2\n", hierarchy))


def test_an_attribute_is_taken_of_combinations_that_the_channel_lacks(tmp_path, hierarchy):
    truth, notes, problems = tmp_path / "gt.csv", [], Problems("")
    write(truth, "ImageID,ans\na,v/0/v1\nb,v3/v/0\n")
    table = read_class_table(truth, problems)
    assert true_classes(table, hierarchy.only("a"), hierarchy, problems, notes).tolist() == [0, 3] and not problems
