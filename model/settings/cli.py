"""Settings as command-line flags, as --help and as a table for the documents."""

from __future__ import annotations

import dataclasses
import json
import shutil
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from model.errors import InputError, did_you_mean
from model.settings.fields import Layer, build, canonical, value_text

S = TypeVar("S")

NAME_WIDTH = 30


class HelpAsked(Exception):
    """--help or -h stands among the flags."""


def parse_flags(cls: type, argv: Sequence[str]) -> dict[str, str]:
    """{setting: its text} from --name VALUE ..., --name=VALUE, --switch; _ and - alike.

    Several words belong to a setting that is a list or a mapping (--input_size 128 96), words before the first flag
    to the positional one. Raises HelpAsked, and InputError for all words that are no flags and values that are
    missing; unknown names are left to fields.build, which tells them together with what is wrong with the values.
    """
    hints = typing.get_type_hints(cls)
    found: dict[str, list[str]] = {}
    faults: list[str] = []
    standing = next((f.name for f in dataclasses.fields(cls) if f.metadata["positional"]), None)
    words: list[str] | None = None
    for token in argv:
        if token in ("-h", "--help"):
            raise HelpAsked
        if token.startswith("--") and len(token) > 2:
            name, equals, value = token[2:].partition("=")
            words = found[canonical(name)] = [value] if equals else []
        elif words is None and standing:
            words = found.setdefault(standing, [])
            words.append(token)
        elif words is None:
            faults.append(f"{token!r} stands alone; a flag begins with --{did_you_mean(canonical(token), hints)}")
        else:
            words.append(token)
    for name, given in found.items():
        hint = hints.get(name, str)
        if not given:
            if hint is bool:
                given.append("true")
            else:
                close = "" if name in hints else did_you_mean(name, hints)
                faults.append(f"--{name} needs a value{close}")
        elif len(given) > 1 and name in hints and not _takes_words(hint):
            faults.append(f"--{name} takes one value, not {len(given)}: {' '.join(given)}")
    if faults:
        raise InputError("flags:\n" + "\n".join(f"  {fault}" for fault in faults))
    return {
        name: json.dumps(given, ensure_ascii=False)
        if name == standing and _takes_words(hints[name])
        else " ".join(given)
        for name, given in found.items()
    }


def from_flags(cls: type[S], argv: Sequence[str], usage: str) -> S:
    """A settings class from flags alone; --help prints and ends. InputError tells everything that is wrong."""
    try:
        flags = parse_flags(cls, argv)
    except HelpAsked:
        print(help_text(cls, usage))
        raise SystemExit(0) from None
    return build(cls, [Layer("--{}", flags)])


def _takes_words(hint: Any) -> bool:
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(typing.get_origin(kind) in (list, dict) for kind in kinds)


def help_text(cls: type, usage: str, defaults: Mapping[str, Any] | None = None) -> str:
    """What --help prints: the usage, then every setting by section with its meaning, choices, unit and default.
    defaults: those that differ from the class's."""
    width = min(shutil.get_terminal_size().columns, 120)
    lines = [usage.strip(), ""]
    for field in dataclasses.fields(cls):
        meta = field.metadata
        if meta["section"]:
            lines += ["", f"{meta['section']}:"]
        name = field.name.upper() if meta["positional"] else f"--{field.name} {_placeholder(cls, field)}"
        head = f"  {name}".rstrip()
        body = textwrap.wrap(_meaning(field, defaults or {}), max(width - NAME_WIDTH, 40))
        if len(head) < NAME_WIDTH - 1:
            lines.append(f"{head:<{NAME_WIDTH}}{body[0]}")
            body = body[1:]
        else:
            lines.append(head)
        lines += [" " * NAME_WIDTH + line for line in body]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def settings_table(cls: type) -> str:
    """The settings as a Markdown table."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for field in dataclasses.fields(cls):
        if field.metadata["section"]:
            lines.append(f"| **{field.metadata['section']}** | | |")
        meaning = _meaning(field, None).replace("|", "\\|")
        lines.append(f"| `{field.name}` | `{_default(field)}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[operator]
    return value_text(value)


def _meaning(field: dataclasses.Field[Any], defaults: Mapping[str, Any] | None) -> str:
    """defaults: None to leave the default out."""
    meta = field.metadata
    text = meta["help"]
    if meta["choices"]:
        text += f"; one of {', '.join(meta['choices'])}"
    notes = [meta["unit"]] if meta["unit"] else []
    if defaults is not None:
        notes.append(f"default {defaults.get(field.name, _default(field))}")
    return f"{text} ({', '.join(notes)})" if notes else text


def _placeholder(cls: type, field: dataclasses.Field[Any]) -> str:
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
