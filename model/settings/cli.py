"""Settings on the command line: parses flags, and writes --help and the Markdown tables of the documents."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from model.errors import InputError, did_you_mean
from model.settings.fields import Layer, build, canonical, fields_by_section, value_text

S = TypeVar("S")

NAME_WIDTH = 30  # characters of the column of names in --help


class HelpAsked(Exception):
    """--help or -h is among the flags."""


def parse_flags(cls: type, argv: Sequence[str]) -> dict[str, str]:
    """Parses --name VALUE ..., --name=VALUE and --switch into the text of each setting; `_` and `-` are equal.

    A setting that is a list or a mapping takes several words (--input_size 128 96); words before the first flag, and
    those behind the one value of a flag, belong to the positional setting, if there is one. Names are not checked:
    fields.build reports unknown ones together with wrong values.

    Raises:
        HelpAsked: For -h and --help.
        InputError: Lists all words that belong to no flag, missing values and surplus ones.
    """
    hints = typing.get_type_hints(cls)
    positional = next((field.name for field in dataclasses.fields(cls) if field.metadata["positional"]), None)
    words_by_name, stray = _words_by_name(argv, positional, hints)
    problems = [_stray_word(cls, word, hints) for word in stray]
    for name, words in words_by_name.items():
        hint = hints.get(name, str)
        if not words:
            if hint is bool:
                words.append("true")
            else:
                close = "" if name in hints else did_you_mean(name, hints)
                problems.append(f"--{name} needs a value{close}")
        elif len(words) > 1 and name in hints and not _takes_words(hint):
            problems.append(f"--{name} takes one value, not {len(words)}: {' '.join(words)}")
    if problems:
        raise InputError("flags:\n" + "\n".join(f"  {problem}" for problem in problems))
    return {
        # positional words are file names: as JSON they keep their spaces and commas
        name: json.dumps(words, ensure_ascii=False)
        if name == positional and _takes_words(hints[name])
        else " ".join(words)
        for name, words in words_by_name.items()
    }


def _words_by_name(
    argv: Sequence[str], positional: str | None, hints: Mapping[str, Any]
) -> tuple[dict[str, list[str]], list[str]]:
    """The words after each flag (where one is repeated, after its last), and the words that belong to none."""
    words_by_name: dict[str, list[str]] = {}
    stray: list[str] = []
    words: list[str] | None = None  # of the flag at hand
    is_full = False  # the flag at hand has its one value
    for token in argv:
        if token in ("-h", "--help"):
            raise HelpAsked
        if token.startswith("--") and len(token) > 2:
            name, equals, value = token[2:].partition("=")
            words = words_by_name[canonical(name)] = [value] if equals else []
            takes_one = canonical(name) in hints and not _takes_words(hints[canonical(name)])
            is_full = takes_one and bool(words)
            continue
        if positional is not None and (words is None or is_full):
            words_by_name.setdefault(positional, []).append(token)
            continue
        (stray if words is None else words).append(token)
        is_full = words is not None and takes_one
    return words_by_name, stray


def _stray_word(cls: type, word: str, hints: Mapping[str, Any]) -> str:
    """The problem of a word that belongs to no flag. A path is taken for the main input, such as train_dir."""
    close = did_you_mean(canonical(word), hints)
    main_input = getattr(cls, "MAIN_INPUT", None)
    if main_input and ("/" in word or os.path.exists(word)):
        close = f", as in --{main_input} {word}"
    return f"{word!r} stands alone; a flag begins with --{close}"


def from_flags(cls: type[S], argv: Sequence[str], usage: str) -> S:
    """Builds a settings class from flags alone; --help prints and exits. InputError lists everything that is wrong."""
    try:
        flags = parse_flags(cls, argv)
    except HelpAsked:
        print(help_text(cls, usage))
        raise SystemExit(0) from None
    return build(cls, [Layer("--{}", flags)])


def _takes_words(hint: Any) -> bool:
    """Whether a setting of this type takes several words."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(typing.get_origin(kind) in (list, dict) for kind in kinds)


def help_text(cls: type, usage: str, defaults: Mapping[str, Any] | None = None) -> str:
    """The text of --help: the usage, then every setting by section with its meaning, choices, unit and default.

    Args:
        cls: The settings class.
        usage: What the program does, printed first.
        defaults: The defaults that differ from those of the class.
    """
    width = min(shutil.get_terminal_size().columns, 120)
    lines = [usage.strip(), ""]
    for section, fields in fields_by_section(cls).items():
        if section:
            lines += ["", f"{section}:"]
        for field in fields:
            name = f"--{field.name} {_placeholder(cls, field)}"
            if field.metadata["positional"]:
                name = field.name.upper()
            head = f"  {name}".rstrip()
            body = textwrap.wrap(_meaning(field, defaults or {}), max(width - NAME_WIDTH, 40))
            if len(head) < NAME_WIDTH - 1:
                lines.append(f"{head:<{NAME_WIDTH}}{body.pop(0)}")
            else:
                lines.append(head)
            lines += [" " * NAME_WIDTH + line for line in body]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def settings_table(cls: type) -> str:
    """The settings as a Markdown table."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for section, fields in fields_by_section(cls).items():
        if section:
            lines.append(f"| **{section}** | | |")
        for field in fields:
            meaning = _meaning(field, None).replace("|", "\\|")
            lines.append(f"| `{field.name}` | `{_default(field)}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: dataclasses.Field[Any]) -> str:
    """A field's default as text."""
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[operator]
    return value_text(value)


def _meaning(field: dataclasses.Field[Any], defaults: Mapping[str, Any] | None) -> str:
    """A field's meaning, choices, unit and, unless defaults is None, its default."""
    meta = field.metadata
    text = meta["help"]
    if meta["choices"]:
        text += f"; one of {', '.join(meta['choices'])}"
    notes = [meta["unit"]] if meta["unit"] else []
    if defaults is not None:
        notes.append(f"default {defaults.get(field.name, _default(field))}")
    return f"{text} ({', '.join(notes)})" if notes else text


def _placeholder(cls: type, field: dataclasses.Field[Any]) -> str:
    """What stands for the value in --help: N, X ..., DIR, NAME."""
    hint = typing.get_type_hints(cls)[field.name]
    if isinstance(hint, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if typing.get_origin(hint) is list:
        inner = typing.get_args(hint)[0]
        return {int: "N ...", float: "X ..."}.get(inner, "NAME ...")
    if typing.get_origin(hint) is dict:
        return "{...}"
    if hint is str and field.name.endswith("_dir"):
        return "DIR"
    return {bool: "true|false", int: "N", float: "X"}.get(hint, "NAME" if field.metadata["choices"] else "TEXT")
