"""Settings on the command line: parses flags, and formats --help, --help-all, --version and the tables of the docs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from model import __version__
from model.errors import InputError
from model.settings.fields import Layer, build, canonical, fields_by_section, nearest_setting, value_text

S = TypeVar("S")

NAME_WIDTH = 30  # characters of the column of names in --help
MAX_WIDTH = 120  # characters of a line of --help on a wide terminal

HELP, HELP_ALL, VERSION = "help", "help_all", "version"
TEXT_FLAGS = {"-h": HELP, "--help": HELP, "--help-all": HELP_ALL, "--help_all": HELP_ALL, "--version": VERSION}


class TextRequested(Exception):
    """One of TEXT_FLAGS is among the flags.

    Attributes:
        text: HELP (the common settings), HELP_ALL (all settings) or VERSION.
    """

    def __init__(self, text: str):
        super().__init__(text)
        self.text = text


def requested_text(argv: Sequence[str]) -> str | None:
    """The text that the first of TEXT_FLAGS requests: HELP, HELP_ALL or VERSION; None if there is none."""
    return next((TEXT_FLAGS[token] for token in argv if token in TEXT_FLAGS), None)


def version_text() -> str:
    """`rarebird 0.1.0`, which --version prints."""
    return f"rarebird {__version__}"


def parse_flags(cls: type, argv: Sequence[str]) -> dict[str, str]:
    """Parses --name VALUE ..., --name=VALUE and --switch into the text of each setting; `_` and `-` are equal.

    A setting that is a list or a mapping takes several words (--input_size 128 96). If a setting is positional, words
    before the first flag are its values, and so are words after the one value of a flag. Names are not checked:
    fields.build reports unknown ones together with wrong values.

    Args:
        cls: The settings class.
        argv: The command line without the name of the program.

    Returns:
        The value of each flag as text, by the setting's name.

    Raises:
        TextRequested: For --help, --help-all and --version.
        InputError: Lists all words that belong to no flag, all flags without a value and all with too many.
    """
    text = requested_text(argv)
    if text is not None:
        raise TextRequested(text)
    hints = typing.get_type_hints(cls)
    positional = next((field.name for field in dataclasses.fields(cls) if field.metadata["positional"]), None)
    words_by_name, stray = _words_by_name(argv, positional, hints)
    problems = [_stray_word(cls, word) for word in stray]
    for name, words in words_by_name.items():
        hint = hints.get(name, str)
        if not words:
            if hint is bool:
                words.append("true")
            else:
                is_known = name in hints or name in getattr(cls, "ALIASES", {})
                problems.append(f"--{name} needs a value" if is_known else _unknown_flag(cls, name, hints))
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
    """The words after each flag (after the last one if it is repeated), and the words that belong to no flag."""
    words_by_name: dict[str, list[str]] = {}
    stray: list[str] = []
    words: list[str] | None = None  # of the current flag
    is_full = False  # the current flag has its one value
    for token in argv:
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


def _unknown_flag(cls: type, name: str, hints: Mapping[str, Any]) -> str:
    """The problem with a flag that is no setting and has no value, such as --quiet or --no_pretrained."""
    negated = name.removeprefix("no_")
    if negated != name and hints.get(negated) is bool:
        return f"--{name}: there is no such setting; to switch {negated} off, set --{negated} false"
    texts = [flag[2:] for flag in TEXT_FLAGS if flag.startswith("--") and "_" not in flag]
    return f"--{name}: there is no such setting{nearest_setting(cls, name, texts)}"


def _stray_word(cls: type, word: str) -> str:
    """The problem with a word that belongs to no flag. A path is taken for the main input, such as train_dir."""
    close = nearest_setting(cls, canonical(word))
    main_input = getattr(cls, "MAIN_INPUT", None)
    if main_input and ("/" in word or os.path.exists(word)):
        close = f"; did you mean --{main_input} {word}?"
    return f"{word!r} belongs to no flag; flags start with --{close}"


def from_flags(cls: type[S], argv: Sequence[str], usage: str) -> S:
    """Builds a settings class from flags alone. --help, --help-all and --version print and end the process.

    Args:
        cls: The settings class.
        argv: The command line without the name of the program.
        usage: What the program does, which --help prints first.

    Raises:
        InputError: Lists everything that is wrong with the flags.
    """
    try:
        flags = parse_flags(cls, argv)
    except TextRequested as requested:
        is_version = requested.text == VERSION
        print(version_text() if is_version else help_text(cls, usage, common_only=requested.text == HELP))
        raise SystemExit(0) from None
    return build(cls, [Layer("--{}", flags)])


def _takes_words(hint: Any) -> bool:
    """Whether a setting of this type takes several words."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(typing.get_origin(kind) in (list, dict) for kind in kinds)


