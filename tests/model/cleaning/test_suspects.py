"""suspects.csv: written and read again."""

import csv

import pytest

from model.cleaning.suspects import GROUP, IMAGE, SUSPECT_COLUMNS, Suspect, label_texts, read_suspects, write_suspects
from model.errors import InputError
from tests.model.cleaning.conftest import make_table


@pytest.fixture
def table():
    columns = {"gender": [0, 0, 1, -1], "age": [0, 0, 1, 1]}
    return make_table(columns, ["a", "a", "b", "c"], {"age": [20, 20, 61.5, float("nan")]})


SUSPECTS = [
    Suspect((1, 0), GROUP, "gender", "v0", "v1", 0.9, 'They look "v1", not v0.', (2,)),
    Suspect((2,), IMAGE, "age", "61.5", "30", 0.25, "It looks 30.", (0, 1)),
]


def test_suspects_are_read_as_they_were_written_even_if_the_rows_are_in_another_order(tmp_path, table):
    path = tmp_path / "suspects.csv"
    write_suspects(path, table, SUSPECTS)
    assert read_suspects(path, table) == SUSPECTS
    turned = read_suspects(path, table.take([3, 2, 1, 0]))
    assert [one.rows for one in turned] == [(2, 3), (1,)] and turned[1].neighbours == (3, 2)


def test_the_columns_and_texts_are_those_that_readers_expect(tmp_path, table):
    path = tmp_path / "suspects.csv"
    write_suspects(path, table, SUSPECTS)
    with open(path, encoding="utf-8", newline="") as file:
        header, first, _ = csv.reader(file)
    assert tuple(header) == SUSPECT_COLUMNS
    assert first[:6] == ["images/a/00001.jpg", "a", "gender", "group", "v0", "v1"] and float(first[6]) == 0.9
    assert first[8] == '[["images/b/00002.jpg", "v1"]]'


def test_labels_are_numbers_where_there_are_some(table):
    assert label_texts(table, "age") == ["20", "20", "61.5", "high"]
    assert label_texts(table, "gender") == ["v0", "v0", "v1", ""]


def test_a_table_without_groups_has_an_empty_column(tmp_path, table):
    from dataclasses import replace

    path = tmp_path / "suspects.csv"
    write_suspects(path, replace(table, grouped_by=""), SUSPECTS[1:])
    assert path.read_text(encoding="utf-8").splitlines()[1].startswith("images/b/00002.jpg,,age,image,")


def test_all_problems_are_named_with_the_line_and_the_nearest_name(tmp_path, table):
    path = tmp_path / "suspects.csv"
    write_suspects(path, table, SUSPECTS)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace(",group,v0", ",grup,v0").replace("images/b/00002.jpg,b,age", "images/b/0002.jpg,b,agee")
    )
    with pytest.raises(InputError) as error:
        read_suspects(path, table)
    message = str(error.value)
    assert "3 problems" in message and "line 2: 'grup', expected image or group" in message
    assert "line 3: 'images/b/0002.jpg'; nearest: images/b/00002.jpg" in message
    assert "line 3: 'agee', expected one of gender, age; nearest: age" in message
    path.write_text(text.replace(",0.900000,", ",2,").replace('"[[""images/b', '"[[""images/b""],[""'))
    with pytest.raises(InputError, match=r"'2', expected a number from 0 to 1(.|\n)*expected a JSON list"):
        read_suspects(path, table)


def test_images_and_attributes_that_the_table_does_not_have_can_be_skipped(tmp_path, table):
    path = tmp_path / "suspects.csv"
    write_suspects(path, table, SUSPECTS)
    with open(path, "a", encoding="utf-8") as file:
        file.write('images/b/00002.jpg,b,mask,image,worn,none,0.5,"",[]\n')
    # the first image of the suspect group a is deleted: the other one is still suspect
    group, image = read_suspects(path, table.take([0, 2, 3]), skip_foreign=True)
    assert (group.rows, group.neighbours) == ((0,), (1,)) and (image.rows, image.neighbours) == ((1,), (0,))
    assert [one.attribute for one in read_suspects(path, table.take([2, 3]), skip_foreign=True)] == ["age"]
    with pytest.raises(InputError, match="'mask', expected one of gender, age"):
        read_suspects(path, table)


@pytest.mark.parametrize("content", ["path,group\n", "\xff\n", None])
def test_a_missing_or_other_file_is_an_input_error(tmp_path, table, content):
    path = tmp_path / "suspects.csv"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"suspects\.csv"):
        read_suspects(path, table)
