"""Tables of names with classes or probabilities, as they are read; what does not fit together is matching's."""

import numpy as np
import pytest

from model.answers.read import ClassTable, read_class_table, read_probabilities, rows_text, to_number
from model.attributes import Attribute
from model.errors import Problems
from model.label_values import INDICES, NAMES
from model.labels import Scheme

TENS = Scheme((Attribute("ten", ("1", "2", "0")),))


def codes(table: ClassTable, problems: Problems, *readings: str) -> list[int]:
    return table.codes(table.read(TENS, readings), problems).tolist()


@pytest.fixture
def problems():
    return Problems("tables")


@pytest.fixture
def write(tmp_path):
    def made(text: str, name: str = "a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return made


def test_rows_are_indexed_by_the_files_lines(write, problems):
    table = read_class_table(write("ImageID,note,ans\n\n a ,x,1\n\n\nb,y,\n"), problems)
    assert table.names.to_dict() == {3: "a", 6: "b"} and table.values.to_dict() == {3: "1", 6: ""}
    assert table.table.columns.tolist() == ["ImageID", "note", "ans"] and not problems


def test_a_number_may_be_the_class_or_its_name(write, problems):
    table = read_class_table(write("ImageID,ans\na,2\nb,1\nc,0\nd,\n"), problems)
    assert codes(table, problems, NAMES) == [1, 0, 2, -1]
    assert codes(table, problems, INDICES) == [2, 1, 0, -1] and not problems
    assert table.read(TENS, (NAMES, INDICES)).ambiguous


def test_an_unknown_class_is_reported_once_with_its_rows(write, problems):
    table = read_class_table(write("ImageID,ans\na,seven\nb,2\nc,seven\n"), problems)
    assert codes(table, problems, NAMES) == [-1, 1, -1]
    assert len(problems) == 1 and "a.csv rows 2, 4: class = 'seven', expected" in str(problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,ans\na,1\n", "no column of images: expected ImageID, image_name, path, filename and"),
        ("ImageID,answer\na,1\n", "no column of classes: expected ans, y_pred, label, found ImageID, answer"),
        ("ImageID,ans,ans\na,1,2\n", "duplicate columns"),
    ],
)
def test_a_table_with_missing_columns_is_none(write, problems, text, message):
    assert read_class_table(write(text), problems) is None and message in str(problems)


def test_a_missing_file_is_reported_with_the_tables_in_its_folder(write, problems, tmp_path):
    write("x\n", "other.csv")
    assert read_class_table(tmp_path / "a.csv", problems) is None
    assert "a.csv: no such file; the folder has other.csv" in str(problems)


def test_empty_and_duplicate_names_are_problems(write, problems):
    read_class_table(write("ImageID,ans\na,1\n,1\nb,1\na,2\n"), problems)
    assert "rows without an image name (1)" in str(problems) and "a.csv rows 2, 5: 'a'" in str(problems)


def test_the_rows_of_parts_are_named_by_their_folders(write, problems, tmp_path):
    parts = [write("ImageID,ans\na,1\n", "host1/o.csv"), write("ImageID,ans\nb,2\n", "host2/o.csv")]
    table = read_class_table(tmp_path / "o.csv", problems, parts)
    assert table.names.to_dict() == {"2 of host1": "a", "2 of host2": "b"} and table.file == tmp_path / "o.csv"
    write("ImageID,label\nb,2\n", "host2/o.csv")
    assert read_class_table(tmp_path / "o.csv", problems, parts) is None
    assert "o.csv: has the columns ImageID, label, expected ImageID, ans" in str(problems)


def test_probabilities_are_numbers_by_name_and_nan_for_unreadable_images(write, problems):
    frame = read_probabilities(write("image_name,x,y\nb,0.25,0.75\na,,\nc,1.0000001,0\n"), problems)
    assert frame.index.name == "image_name" and frame.index.tolist() == ["b", "a", "c"]
    assert frame.columns.tolist() == ["x", "y"] and not problems
    np.testing.assert_array_equal(frame, [[0.25, 0.75], [np.nan, np.nan], [1.0000001, 0]])


@pytest.mark.parametrize(
    ("cells", "message"),
    [("0.5,", "y = an empty cell"), ("-0.1,1", "x = -0.1"), ("0,many", "y = many"), ("1.01,0", "x = 1.01")],
)
def test_an_invalid_probability_is_reported_with_its_row(write, problems, cells, message):
    read_probabilities(write(f"ImageID,x,y\na,1,0\nb,{cells}\n"), problems)
    assert f"a.csv row 3: {message}, expected 0 to 1" in str(problems)


def test_texts():
    assert (rows_text([3]), rows_text([3, 8])) == ("row 3", "rows 3, 8")
    assert to_number(" 2.5") == 2.5 and np.isnan(to_number("two"))


def test_columns_without_a_name_are_left_out_of_any_table(write, problems):
    table = read_class_table(write("ImageID,ans,,\na,1,,\nb,0,,x\n"), problems)
    assert table.table.columns.tolist() == ["ImageID", "ans"] and not problems
    assert read_probabilities(write(",ImageID,x,y\n0,a,0.5,0.5\n"), problems).columns.tolist() == ["x", "y"]


def test_the_first_column_of_probabilities_is_that_of_images_for_any_class_names(write, problems):
    frame = read_probabilities(write("path,ImageID,road\na,0.25,0.75\n"), problems)
    assert (frame.index.name, frame.columns.tolist()) == ("path", ["ImageID", "road"]) and not problems
    frame = read_probabilities(write("x,y,ImageID\n0.25,0.75,a\n"), problems)
    assert (frame.index.name, frame.columns.tolist()) == ("ImageID", ["x", "y"]) and not problems


def test_any_delimiter_and_encoding_is_read(write, problems, tmp_path):
    (tmp_path / "a.csv").write_bytes("file;ans\nä;1\n".encode("cp1252"))
    table = read_class_table(tmp_path / "a.csv", problems, picture_columns=("file",), encoding="cp1252")
    assert (table.names.tolist(), table.values.tolist(), table.name_column) == (["ä"], ["1"], "file")
