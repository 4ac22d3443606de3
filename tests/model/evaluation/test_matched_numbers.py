"""True and estimated numbers, from all forms of the true labels and from the predictions of one or several hosts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model.attributes import Attribute, banded
from model.evaluation.answer_tables import TruthReading
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.matching import match_answers
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog")), banded("age", [30, 60])))  # kind*3 + age
PREDICTED = "ImageID,predicted,kind,age,age_number\na.jpg,x,cat,x,25.5\nb.jpg,x,cat,x,\nc.jpg,x,dog,x,61\n"


@pytest.fixture
def match(tmp_path: Path):
    """Matches a gt.csv with three predictions."""

    def run(truth: str, predicted: str = PREDICTED, hosts: bool = False, **options: object) -> MatchedAnswers:
        (tmp_path / "gt").mkdir(exist_ok=True)
        (tmp_path / "gt" / "gt.csv").write_text(truth, encoding="utf-8")
        rows = {"a.jpg": 0, "b.jpg": 1, "c.jpg": 5}
        for host, names in (("h1", ["a.jpg"]), ("h2", ["b.jpg", "c.jpg"])) if hosts else (("", list(rows)),):
            folder = tmp_path / "out" / host
            folder.mkdir(parents=True, exist_ok=True)
            answers = "".join(f"{name},{rows[name]}\n" for name in names)
            (folder / "output.csv").write_text(f"ImageID,ans\n{answers}")
            (folder / "labels.json").write_text(json.dumps(SCHEME.to_dict()))
            lines = predicted.splitlines()
            own = [lines[0], *(line for line in lines[1:] if line.partition(",")[0] in names)]
            (folder / "predictions.csv").write_text("\n".join(own) + "\n", encoding="utf-8-sig")
        return match_answers(tmp_path / "gt" / "gt.csv", tmp_path / "out" / "output.csv", **options)

    return run


@pytest.mark.parametrize(
    "truth",
    [
        "ImageID,kind,age\nc.jpg,dog,70\nb.jpg,cat,30\na.jpg,cat,29\n",  # a column per attribute
        "ImageID,ans,age\nc.jpg,5,70\nb.jpg,1,30\na.jpg,0,29\n",  # joint classes, and the number in another column
        "ImageID,ans,age,age_number\nc.jpg,5,x,70\nb.jpg,1,x,30\na.jpg,0,x,29\n",
    ],
)
@pytest.mark.parametrize("hosts", [False, True])
def test_numbers_are_matched_by_image_name(match, truth, hosts):
    numbers = match(truth, hosts=hosts).numbers["age"]
    np.testing.assert_array_equal(numbers.true, [70, 30, 29])
    np.testing.assert_array_equal(numbers.estimated, [61, np.nan, 25.5])


def test_the_column_of_true_numbers_is_no_metadata_but_other_columns_are(match):
    truth = "ImageID,ans,age_number,house\na.jpg,0,29,x\nb.jpg,1,30,y\nc.jpg,5,70,x\n"
    assert set(match(truth).metadata) == {"house"}
    without = match(truth, PREDICTED.replace("age_number", "other"))
    assert set(without.metadata) == {"house", "age_number"} and without.numbers == {}


def test_a_band_has_no_number_and_without_any_true_number_none_is_scored(match):
    mixed = "ImageID,kind,age\na.jpg,cat,29\nb.jpg,cat,30 to 59\nc.jpg,dog,60 and over\n"
    np.testing.assert_array_equal(match(mixed).numbers["age"].true, [29, np.nan, np.nan])
    assert match("ImageID,ans\na.jpg,0\nb.jpg,1\nc.jpg,5\n").numbers == {}


def test_a_number_outside_the_band_of_the_true_label_is_not_scored(match):
    result = match("ImageID,ans,age\na.jpg,1,29\nb.jpg,1,31\nc.jpg,5,70\n")
    np.testing.assert_array_equal(result.numbers["age"].true, [np.nan, 31, 70])
    assert any("age: 1 true numbers are not in the band of the true label" in note for note in result.notes)


def test_a_damaged_file_of_predictions_is_a_note(match):
    result = match("ImageID,kind,age\na.jpg,cat,29\nb.jpg,cat,30\nc.jpg,dog,70\n", "ImageID,age_number\na.jpg,3\n")
    assert result.numbers == {}
    assert any("numbers in predictions.csv cannot be read" in note for note in result.notes)


def test_the_number_of_a_label_that_was_corrected_to_another_band_is_not_scored(match, tmp_path):
    log = tmp_path / "fixes.csv"
    log.write_text("path,group,attribute,action,value,given\na.jpg,,age,relabel,60 and over,29\nb.jpg,,,delete,,\n")
    truth = "ImageID,kind,age\na.jpg,cat,29\nb.jpg,cat,30\nc.jpg,dog,70\n"
    result = match(truth, reading=TruthReading(corrections=str(log)))
    assert result.names == ["a.jpg", "c.jpg"]
    np.testing.assert_array_equal(result.numbers["age"].true, [np.nan, 70])
    np.testing.assert_array_equal(result.numbers["age"].estimated, [25.5, 61])
