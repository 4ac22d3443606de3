import csv
from pathlib import Path

import pytest

from model.data.readers.text_table import TextTable, delimiter_of, read_table, table_header
from model.errors import Problems


def read(path: Path, content: str | bytes, **options: object) -> TextTable:
    """The table of a file without problems."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    problems = Problems("x")
    table = read_table(path, problems, **options)  # type: ignore[arg-type]
    assert not problems, str(problems)
    assert table is not None
    return table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("path,label", ","),
        ("image_name;label", ";"),
        ("ImageID\tlabel", "\t"),
        ("path", ","),
        ("file;label", ";"),
        ("a;b,c", ","),
        ('"path,of it";label;shop', ";"),
        ("ImageID,a;b;c;d", ","),  # classes called a;b;c;d: the column of images decides
        ("path;price, EUR;size, cm;weight, kg", ";"),
    ],
)
def test_the_delimiter_is_recognised_by_the_header(header: str, delimiter: str):
    assert delimiter_of(header) == delimiter


def test_a_set_column_decides_the_delimiter_too():
    assert delimiter_of("file,a;b;c") == ";" and delimiter_of("file,a;b;c", ("file",)) == ","


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_delimiter_results_in_the_same_table(path: Path, delimiter: str):
    text = '\ufeffpath,label,note\na.jpg,cat,"x,y"\n\nb.jpg,dog,"two\nlines"\n,,\nc.jpg,,z\n'
    if delimiter != ",":
        text = text.replace("x,y", "x|y").replace(",", delimiter).replace("x|y", f"x{delimiter}y")
    table = read(path, text)
    assert table.header == ["path", "label", "note"] == table_header(path)
    assert table.rows == [
        ["a.jpg", "cat", f"x{delimiter}y"],
        ["b.jpg", "dog", "two\nlines"],
        ["c.jpg", "", "z"],
    ]
    assert table.lines == [2, 4, 7] and table.origin(2) == "a.csv row 7"


def test_excels_separator_line_is_not_the_header(path: Path):
    table = read(path, "sep=;\npath;a,b,c\nx.jpg;1\n")
    assert (table.header, table.rows, table.lines) == (["path", "a,b,c"], [["x.jpg", "1"]], [3])
    assert read(path, "sep=,x\n1,2\n").header == ["sep=", "x"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(path: Path, end: str):
    table = read(path, end.join(["path,label", "a.jpg,1", "", "b.jpg,2", ""]))
    assert table.rows == [["a.jpg", "1"], ["b.jpg", "2"]] and table.lines == [2, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949", "euc_kr"])
def test_encodings(path: Path, encoding: str):
    content = "path,label\n사진.jpg,착용\n".encode(encoding)
    named = encoding if encoding in ("cp949", "euc_kr") else "utf-8"
    assert read(path, content, encoding=named).rows == [["사진.jpg", "착용"]]
    assert table_header(path, named) == ["path", "label"]


def test_a_byte_order_mark_is_preferred_to_the_setting(path: Path):
    assert read(path, "path\nä.jpg\n".encode("utf-8-sig"), encoding="cp1252").rows == [["ä.jpg"]]
    assert read(path, "path\nä.jpg\n".encode("cp1252"), encoding="cp1252").rows == [["ä.jpg"]]


def test_a_value_may_be_longer_than_the_limit_of_the_csv_module(path: Path):
    long = "1 2 " * 500_000
    assert read(path, f"path,rle\na.jpg,{long}\n").rows == [["a.jpg", long]]


def test_only_empty_values_may_exceed_the_header(path: Path):
    table = read(path, "path,label,,\na.jpg,1\nb.jpg,2,,,,\nc.jpg,3,,\n")
    assert table.rows == [["a.jpg", "1", "", ""], ["b.jpg", "2", "", ""], ["c.jpg", "3", "", ""]]
    path.write_text("path,label,\na.jpg,1,,x\nb.jpg\n")
    problems = Problems("x")
    table = read_table(path, problems)
    assert table is not None and table.rows == []
    assert problems.kinds == {
        "row with too few or too many values": [
            "a.csv row 2: 4 values, the header has 3",
            "a.csv row 3: 1 values, the header has 3",
        ]
    }


@pytest.mark.parametrize(
    ("content", "kind", "detail"),
    [
        (b'path,label\na,1\n"b,1\n', "invalid CSV", "deep/a.csv row 3: unexpected end of data"),
        (b" \n,,\n", "empty table", "deep/a.csv"),
        (
            "path,label\na,1\n".encode("utf-16-le"),
            "table with NUL characters",
            "a.csv: not a text in utf-8; for UTF-16 with",
        ),
        (
            "path,label\ncafé,1\n".encode("cp1252"),
            "table that is not UTF-8",
            "a.csv row 2: byte 0xe9; save it as UTF-8",
        ),
    ],
)
def test_invalid_tables_are_a_problem(path: Path, content: bytes, kind: str, detail: str):
    path.write_bytes(content)
    problems = Problems("x")
    read_table(path, problems, name="deep/a.csv")
    assert list(problems.kinds) == [kind] and detail in problems.kinds[kind][0]


def test_the_header_of_a_file_in_another_encoding_is_read(path: Path):
    path.write_bytes("path,Größe\n".encode("cp1252"))
    assert table_header(path)[0] == "path"
    assert table_header(path.with_name("none.csv")) == []


def test_the_field_limit_is_raised_for_all_readers():
    assert csv.field_size_limit() > 10**9
