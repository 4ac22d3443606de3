import io
import logging
import sys
import unicodedata

import pytest

from model.runtime.terminal import ProgressBar, shortened, text_table, text_width


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal of 120 columns in place of stderr, once the test calls it: pytest replaces stderr before."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("model.runtime.terminal.REFRESH_SECONDS", 0.0)

    def replace(stream: io.StringIO | None = None) -> io.StringIO:
        monkeypatch.setattr(sys, "stderr", stream or Terminal())
        return sys.stderr

    return replace


@pytest.fixture
def log():
    """The logger of all jobs with a handler of its own."""
    logger, handler = logging.getLogger("rarebird"), logging.StreamHandler()
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield logger
    logger.removeHandler(handler)


def displayed_width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def screen(written: str) -> list[str]:
    """What a terminal shows of it: only the sequences that a bar of one line writes are known."""
    lines, row, column = [""], 0, 0
    text = written.replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\x1b[2K", "\0").replace("\x1b[1A", "\1")
    while text:
        if text.startswith("\x1b["):
            text = text[text.index("m") + 1 :]
            continue
        letter, text = text[0], text[1:]
        if letter == "\n":
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        elif letter == "\r":
            column = 0
        elif letter == "\0":
            lines[row] = ""
        elif letter == "\1":
            row -= 1
        else:
            lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
            column += 1
    return lines


def test_columns_are_as_wide_as_their_widest_cell_and_aligned():
    assert text_table(["class", "n"], [["착용샷", "1"], ["top", "1,000"]], right=[1]).splitlines() == [
        "class       n",
        "------  -----",
        "착용샷      1",
        "top     1,000",
    ]
    assert text_table(["a", "b"], []) == "a  b\n-  -"


def test_cells_are_plain_text_whatever_the_surroundings_say(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "10")
    cell = "[bold]a[/bold] :smile: https://x.y 12 'z' None"
    assert text_table(["h"], [[cell]]).splitlines() == ["h", "-" * len(cell), cell]


def test_a_table_is_wrapped_to_its_width():
    lines = text_table(
        ["name", "text"], [["a", "one two three 착용샷착용샷착용샷"], ["b", "four"]], width=16
    ).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["a", "one", "two"],
        ["three"],
        ["착용샷착용"],
        ["샷착용샷"],
        ["b", "four"],
    ]
    assert max(map(displayed_width, lines)) == 16 and not any(line.endswith(" ") for line in lines)


def test_texts_are_measured_and_shortened_as_the_terminal_shows_them():
    assert text_width("착용샷\na") == 6 and text_width("") == 0
    assert shortened("abcdefghij", 5) == "ab…ij" and shortened("abc", 5) == shortened("abc", 3) == "abc"
    assert shortened("abcdefghij", 4) == "ab…j"
    assert displayed_width(shortened("착용샷설치후배치컷", 9)) <= 9


def test_a_bar_shows_count_rate_and_is_erased(terminal):
    stderr = terminal()
    with ProgressBar("epoch 1/3", 640, done=64) as bar:
        for _ in range(4):
            bar.update(64)
        (line,) = screen(stderr.getvalue())
        assert line.startswith("epoch 1/3 ") and " 320/640 pictures " in line and " pictures/s " in line
    assert "".join(screen(stderr.getvalue())) == ""


def test_bytes_have_prefixes_and_need_no_total(terminal):
    stderr = terminal()
    with ProgressBar("sent", unit="B") as bar:
        bar.update(2_500_000)
        (line,) = screen(stderr.getvalue())
        assert line.startswith("sent ") and " 2.5 MB " in line and "/s" in line


def test_lines_of_the_log_stay_whole_above_the_bar(terminal, log):
    stderr = terminal()
    log.handlers[-1].setStream(stderr)
    with ProgressBar("epoch 1/3", 640) as bar:
        bar.update(64)
        log.info("first")
        assert screen(stderr.getvalue()) == ["first", ""]
        log.warning("second")
        bar.update(64)
        print("third", file=sys.stderr)
        *lines, shown = screen(stderr.getvalue())
        assert lines == ["first", "second", "third"] and "128/640" in shown
    log.info("fourth")
    assert screen(stderr.getvalue()) == ["first", "second", "third", "fourth", ""]
    assert not log.filters


def test_a_bar_that_an_error_leaves_is_erased(terminal, log):
    stderr = terminal()
    log.handlers[-1].setStream(stderr)
    with pytest.raises(ValueError, match="x"), ProgressBar("epoch 1/3", 640) as bar:
        bar.update(64)
        raise ValueError("x")
    assert "".join(screen(stderr.getvalue())) == "" and stderr.getvalue().count("\x1b[?25h") == 1
    assert not log.filters and sys.stderr is stderr


def test_no_bar_without_a_terminal_or_where_it_is_not_wanted(terminal, monkeypatch):
    stderr = terminal()
    with ProgressBar("x", 2, shown=False) as bar:
        bar.update(1)
        bar.refresh()
    assert not bar.shown and not stderr.getvalue()
    stderr = terminal(io.StringIO())
    with ProgressBar("x", 2) as bar:
        bar.update(1)
        bar.refresh()
    assert not bar.shown and not stderr.getvalue()
    monkeypatch.setenv("TERM", "dumb")
    stderr = terminal()
    with ProgressBar("x", 2) as bar:
        bar.update(1)
    assert not bar.shown and not stderr.getvalue()
