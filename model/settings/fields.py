"""The machinery of settings: a dataclass of `setting(...)` fields is read from layers (flags, hyperparameters,
environment, experiment file), checked, shown by --help and documented from the one place where it is written.

SageMaker's clients encode one value in five ways (reference: SDK's str() and JSON forms, tuner, command line), so
`decode` takes every value as text or as itself and gives it the declared type.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from model.errors import InputError, did_you_mean, listing

TRUE = {"true", "1", "yes", "on", "y", "t"}
FALSE = {"false", "0", "no", "off", "n", "f"}
ABSENT = {"", "none", "null"}

S = TypeVar("S")


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    choices: Iterable[str] = (),
    low: float | None = None,
    high: float | None = None,
    result: bool = True,
    section: str = "",
    positional: bool = False,
) -> Any:
    """One field of a settings class.

    help: its meaning, with that of the value that turns it off; unit: of the number; low, high: bounds, both
    allowed; result: False where it cannot change what comes out (a resumed run may then differ in it);
    section: opens a section of --help, which the fields below it belong to; positional: words before the first flag
    are its value.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "choices": tuple(choices),
        "low": low,
        "high": high,
        "result": result,
        "section": section,
        "positional": positional,
    }
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def canonical(name: str) -> str:
    """Settings take _ and - alike, in any letter case (SM_HP_ names are upper case)."""
    return name.strip().lower().replace("-", "_")


@dataclass
class Layer:
    """One source of settings. label: how a message names a key of it: `--{}`, `configs/a.yaml: {}`."""

    label: str
    values: Mapping[str, Any]


def build(cls: type[S], layers: Iterable[Layer]) -> S:
    """An instance of a settings class from layers, the last one winning.

    InputError tells every unknown key (with the nearest), every value that does not fit, and what the class's
    own `contradictions()` yields, sentence by sentence.
    """
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for layer in layers:
        for key, raw in layer.values.items():
            where = layer.label.replace("{}", str(key))  # a file's name may hold braces of its own
            name = canonical(str(key))
            if name not in fields:
                faults.append(f"{where}: there is no such setting{did_you_mean(name, fields)}")
                continue
            try:
                values[name] = _bounded(fields[name], decode(hints[name], raw))
            except ValueError as error:
                faults.append(f"{where} = {raw!r}: {error}")
    if not faults:
        made = cls(**values)
        faults = list(made.contradictions())  # type: ignore[attr-defined]
        if not faults:
            return made
    raise InputError("settings:\n" + "\n".join(f"  {fault}" for fault in faults))


def decode(hint: Any, raw: Any) -> Any:
    """A value of the declared type from text or from itself; ValueError says what was expected.

    hint: bool, int, float, str, list[...], dict[str, dict] (names with arguments), dict, or one of these | None.
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


def _unquote(text: str) -> str:
    """SDK script mode and torch launchers encode text as JSON once more: "\\"adam\\"" is adam."""
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
    word = str(raw).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError("expected true or false")


def _decode_number(hint: type, raw: Any) -> int | float:
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
    """JSON, else Python's own notation, else, for lists and mappings, YAML's ({age: {lr: 0.1}}); else ValueError."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(text)
    if text[:1] in ("{", "["):
        with contextlib.suppress(yaml.YAMLError, RecursionError):
            return yaml.safe_load(text)
    raise ValueError(f"{text!r} is neither JSON nor a Python literal nor YAML")


def _as_list(raw: Any) -> list[Any]:
    if isinstance(raw, str):
        if raw[:1] in ("[", "("):
            raw = _literal(raw)
        else:
            words = [word for word in re.split(r"[,\s]+", raw) if word]
            raw = [] if [word.lower() for word in words] in (["none"], ["null"]) else words
    if isinstance(raw, (list, tuple)):
        return list(raw)
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return [raw]
    raise ValueError("expected a list")


def _as_dict(raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        if raw[:1] == "{":
            raw = _literal(raw)
        elif raw.lower() in ABSENT:
            raw = {}
        else:  # AWS's training toolkit passes a mapping on as a=1,b=2
            pairs = [pair.partition("=") for pair in re.split(r"[,\s]+", raw) if pair]
            if not all(separator for _, separator, _ in pairs):
                raise ValueError('expected a mapping, {"name": value} or name=value,...')
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
            raw = [] if raw.lower() in ABSENT else [word for word in re.split(r"[,\s]+", raw) if word]
    if isinstance(raw, (list, tuple)):
        named: dict[str, Any] = {}
        for item in raw:
            named.update(item if isinstance(item, Mapping) else {str(item): {}})
        raw = named
    if not isinstance(raw, Mapping):
        raise ValueError('expected names, each with arguments where it takes some: {"flip": {"p": 0.5}}')
    for name, arguments in raw.items():
        if arguments is not None and arguments is not True and not isinstance(arguments, Mapping):
            raise ValueError(f"{name}: expected its arguments as a mapping, not {arguments!r}")
    return {str(name): dict(arguments) if isinstance(arguments, Mapping) else {} for name, arguments in raw.items()}


def _bounded(field: dataclasses.Field[Any], value: Any) -> Any:
    meta = field.metadata
    if meta["choices"] and value is not None:
        for item in value if isinstance(value, list) else [value]:
            if item not in meta["choices"]:
                close = did_you_mean(str(item), meta["choices"])
                raise ValueError(f"expected one of {listing(meta['choices'], 40)}{close}")
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            if meta["low"] is not None and item < meta["low"]:
                raise ValueError(f"expected at least {meta['low']:g}")
            if meta["high"] is not None and item > meta["high"]:
                raise ValueError(f"expected at most {meta['high']:g}")
    return value


def names_in_sections(cls: type, sections: Iterable[str]) -> list[str]:
    """The settings of a class that stand in these sections."""
    wanted, section, names = set(sections), "", []
    for field in dataclasses.fields(typing.cast(Any, cls)):
        section = field.metadata["section"] or section
        if section in wanted:
            names.append(field.name)
    return names


def as_dict(settings: Any, only_result: bool = False) -> dict[str, Any]:
    """Every setting by name; only_result: those that can change what comes out."""
    return {
        f.name: getattr(settings, f.name)
        for f in dataclasses.fields(settings)
        if f.metadata["result"] or not only_result
    }


def differences(settings: Any) -> dict[str, Any]:
    """The settings that differ from their defaults."""
    default = type(settings)()
    return {name: value for name, value in as_dict(settings).items() if value != getattr(default, name)}


def value_text(value: Any) -> str:
    """A setting's value as a person writes it: `128 96`, `flip, erasing (p 0.25)`; none where it is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(_named(name, of) for name, of in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return " ".join(value_text(of) for of in value) or "none"
    return "none" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _named(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} ({value_text(value)})" if value else name
    return f"{name} {value_text(value)}"
