"""Reads text files of a channel in any encoding. What is wrong with them is added to problems, not raised."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from model.errors import Problems

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
LINE_END = re.compile(r"\r\n|\r|\n")  # Excel for Mac ends lines with a lone carriage return


def read_text(path: Path, problems: Problems, encoding: str = "utf-8") -> str | None:
    """The text of a file without its byte-order mark; None, and a problem, if it is unreadable.

    Args:
        path: The file.
        problems: Collects why it is unreadable.
        encoding: Python's name of the encoding. Ignored if the file has the byte-order mark of UTF-8 or UTF-16.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.add("unreadable table", f"{path.name}: {error.strerror}")
        return None
    return decode_text(content, path.name, problems, encoding)


def decode_text(content: bytes, name: str, problems: Problems, encoding: str = "utf-8") -> str | None:
    """The text of a file as read_text returns it.

    Args:
        content: The content of the file.
        name: Its name in messages.
        problems: As in read_text.
        encoding: As in read_text.
    """
    used = _encoding_of(content, encoding)
    try:
        text = content.decode(used)
    except UnicodeDecodeError as error:
        row = len(LINE_END.findall(content[: error.start].decode("latin-1"))) + 1
        kind = f"table that is not {encoding.upper() if used == encoding else used}"
        advice = "save it as UTF-8, or set --encoding to its encoding (cp1252, cp949, ...)"
        problems.add(kind, f"{name} row {row}: byte 0x{content[error.start]:02x}; {advice}")
        return None
    if "\0" in text:
        advice = "for UTF-16 without a byte-order mark, set --encoding utf-16-le or utf-16-be"
        problems.add("table with NUL characters", f"{name}: not a text in {used}; {advice}")
        return None
    return text


def read_beginning(path: Path, encoding: str = "utf-8") -> str:
    """The text of the first MiB of a file, with invalid bytes replaced; "" if the file is unreadable."""
    try:
        with path.open("rb") as file:
            content = file.read(2**20)
    except OSError:
        return ""
    return content.decode(_encoding_of(content, encoding), errors="replace")


def _encoding_of(content: bytes, encoding: str) -> str:
    """The encoding of the byte-order mark, if the content has one, otherwise `encoding`."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if content.startswith(UTF_16_MARKS) else encoding


def read_lines(path: Path, problems: Problems, encoding: str = "utf-8") -> list[tuple[int, str]]:
    """The number, from 1, and text of each line that is not blank. A file without such lines is a problem.

    Arguments: see read_text.
    """
    text = read_text(path, problems, encoding)
    if text is None:
        return []
    lines = [(number, line) for number, line in enumerate(LINE_END.split(text), 1) if line.strip()]
    if not lines:
        problems.add("empty table", path.name)
    return lines
