from pathlib import Path

import pytest

from model.data.readers.text_files import read_beginning, read_lines, read_text
from model.errors import Problems

ADVICE = "save it as UTF-8, or set --encoding to its encoding (cp1252, cp949, ...)"


def test_lines_keep_their_numbers_without_blank_ones_and_byte_order_mark(tmp_path: Path):
    (tmp_path / "a.lst").write_bytes("\ufeff1\ta\r\n\r\n  \n2\tb\n".encode())
    problems = Problems("x")
    assert read_lines(tmp_path / "a.lst", problems) == [(1, "1\ta"), (4, "2\tb")]
    assert not problems


def test_lone_carriage_returns_end_lines_and_encodings_are_read(tmp_path: Path):
    for content, encoding in (
        ("1\tä\r\r2\tb\r".encode("cp1252"), "cp1252"),
        ("1\tä\n\n2\tb".encode("utf-16"), "utf-8"),
    ):
        (tmp_path / "a.lst").write_bytes(content)
        assert read_lines(tmp_path / "a.lst", Problems("x"), encoding) == [(1, "1\tä"), (3, "2\tb")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {"empty table": ["a.lst"]}),
        (b" \n\n", {"empty table": ["a.lst"]}),
        ("a\nb\n착".encode("cp949"), {"table that is not UTF-8": [f"a.lst row 3: byte 0xc2; {ADVICE}"]}),
        ("a\rb\r착".encode("cp949"), {"table that is not UTF-8": [f"a.lst row 3: byte 0xc2; {ADVICE}"]}),
        (b"\xff\xfea", {"table that is not utf-16": [f"a.lst row 1: byte 0x61; {ADVICE}"]}),
        (None, {"unreadable table": ["a.lst: No such file or directory"]}),
    ],
)
def test_unreadable_text_is_a_problem(tmp_path: Path, content: bytes | None, expected: dict[str, list[str]]):
    if content is not None:
        (tmp_path / "a.lst").write_bytes(content)
    problems = Problems("x")
    assert read_lines(tmp_path / "a.lst", problems) == []
    assert problems.kinds == expected
    if "empty table" not in expected:
        assert read_text(tmp_path / "a.lst", Problems("x")) is None


def test_the_beginning_is_read_in_any_encoding(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"path,\xc2\n" + b"x" * 2**21)
    text = read_beginning(tmp_path / "a.csv")
    assert text.startswith("path,\ufffd\nxxx") and len(text) < 2**20 + 10
    (tmp_path / "a.csv").write_bytes("path,ä".encode("utf-16"))
    assert read_beginning(tmp_path / "a.csv") == "path,ä" and read_beginning(tmp_path / "none.csv") == ""
