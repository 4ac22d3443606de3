from pathlib import Path

import pytest

from model.data.readers.text_files import read_lines, read_text
from model.errors import Problems


def test_lines_keep_their_numbers_without_blank_ones_and_byte_order_mark(tmp_path: Path):
    (tmp_path / "a.lst").write_bytes("\ufeff1\ta\r\n\r\n  \n2\tb\n".encode())
    problems = Problems("x")
    assert read_lines(tmp_path / "a.lst", problems) == [(1, "1\ta"), (4, "2\tb")]
    assert not problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {"empty table": ["a.lst"]}),
        (b" \n\n", {"empty table": ["a.lst"]}),
        ("a\nb\n착".encode("cp949"), {"table that is not UTF-8": ["a.lst row 3: save it as UTF-8"]}),
        (None, {"table that cannot be read": ["a.lst: No such file or directory"]}),
    ],
)
def test_what_cannot_be_read_is_a_problem(tmp_path: Path, content: bytes | None, expected: dict[str, list[str]]):
    if content is not None:
        (tmp_path / "a.lst").write_bytes(content)
    problems = Problems("x")
    assert read_lines(tmp_path / "a.lst", problems) == []
    assert problems.kinds == expected
    if "empty table" not in expected:
        assert read_text(tmp_path / "a.lst", Problems("x")) is None
