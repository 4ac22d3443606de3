"""Tables that fit a terminal: columns counted as it shows them, where a Korean letter takes two."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tabulate import MIN_PADDING, tabulate
from wcwidth import wcswidth


def table(columns: Mapping[str, Sequence[str]], right: Sequence[str] = ()) -> str:
    """Columns of text by header. right: those that are aligned on the right."""
    sides = ["right" if header in right else "left" for header in columns]
    return tabulate(columns, headers="keys", disable_numparse=True, colalign=sides)


def table_width(columns: Mapping[str, Sequence[str]]) -> int:
    """What `table` makes of the columns, in columns of the terminal."""
    widest = [max(_widest(header) + MIN_PADDING, *map(_widest, cells)) for header, cells in columns.items()]
    return sum(widest) + 2 * (len(widest) - 1)


def _widest(text: str) -> int:
    return max(map(wcswidth, text.split("\n")))


def blocks(columns: Mapping[str, list[str]], width: int) -> list[dict[str, list[str]]]:
    """Columns in as many tables below each other as they need; each begins with the first column."""
    (first, names), *others = columns.items()
    made = [{first: names}]
    for header, cells in others:
        if len(made[-1]) > 1 and table_width(made[-1] | {header: cells}) > width:
            made.append({first: names})
        made[-1][header] = cells
    return made


def shortened(text: str, width: int) -> str:
    """text, its middle left out where it is wider than `width`."""
    if wcswidth(text) <= width:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while wcswidth(f"{head}…{tail}") > width:
        if wcswidth(head) > wcswidth(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"


def wrapped(texts: Sequence[str], width: int) -> str:
    """texts side by side in lines of at most `width`, each whole, or shortened where it is wider."""
    lines: list[str] = []
    for text in texts:
        text = shortened(text, width)
        if lines and wcswidth(f"{lines[-1]}  {text}") <= width:
            lines[-1] += f"  {text}"
        else:
            lines.append(text)
    return "\n".join(lines)


def broken(name: str, width: int) -> str:
    """A setting's name in lines of at most `width`, cut behind _ and points."""
    lines = [""]
    for part in re.split(r"(?<=[_.])", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