def help_text(
    cls: type, usage: str, defaults: Mapping[str, Any] | None = None, *, common_only: bool = False, program: str = ""
) -> str:
    """The text of --help or --help-all: the usage, then settings with their meaning, choices, unit and default.

    Args:
        cls: The settings class.
        usage: What the program does, printed first.
        defaults: The defaults that differ from those of the class.
        common_only: List only the common settings (fields.setting), if the class has any, and print of the usage only
            its first two paragraphs: a summary and examples. False: all settings by section.
        program: The command line that starts the program, for the line about --help-all.
    """
    by_section, hints = fields_by_section(cls), typing.get_type_hints(cls)
    fields = [field for section in by_section.values() for field in section]
    common = [field for field in fields if field.metadata["common"]]
    is_short = common_only and bool(common)
    if is_short:
        usage = "\n\n".join(usage.strip().split("\n\n")[:2])
        by_section = {"Common settings": common}
    lines = [usage.strip(), ""]
    for section, in_section in by_section.items():
        if section:
            lines += ["", f"{section}:"]
        for field in in_section:
            lines += _setting_lines(hints[field.name], field, defaults or {})
    if is_short:
        lines += ["", f"All {len(fields)} settings: {program} --help-all".replace("  ", " ")]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _setting_lines(hint: Any, field: dataclasses.Field[Any], defaults: Mapping[str, Any]) -> list[str]:
    """A setting as lines of --help: its name in a column, its meaning wrapped in another."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    name = f"--{field.name} {_placeholder(hint, field)}"
    if field.metadata["positional"]:
        name = positional_name(field)
    head = f"  {name}".rstrip()
    body = textwrap.wrap(_meaning(field, defaults), max(width - NAME_WIDTH, 40))
    lines = [head]
    if len(head) < NAME_WIDTH - 1:
        lines = [f"{head:<{NAME_WIDTH}}{body.pop(0)}"]
    return lines + [" " * NAME_WIDTH + line for line in body]


def settings_table(cls: type) -> str:
    """The settings as a Markdown table."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for section, fields in fields_by_section(cls).items():
        if section:
            lines.append(f"| **{section}** | | |")
        for field in fields:
            meaning = _meaning(field, None).replace("|", "\\|")
            default = field.metadata["unset"] or f"`{_default(field)}`"
            lines.append(f"| `{field.name}` | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: dataclasses.Field[Any]) -> str:
    """A field's default as text."""
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[operator]
    return value_text(value)


def _meaning(field: dataclasses.Field[Any], defaults: Mapping[str, Any] | None) -> str:
    """A field's meaning, choices, unit and, unless defaults is None, its default."""
    meta = field.metadata
    text = meta["help"]
    if not set(re.findall(r"\w+", text)).issuperset(meta["choices"]):  # the meaning does not explain each of them
        text += f": one of {', '.join(meta['choices'])}"
    notes = [meta["unit"]] if meta["unit"] else []
    if defaults is not None:
        default = defaults.get(field.name, meta["unset"] or _default(field))
        notes.append(f"default: {default}")
    return f"{text} ({'; '.join(notes)})" if notes else text


def positional_name(field: dataclasses.Field[Any]) -> str:
    """The name of a positional setting in --help: IMAGE."""
    return field.metadata["placeholder"] or field.name.upper()


def _placeholder(hint: Any, field: dataclasses.Field[Any]) -> str:
    """The placeholder of a setting's value in --help: N, X ..., DIR, NAME."""
    if field.metadata["placeholder"]:
        return str(field.metadata["placeholder"])
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
