"""Text files of a channel, read as UTF-8; what is wrong with them becomes a problem, not an exception."""

from __future__ import annotations

from pathlib import Path

from model.errors import Problems


def read_text(path: Path, problems: Problems) -> str | None:
    """The text of a file without its byte-order mark. None, and a problem, where it cannot be read as UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.add("table that cannot be read", f"{path.name}: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.add("table that is not UTF-8", f"{path.name} row {line}: save it as UTF-8")
    return None


def read_lines(path: Path, problems: Problems) -> list[tuple[int, str]]:
    """The lines that are not blank, each with its number from 1. None at all is a problem."""
    text = read_text(path, problems)
    if text is None:
        return []
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        problems.add("empty table", path.name)
    return lines
