import io
import sys

import pytest
from wcwidth import wcswidth

from model.runtime.terminal import counted, progress_bar, shortened, table_width, text_table, text_width


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "epoch", "1 epoch"), (0, "epoch", "0 epochs"), (2, "batch", "2 batches"), (1200, "class", "1,200 classes")],
)
def test_a_number_with_its_noun(number, noun, text):
    assert counted(number, noun) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stderr(monkeypatch):
    """Returns a function that replaces stderr by a stream; the test calls it after pytest has replaced stderr."""

    def replace(stream: io.StringIO) -> io.StringIO:
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replace


def test_columns_are_aligned_by_their_width_on_a_terminal():
    table = text_table(["class", "images"], [["착용샷", "1"], ["top", "1,000"]], right=[1])
    assert table.splitlines() == [
        "class      images",
        "-------  --------",
        "착용샷          1",
        "top         1,000",
    ]


def test_a_table_may_be_markdown():
    table = text_table(["class", "n"], [["착용샷", "1"]], right=[1], style="pipe")
    assert [line.replace(" ", "") for line in table.splitlines()] == ["|class|n|", "|:--------|----:|", "|착용샷|1|"]


def test_table_values_are_text_not_numbers():
    assert text_table(["seed"], [["0017"], ["1e5"]]).splitlines()[2:] == ["0017", "1e5"]


@pytest.mark.parametrize("rows", [[], [["착용샷착용샷", "1"], ["a", "23456"]]])
def test_the_width_of_a_table_is_that_of_its_lines(rows):
    headers = ["name", "n"]
    assert table_width(headers, rows) == max(map(wcswidth, text_table(headers, rows).splitlines()))


def test_texts_are_measured_and_shortened_by_their_width_on_a_terminal():
    assert text_width("착용샷\na") == 6 and text_width("") == 0
    assert shortened("abcdefghij", 5) == "ab…ij" and shortened("abc", 5) == shortened("abc", 3) == "abc"
    assert wcswidth(shortened("착용샷설치후배치컷", 9)) <= 9


def test_a_bar_shows_count_and_rate_and_is_erased(stderr):
    stream = stderr(Terminal())
    with progress_bar("epoch 1/3", 640, done=64) as bar:
        bar.update(256)
        bar.refresh()
        assert "epoch 1/3:" in stream.getvalue() and " 320/640 " in stream.getvalue()
        assert " images/s" in stream.getvalue()
    assert stream.getvalue().endswith("\r") and not stream.getvalue().rsplit("\r", 2)[1].strip()


def test_bytes_have_prefixes_and_need_no_total(stderr):
    stream = stderr(Terminal())
    with progress_bar("sent", unit="B") as bar:
        bar.update(2_500_000)
        bar.refresh()
        assert "2.50MB" in stream.getvalue()


@pytest.mark.parametrize(("stream", "shown"), [(io.StringIO(), True), (Terminal(), False)])
def test_there_is_no_bar_without_a_terminal_or_with_shown_false(stderr, stream, shown):
    stderr(stream)
    with progress_bar("x", 2, shown=shown) as bar:
        bar.update(1)
        bar.refresh()
    assert bar.disable and not stream.getvalue()
