"""Which label scheme answers are evaluated by."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from model.answers.read import ClassTable, read_class_table
from model.attributes import Attribute
from model.errors import InputError, Problems
from model.evaluation.label_scheme import true_classes
from model.evaluation.matching import match_answers
from model.label_values import INDICES, NAMES, LabelRules, Names, found_names
from model.labels import Scheme, mask_scheme
from tests.model.evaluation.conftest import write
from tests.model.test_label_values import LABEL_SETS


def test_without_labels_classes_are_those_found_or_those_of_the_probabilities(files):
    plain = match_answers(*files("ImageID,ans\na,3\nb,0\n", "ImageID,ans\na,7.0\n", scheme=None))
    assert plain.scheme.class_names == [str(number) for number in range(8)]
    assert any("0 to 7" in note for note in plain.notes)
    named = match_answers(
        *files("ImageID,ans\na,옷\nb,모자\n", "ImageID,ans\na,0\n", scheme=None,
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
def test_a_broken_scheme_is_a_problem(files, labels):
    truth, answers = files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n", scheme=None)
    write(answers.with_name("labels.json"), labels)
    with pytest.raises(InputError, match=r"labels\.json"):
        match_answers(truth, answers)


@pytest.mark.parametrize("value", ["착용샷", "1000", "987654321012", "-1"])
def test_without_labels_only_small_whole_numbers_are_classes(files, value):
    with pytest.raises(
        InputError, match=r"labels\.json: no such file; without it, classes must be integers below 1,000|'-1'"
    ):
        match_answers(*files(f"ImageID,ans\na,{value}\n", f"ImageID,ans\na,{value}\n", scheme=None))


JOINT = "ImageID,ans\na,17\nb,0\nc,\nd,4\n"


@pytest.mark.parametrize(
    ("text", "expected", "note"),
    [
        (JOINT, [2, 0, -1, 1], "the true labels are joint classes of mask and gender and age; only age is used"),
        (
            "ImageID,ans\na,60 and over\nb,under 30\nc,\n",
            [2, 0, -1],
            "the true labels are read as values of age, not as joint classes of mask and",
        ),
    ],
)
def test_a_model_of_one_attribute_is_scored_by_joint_true_labels(tmp_path, text, expected, note):
    problems, notes = Problems("truth"), []
    truth = read_class_table(write(tmp_path / "gt.csv", text), problems)
    classes = true_classes(truth, mask_scheme().only("age"), mask_scheme(), None, problems, notes)
    np.testing.assert_array_equal(classes, expected)
    assert note in notes[0] and not problems


NUMBERS = Scheme((Attribute("label", ("1", "2", "3")),))


@pytest.mark.parametrize(
    ("values", "flag", "expected"),
    [
        ("1 2 3", None, [0, 1, 2]),
        ("0 1 2", None, [0, 1, 2]),
        ("1.0 02 3", None, [0, 1, 2]),
        ("1 2 1", "names", [0, 1, 0]),
        ("1 2 1", "indices", [1, 2, 1]),
    ],
)
def test_a_column_of_true_labels_is_read_as_names_or_as_indices(files, values, flag, expected):
    truth = "ImageID,ans\n" + "".join(f"{row},{value}\n" for row, value in enumerate(values.split()))
    matched = match_answers(*files(truth, "ImageID,ans\n0,0\n1,1\n2,2\n", NUMBERS), label_values=flag)
    assert matched.truth.tolist() == expected and matched.answers.tolist() == [0, 1, 2]


@pytest.mark.parametrize("column", ["ans", "y_pred", "label"])
def test_an_ambiguous_column_of_true_labels_names_the_setting(files, column):
    scheme = Scheme((Attribute("grade", ("01", "02", "03")),))
    with pytest.raises(
        InputError, match=r"'1' is class '01' as a name, but class '02' as an index; set --label_values n"
    ):
        match_answers(*files(f"ImageID,{column}\na,1\nb,2\n", "ImageID,ans\na,0\nb,1\n", scheme))


@pytest.mark.parametrize(("column", "is_read"), [("label", True), ("Label", True), ("ans", False)])
def test_a_column_with_the_name_of_the_training_label_column_is_read_like_it(files, column, is_read):
    """Whoever splits one table into training and truth has the labels of training in both."""
    written = files(f"ImageID,{column}\na,1.0\nb,2.0\n", "ImageID,ans\na,0\nb,1\n", NUMBERS)
    if is_read:
        matched = match_answers(*written)
        assert matched.truth.tolist() == [0, 1]
        assert any("because the same column was read that way in training" in note for note in matched.notes)
    else:
        with pytest.raises(InputError, match="--label_values"):
            match_answers(*written)


def test_names_and_indices_in_one_column_are_refused(files):
    with pytest.raises(InputError, match=r"'1', expected .* a column must contain either names or indices"):
        match_answers(*files("ImageID,ans\na,착용샷\nb,1\n", "ImageID,ans\na,0\nb,1\n"))


def test_a_column_of_names_is_preferred(files):
    written = files("ImageID,ans,ans_name\na,1,2\nb,2,3\n", "ImageID,ans\na,1\nb,2\n", NUMBERS)
    matched = match_answers(*written, label_values="indices")
    assert matched.truth.tolist() == matched.answers.tolist() == [1, 2] and not matched.metadata


def test_rules_of_the_model_are_applied_to_the_true_labels(files):
    rules = LabelRules(("Skip", ""), (("Polo", "Shirt"),), fold_case=True)
    scheme = Scheme((Attribute("kind", ("Pants", "Shirt"), (), "kind", rules),))
    truth = "ImageID,label,person\na,polo,p\nb,Skip,q\nc,PANTS,r\nd,,s\ne,skip,s\n"
    matched = match_answers(*files(truth, "ImageID,ans\na,1\nb,1\nc,0\nd,0\ne,0\n", scheme))
    assert (matched.names, matched.truth.tolist()) == (["a", "c"], [1, 0])
    assert matched.group_names == ["p", "r"] and matched.groups.tolist() == [0, 1]
    note = (
        "images that are not scored because their label was dropped in training: 3 (Skip (1), no label (1), skip (1))"
    )
    assert note in matched.notes
    indices = match_answers(*files("ImageID,ans\na,1\nb,0\n", "ImageID,ans\na,1\nb,1\n", scheme))
    assert indices.truth.tolist() == [1, 0]


@given(LABEL_SETS)
def test_true_labels_and_predictions_are_read_back_as_written(labels):
    names = found_names(labels)
    scheme = Scheme.from_dict(json.loads(json.dumps(Scheme((Attribute("label", names),)).to_dict())))
    lookup = Names(names)
    codes = [lookup.code(label) for label in labels]
    problems = Problems("truth")

    def table(values, column):
        index = pd.RangeIndex(len(values))
        cells = pd.Series([str(value) for value in values], index=index, dtype="str")
        return ClassTable(
            Path("gt.csv"), index.to_series().astype(str), cells, cells.to_frame(column), column, "ImageID"
        )

    def classes(values, column, flag=None):
        return true_classes(table(values, column), scheme, None, flag, problems, []).tolist()

    assert classes(labels, "label") == classes(labels, "ans", "names") == codes
    assert classes([names[code] for code in codes], "ans_name") == codes
    assert classes(codes, "ans", "indices") == codes and not problems
    answers = table(codes, "ans")
    assert answers.codes(answers.read(scheme, (INDICES, NAMES)), problems).tolist() == codes and not problems
    for values in (codes, labels):
        assert classes(values, "ans") == codes or list(problems.kinds) == ["classes that may be names or indices"]


@pytest.fixture
def hierarchy():
    """Two attributes of 40 values, of which one contains a slash, with two combinations."""
    values = ("v/0", *(f"v{code}" for code in range(1, 40)))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)))
    return scheme.occurring({"a": np.array([0, 2]), "b": np.array([1, 3])})


def test_combinations_that_the_model_cannot_predict_are_wrong_and_scored_by_attribute(files, hierarchy):
    truth = "ImageID,ans\na,v/0/v1\nb,v/0/v/0\nc,v2/v3\nd,v/0/v/0\n"
    table = "ImageID,v/0/v1,v2/v3\na,0.75,0.25\nc,0.5,0.5\nb,0.25,0.75\nd,,\n"
    matched = match_answers(*files(truth, "ImageID,ans\na,0\nb,0\nc,0\nd,\n", hierarchy, probabilities=table))
    assert matched.scheme.class_names == ["v/0/v1", "v2/v3", "v/0/v/0"]
    assert matched.truth.tolist() == [0, 2, 1, 2] and matched.answers.tolist() == [0, 0, 0, -1]
    np.testing.assert_array_equal(matched.probabilities[:3], [[0.75, 0.25, 0], [0.25, 0.75, 0], [0.5, 0.5, 0]])
    assert np.isnan(matched.probabilities[3]).all()
    assert any("cannot predict: 1 (v/0/v/0); 2 images have one of them" in note for note in matched.notes)
    with pytest.raises(InputError, match="v2/v9x"):
        match_answers(*files("ImageID,ans\na,v2/v9x\n", "ImageID,ans\na,0\n", hierarchy))


def test_a_prediction_is_no_combination_of_the_true_labels_only(files, hierarchy):
    with pytest.raises(InputError, match=r"output\.csv row 2: class = '2'"):
        match_answers(*files("ImageID,ans\na,v/0/v/0\n", "ImageID,ans\na,2\n", hierarchy))


def test_an_attribute_is_taken_of_combinations_that_the_channel_lacks(tmp_path, hierarchy):
    truth, notes, problems = tmp_path / "gt.csv", [], Problems("")
    write(truth, "ImageID,ans\na,v/0/v1\nb,v3/v/0\n")
    table = read_class_table(truth, problems)
    assert (
        true_classes(table, hierarchy.only("a"), hierarchy, None, problems, notes).tolist() == [0, 3] and not problems
    )
