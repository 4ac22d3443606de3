"""Decodes the value of one setting into its declared type, from text in any of its encodings.

SageMaker's clients encode a value in five ways (str() of SDK 2, JSON of its frameworks, SDK 3, the tuner, the command
line), so `decode` accepts each of them, and values that are no text.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import yaml

TRUE = {"true", "1", "yes", "on", "y", "t"}
FALSE = {"false", "0", "no", "off", "n", "f"}
ABSENT = {"", "none", "null"}


def decode(hint: Any, raw: Any) -> Any:
    """Decodes a value.

    Args:
        hint: The declared type: bool, int, float, str, list[...], dict[str, dict[str, Any]] (names with arguments),
            dict[str, Any], or one of these | None.
        raw: The value as text, or as a value of JSON, YAML or Python.

    Returns:
        The value with the declared type.

    Raises:
        ValueError: Names what was expected.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(arg for arg in args if arg is not type(None))
        if raw is None or (isinstance(raw, str) and raw.strip().strip('"').lower() in ABSENT):
            return None
        return decode(inner, raw)
    if isinstance(raw, str):
        raw = _unquote(raw)
    if hint is bool:
        return _decode_bool(raw)
    if hint in (int, float):
        return _decode_number(hint, raw)
    if hint is str:
        if isinstance(raw, (str, int, float)) and not isinstance(raw, bool):
            return str(raw)
        raise ValueError(f"expected text, not {type(raw).__name__}")
    if origin is list:
        return [decode(args[0], item) for item in _as_list(raw)]
    if origin is dict and args[1:] and args[1] != Any:
        return _decode_named(raw)
    if origin is dict or hint is dict:
        return _as_dict(raw)
    raise TypeError(f"settings cannot be of type {hint}")


def finite_number(value: Any) -> float | None:
    """A finite number, or a text of one, as float; None for another value, booleans included."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _unquote(text: str) -> str:
    """Undoes a second JSON encoding, which SDK script mode and torch launchers add: "\\"adam\\"" becomes adam."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            inner = json.loads(text)
        except ValueError:
            return text
        return inner.strip() if isinstance(inner, str) else text
    return text


def _decode_bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError("expected true or false")


def _decode_number(hint: type, raw: Any) -> int | float:
    """An int or a finite float; integers of any size are exact."""
    expected = "a whole number" if hint is int else "a number"
    if isinstance(raw, bool):
        raise ValueError(f"expected {expected}")
    try:
        number = float(raw)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected {expected}") from None
    if not math.isfinite(number) or (hint is int and not number.is_integer()):
        raise ValueError(f"expected {expected}")
    exact = isinstance(raw, int) or (isinstance(raw, str) and re.fullmatch(r"[+-]?\d+", raw))
    return int(raw) if hint is int and exact else hint(number)


def _literal(text: str) -> Any:
    """Parses text as JSON, a Python literal or, for lists and mappings, YAML ({age: {lr: 0.1}}), in this order."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(text)
    if text[:1] in ("{", "["):
        with contextlib.suppress(yaml.YAMLError, RecursionError):
            return yaml.safe_load(text)
    raise ValueError(f"expected JSON, YAML or a Python literal, not {text!r}")


def _split_words(text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _as_list(raw: Any) -> list[Any]:
    """A list from a literal, from words that are separated by spaces or commas, or from one number."""
    if isinstance(raw, str):
        if raw[:1] in ("[", "("):
            raw = _literal(raw)
        else:
            words = _split_words(raw)
            raw = [] if [word.lower() for word in words] in (["none"], ["null"]) else words
    if isinstance(raw, (list, tuple)):
        return list(raw)
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return [raw]
    raise ValueError("expected a list")


def _as_dict(raw: Any) -> dict[str, Any]:
    """A mapping from a literal, or from a=1,b=2, as AWS's training toolkit writes it."""
    if isinstance(raw, str):
        if raw[:1] == "{":
            raw = _literal(raw)
        elif raw.lower() in ABSENT:
            raw = {}
        else:
            pairs = [word.partition("=") for word in _split_words(raw)]
            if not all(separator for _, separator, _ in pairs):
                example = ", ".join(f'"{word}": {{}}' for word in _split_words(raw))
                raise ValueError(f'expected a mapping, {{"name": value}} or name=value,..., such as {{{example}}}')
            raw = {name: _scalar(value) for name, _, value in pairs}
    if not isinstance(raw, Mapping):
        raise ValueError('expected a mapping, {"name": value}')
    return {str(key): value for key, value in raw.items()}


def _scalar(text: str) -> Any:
    try:
        return _literal(text)
    except ValueError:
        return text


def _decode_named(raw: Any) -> dict[str, dict[str, Any]]:
    """Names with arguments, in order: {"flip": {"p": 0.5}}, ["flip", {"erasing": {"p": 0.2}}] or "flip, erasing"."""
    if isinstance(raw, str):
        if raw[:1] in ("{", "["):
            raw = _literal(raw)
        else:
            raw = [] if raw.lower() in ABSENT else _split_words(raw)
    if isinstance(raw, (list, tuple)):
        named: dict[str, Any] = {}
        for item in raw:
            named.update(item if isinstance(item, Mapping) else {str(item): {}})
        raw = named
    if not isinstance(raw, Mapping):
        raise ValueError('expected names, with or without arguments: {"flip": {"p": 0.5}}')
    for name, arguments in raw.items():
        if arguments is not None and arguments is not True and not isinstance(arguments, Mapping):
            raise ValueError(f"{name}: expected its arguments as a mapping, not {arguments!r}")
    return {str(name): dict(arguments) if isinstance(arguments, Mapping) else {} for name, arguments in raw.items()}
