"""Labels that a regular expression finds in the path of an image or in a column."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from model.attributes import Attribute, LabelPattern
from model.data.channel import ChannelOptions, read_channel
from model.errors import Problems
from model.labels import Scheme
from tests.model.data.conftest import problems_of, read, touch, write_csv

AGE = {"age": {"pattern": r"A(\d+)\.", "cuts": [30, 60]}}


def test_a_number_in_the_file_name_is_assigned_to_a_band(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "00000A02.jpg", "00001A29.jpg", "00002A30.jpg", "07400A80.jpg")
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root, attributes=AGE)
    assert table.labels["age"].tolist() == [0, 0, 1, 2]
    assert table.numbers["age"].tolist() == [2, 29, 30, 80]
    assert list(table.metadata) == []
    assert caplog.text == ""


def test_several_attributes_of_one_path(root: Path) -> None:
    """UTKFace: [age]_[gender]_[race]_[date].jpg, in the folders part1 and part2."""
    touch(root, "part1/25_0_1_2017.jpg", "part1/61_1_0_2018.jpg", "part2/1_1_4_2019.jpg")
    attributes: dict[str, Any] = {
        "age": {"pattern": r"([^/_]+)_[^/]*$", "cuts": [30, 60]},
        "gender": {"pattern": r"/\d+_(\d)_", "values": ["male", "female"]},
        "part": {"pattern": "^part(.)/", "values": ["1", "2"]},
    }
    table = read(root, attributes=attributes, layout="files")
    assert table.locations.paths == ["part1/25_0_1_2017.jpg", "part1/61_1_0_2018.jpg", "part2/1_1_4_2019.jpg"]
    assert table.numbers["age"].tolist() == [25, 61, 1]
    assert table.labels["gender"].tolist() == [0, 1, 1]
    assert table.labels["part"].tolist() == [0, 0, 1]


def test_a_column_that_is_searched_stays_metadata(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    write_csv(root, "path,age,view\na.jpg,early 40s,PA\nb.jpg,50+,AP\nc.jpg,33,AP\n")
    attributes: dict[str, Any] = {
        "age": {"column": "Age", "pattern": r"(\d+)", "cuts": [40]},
        "side": {"column": "view", "pattern": "([AP])", "values": ["A", "P"]},
        "view": ["AP", "PA"],
    }
    table = read(root, attributes=attributes)
    assert table.labels["view"].tolist() == [1, 0, 0]
    assert table.numbers["age"].tolist() == [40, 50, 33]
    assert table.labels["side"].tolist() == [1, 0, 0]
    assert table.metadata["age"].tolist() == ["early 40s", "50+", "33"]


def test_a_pattern_of_the_path_ignores_a_column_with_the_attributes_name(root: Path) -> None:
    touch(root, "1A20.jpg", "2A70.jpg")
    write_csv(root, "path,age\n1A20.jpg,99\n2A70.jpg,1\n")
    assert read(root, attributes=AGE).numbers["age"].tolist() == [20, 70]


def test_a_value_without_a_match_is_reported_unchanged(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "path,age\na.jpg,unknown\nb.jpg,50+\n")
    problems = problems_of(root, attributes={"age": {"column": "age", "pattern": r"(\d+)", "cuts": [40]}})
    assert "unknown" in str(problems)


def test_an_empty_value_of_a_column_is_a_missing_label(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "path,age\na.jpg,\nb.jpg,50+\n")
    with caplog.at_level(logging.WARNING, "rarebird"):
        problems_of(root, attributes={"age": {"column": "age", "pattern": r"(\d+)", "cuts": [40]}})
    assert "does not match" not in caplog.text


def test_paths_without_a_match_are_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "1A20.jpg", "2A70.jpg", "photo.jpg")
    with caplog.at_level(logging.WARNING, "rarebird"):
        problems_of(root, attributes=AGE)
    assert r"attribute 'age': pattern 'A(\\d+)\\.' does not match the path of 1 of 3 images: photo.jpg" in caplog.text


def test_a_pattern_that_matches_no_path_is_one_problem(root: Path) -> None:
    touch(root, "one.jpg", "two.jpg")
    problems = problems_of(root, attributes=AGE)
    assert problems["label pattern without a match"] == [
        r"attribute 'age': pattern 'A(\\d+)\\.' matches no path, such as 'one.jpg'"
    ]


def test_a_missing_column_is_reported_once(root: Path) -> None:
    touch(root, "a.jpg")
    write_csv(root, "path,aeg\na.jpg,30\n")
    problems = problems_of(root, attributes={"age": {"column": "age", "pattern": r"(\d+)", "cuts": [40]}})
    missing = "attribute 'age': CSV train.csv has no column 'age' to search for its pattern"
    expected = f"{missing}; its columns are aeg; nearest: aeg"
    assert problems == {"label scheme": [expected]}


def test_the_scheme_of_a_model_reads_another_channel(root: Path) -> None:
    """The validation channel and the truth of an evaluation share the pattern, which labels.json keeps."""
    touch(root, "1A20.jpg", "2A70.jpg")
    scheme = Scheme.from_dict(read(root, attributes=AGE).scheme.to_dict())
    assert scheme.attributes[0].pattern == LabelPattern(r"A(\d+)\.")
    assert read(root, scheme=scheme).labels["age"].tolist() == [0, 2]


def test_labels_json_of_other_schemes_has_no_pattern() -> None:
    assert "pattern" not in Scheme((Attribute("kind", ("a", "b")),)).to_dict()["attributes"][0]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [(r"A\d+", "no group"), ("(", "missing )"), (5, "string"), (["a"], "")],
)
def test_invalid_patterns_are_errors_of_the_setting(root: Path, pattern: Any, reason: str) -> None:
    touch(root, "1A20.jpg")
    problems = Problems("channel")
    read_channel(root, problems, ChannelOptions(attributes={"age": {"pattern": pattern, "cuts": [30]}}))
    (message,) = problems.kinds["label scheme"]
    assert message.startswith("attributes: attribute 'age': pattern ")
    assert reason in message
