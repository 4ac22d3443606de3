from __future__ import annotations

import logging
import shlex
from pathlib import Path

import pytest

from model.data.channel import ChannelOptions, read_channel
from model.errors import Problems
from model.label_values import whole_number
from model.settings.cli import parse_flags
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from tests.model.data.conftest import STEMS, csv_channel, profile, read, write_csv


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["0", "2", "2", "1"], ["0", "1", "2"]),
        (["3", "1", "1", "3"], ["1", "3"]),
        (["1.0", "0.0", "0", "1"], ["0", "1"]),
        (["b", "a", "B", "a"], ["B", "a", "b"]),
        (["1", "a", "2", "10"], ["1", "10", "2", "a"]),
        (["-1", "1", "-1", "1"], ["-1", "1"]),
        (["7", "99999999", "7", "7"], ["7", "99999999"]),
        (["nan", "inf", "nan", "inf"], ["inf", "nan"]),
        (["1_12", "11_2", "112", "1e2"], ["112", "11_2", "1_12", "1e2"]),
        (["02", "10", "1", "2"], ["1", "2", "10"]),
        (["002", "001", "01", "002"], ["01", "002"]),
        (["01", "1", "a", "1.0"], ["01", "1", "1.0", "a"]),
        (["٢", "2", "2", "2"], ["2", "٢"]),
        (["1999", "2010", "2005", "2005"], ["1999", "2005", "2010"]),
        (["True", "None", "NA", "nan"], ["NA", "None", "True", "nan"]),
    ],
)
@pytest.mark.parametrize("column", ["label", "class", "ans", "y_pred", "Label"])
def test_the_scheme_of_a_label_column(root: Path, values: list[str], names: list[str], column: str) -> None:
    text = f"path,{column}\n" + "".join(f"{row}.jpg,{value}\n" for row, value in enumerate(values))
    table = read(csv_channel(root, text))
    assert table.scheme.names == ("label",)
    assert table.scheme.class_names == names
    labels = [table.scheme.class_names[code] for code in table.classes()]
    if all(whole_number(value) for value in values):
        assert [whole_number(label) for label in labels] == [whole_number(value) for value in values]
    else:
        assert labels == values


def test_the_label_column_that_is_read_is_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    csv_channel(root, "path,class,LABEL\n0.jpg,1,a\n1.jpg,2,b\n")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert read(root).scheme.class_names == ["a", "b"]
    assert "CSV train.csv: labels are read from column LABEL, not from class" in caplog.messages
    csv_channel(root, "path,class,kind\n0.jpg,1,a\n1.jpg,2,b\n")
    caplog.clear()
    with caplog.at_level(logging.INFO, "rarebird"):
        assert read(root).scheme.class_names == ["1", "2"]
    assert "labels are read from" not in caplog.text


def test_missing_columns_of_the_mask_scheme_are_reported(root: Path) -> None:
    problems = Problems("channel")
    read_channel(csv_channel(root, "path,id,Gender,age\n0.jpg,1,a,30\n1.jpg,2,b,40\n"), problems)
    (text,) = problems.kinds["missing label column"]
    assert text.startswith("CSV train.csv has gender, age but not mask, and none of label, class, ans, y_pred; its")
    assert text.endswith("choose the columns to learn, as in --attributes '{id: {}, Gender: {}, age: {}}'")


def test_the_flag_for_missing_label_columns_can_be_pasted(root: Path) -> None:
    """It lists the columns with repeated values, not those of groups."""
    text = 'path,id,kind,"fit, cm",on,person\n0.jpg,1,a,x,x,p\n1.jpg,2,b,y,y,p\n2.jpg,3,a,x,x,p\n3.jpg,4,b,y,y,q\n'
    csv_channel(root, text)
    problems = Problems("channel")
    read_channel(root, problems)
    (message,) = problems.kinds["missing label column"]
    assert message.startswith(
        "CSV train.csv has no label column (label, class, ans, y_pred); its columns are id, kind, "
    )
    flag, value = shlex.split(message.rpartition(", as in ")[2])
    settings = build(TrainSettings, [Layer("{}", parse_flags(TrainSettings, [flag, value]))])
    assert settings.attributes == {"kind": {}, "fit, cm": {}, "on": {}}
    assert read(root, attributes=settings.attributes).scheme.names == ("kind", "fit, cm", "on")


def test_missing_or_constant_label_columns_are_reported(root: Path) -> None:
    problems = Problems("channel")
    unlabelled = read_channel(csv_channel(root, "path,kind\n0.jpg,a\n1.jpg,b\n"), problems)
    assert len(unlabelled) == 0 and unlabelled.set_aside.paths == ["images/0.jpg", "images/1.jpg"]
    assert "no label column (label, class, ans, y_pred); its columns are kind" in str(problems)
    problems = Problems("channel")
    assert len(read_channel(csv_channel(root, "path,ans\n0.jpg,0\n1.jpg,0\n"), problems)) == 0
    assert problems.kinds == {"fewer than two classes": ["CSV train.csv: column ans contains only 0"]}
    problems = Problems("channel")
    table = read_channel(
        csv_channel(root, "path,kinds\n0.jpg,a\n1.jpg,b\n"), problems, ChannelOptions(attributes={"kind": ["a", "b"]})
    )
    assert problems.kinds == {
        "missing label column": ["CSV train.csv has no column 'kind'; its columns are kinds; nearest: kinds"]
    }
    assert table is not None
    assert (len(table), table.set_aside.paths) == (0, ["images/0.jpg", "images/1.jpg"])
    problems = Problems("channel")
    assert read_channel(root, problems, ChannelOptions(attributes={"kind": ["a"]})) is None
    assert "at least two values" in str(problems)


def test_a_csv_with_mask_gender_and_age_has_the_mask_scheme(root: Path) -> None:
    profile(root, "images/000001_female_Asian_45")
    rows = "".join(f"000001_female_Asian_45/{stem}.jpg,59,female,{m},9,p1\n" for stem, m in zip(STEMS, "1000002"))
    write_csv(root, "path,age,gender,mask,label,people_path\n" + rows, "perfect_train.csv")
    table = read(root)
    assert table.scheme.names == ("mask", "gender", "age")
    assert table.classes().tolist() == [10, 4, 4, 4, 4, 4, 16]
    assert table.numbers["age"].tolist() == [59.0] * 7
    assert (table.grouped_by, set(table.groups)) == ("people_path", {"p1"})
    assert list(table.metadata) == []
