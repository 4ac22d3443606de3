"""Declares settings as fields of a dataclass and builds it from layers: flags, hyperparameters, environment, file.

A field declares its default, meaning, unit and bounds in one place; `build` checks values against it, and --help and
the tables of the documents are generated from it (cli).
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from model.errors import InputError, did_you_mean, listing, nearest
from model.settings.decode import decode

S = TypeVar("S")

# Checks the names inside a setting that is a mapping. Takes the setting's name in messages and its decoded value, and
# returns the value with canonical names, and a sentence for each problem (model.settings.nested)
Nested = Callable[[str, Any], tuple[Any, list[str]]]

# Names of settings in other tools, with the names here that the error about an unknown setting suggests
COMMON_NAMES = {
    **dict.fromkeys(("arch", "architecture", "backbone", "network", "net"), ("model", "model_dir")),
    **dict.fromkeys(
        ("data", "data_dir", "data_path", "dataset", "root"), ("train_dir", "eval_dir", "ground_truth_dir")
    ),
    **dict.fromkeys(("val_dir", "val", "valid_dir", "test_dir"), ("validation_dir", "eval_dir")),
    **dict.fromkeys(("imgsz", "img_size", "image_size", "size", "resolution"), ("input_size",)),
    **dict.fromkeys(("gpu", "gpus", "cuda", "accelerator"), ("device",)),
    **dict.fromkeys(("save_dir", "output_dir", "out"), ("output_data_dir",)),
    **dict.fromkeys(("checkpoint", "ckpt", "weights"), ("model_dir",)),
    **dict.fromkeys(("amp", "fp16", "half", "dtype"), ("precision",)),
    "wd": ("weight_decay",),
    "tta": ("num_tta",),
}


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    choices: Iterable[str] = (),
    low: float | None = None,
    high: float | None = None,
    result: bool = True,
    reading: bool = False,
    section: str = "",
    positional: bool = False,
    nested: Nested | None = None,
    unset: str = "",
    common: bool = False,
    placeholder: str = "",
) -> Any:
    """Declares a field of a settings class.

    Args:
        default: Its value if no layer has one. Lists and mappings are copied for each instance.
        help: Its meaning: a sentence without a period.
        unit: Unit of the number.
        choices: The values that it takes; for a list, the values of its items. A mapping is not copied, so that a
            name that is added to it later is a choice too.
        low: Lower bound of the number, inclusive; for a list, of its items.
        high: Upper bound, likewise.
        result: False if it cannot change what a job computes; a resumed run may then differ in it.
        reading: Whether it says only how rows are read. A resumed run may differ in it if it reads the same rows.
        section: Starts a section of --help-all, which the following fields belong to until the next one.
        positional: Words before the first flag are its value.
        nested: For a mapping, checks the names and values in it (model.settings.nested).
        unset: What takes effect if no value is given and the default is empty, such as `SM_CHANNEL_TRAIN`; the texts
            show it as the default.
        common: Whether --help lists it; --help-all lists every setting.
        placeholder: Stands for its value in --help, as in FILE; by default it is derived from the type.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "choices": choices if isinstance(choices, Mapping) else tuple(choices),
        "low": low,
        "high": high,
        "result": result,
        "reading": reading,
        "section": section,
        "positional": positional,
        "nested": nested,
        "unset": unset,
        "common": common,
        "placeholder": placeholder,
    }
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@runtime_checkable
class CrossChecked(Protocol):
    """A settings class with rules about several of its fields."""

    def contradictions(self) -> Iterator[str]:
        """A sentence for each rule that the values break."""


@dataclass
class Layer:
    """One source of settings.

    Attributes:
        label: The name of a setting of this source in messages, with {} for the setting: `--{}`, `configs/a.yaml: {}`.
        values: Raw values by name, in any spelling.
    """

    label: str
    values: Mapping[str, Any]


def canonical(name: str) -> str:
    """A setting's name from any spelling: with `_` for `-` and in lower case (SM_HP_ variables are upper case)."""
    return name.strip().lower().replace("-", "_")


def build(cls: type[S], layers: Iterable[Layer]) -> S:
    """Builds an instance of a settings class; later layers override earlier ones.

    Args:
        cls: The settings class.
        layers: The sources of settings.

    Returns:
        The settings.

    Raises:
        InputError: Lists every unknown name with the nearest known one, and every invalid value; if there are none, the
            contradictions between settings.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for layer in layers:
        decoded, wrong = decode_layer(cls, layer)
        values |= decoded
        problems += wrong
    if not problems:
        settings = cls(**values)
        problems = list(settings.contradictions()) if isinstance(settings, CrossChecked) else []
        if not problems:
            return settings
    raise InputError("settings:\n" + "\n".join(f"  {problem}" for problem in problems))


def nearest_setting(cls: type, name: str, more: Iterable[str] = ()) -> str:
    """`; nearest: NAME` for the end of a message; "" if there is no similar name.

    It is the setting with this name in other tools, otherwise the one of the most similar name, or the one that
    replaces the most similar alias or name of another tool.

    Args:
        cls: The settings class.
        name: The unknown name, in canonical spelling.
        more: Further names that may be meant.
    """
    known = _fields_and_hints(cls)[0]
    common = {other: next((own for own in names if own in known), "") for other, names in COMMON_NAMES.items()}
    if common.get(name):
        return f"; nearest: {common[name]}"
    others = {other: own for other, own in {**common, **getattr(cls, "ALIASES", {})}.items() if own in known}
    close = nearest(name, [*known, *more, *others])
    return f"; nearest: {others.get(close, close)}" if close else ""


def decode_layer(cls: type, layer: Layer) -> tuple[dict[str, Any], list[str]]:
    """Decodes and checks the values of one source.

    Args:
        cls: The settings class.
        layer: The source.

    Returns:
        The valid values by canonical name, and a sentence for each problem.
    """
    fields, hints = _fields_and_hints(cls)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, raw in layer.values.items():
        where = layer.label.replace("{}", str(key))  # not format(): the name of a file may contain braces
        name = canonical(str(key))
        if name not in fields:
            problems.append(f"{where}: there is no such setting{nearest_setting(cls, name)}")
            continue
        try:
            value = _checked(fields[name], decode(hints[name], raw))
        except ValueError as error:
            problems.append(f"{where} = {raw!r}: {error}")
            continue
        nested: Nested | None = fields[name].metadata["nested"]
        values[name], wrong = nested(where, value) if nested else (value, [])
        problems += wrong
    return values, problems


def decode_value(cls: type, name: str, raw: Any) -> Any:
    """Decodes and checks the value of one setting.

    Args:
        cls: The settings class.
        name: The setting.
        raw: Its value, as in decode.

    Raises:
        ValueError: The value is not of the setting's type, among its choices and within its bounds.
    """
    fields, hints = _fields_and_hints(cls)
    return _checked(fields[name], decode(hints[name], raw))


@functools.cache
def _fields_and_hints(cls: type) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """The fields of a settings class, and their types, by name."""
    fields = dataclasses.fields(typing.cast(Any, cls))
    return {field.name: field for field in fields}, typing.get_type_hints(cls)


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """Returns a value. Raises ValueError if it is not among the field's choices or within its bounds."""
    meta = field.metadata
    items = value if isinstance(value, list) else [value]
    if meta["choices"] and value is not None:
        for item in items:
            if item not in meta["choices"]:
                close = did_you_mean(str(item), meta["choices"])
                raise ValueError(f"expected one of {listing(meta['choices'], 40)}{close}")
    for item in items:
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            if meta["low"] is not None and item < meta["low"]:
                raise ValueError(f"expected at least {meta['low']:g}")
            if meta["high"] is not None and item > meta["high"]:
                raise ValueError(f"expected at most {meta['high']:g}")
    return value


def fields_by_section(cls: Any) -> dict[str, list[dataclasses.Field[Any]]]:
    """The fields of a settings class (or of an instance) by section; "" is the section of those before the first one.

    In a dataclass the fields of the base class come first, so a section may be continued further down. The sections are
    in the order of the class attribute SECTIONS, and then in that of their first fields.
    """
    sections: dict[str, list[dataclasses.Field[Any]]] = {name: [] for name in getattr(cls, "SECTIONS", ())}
    section = ""
    for field in dataclasses.fields(cls):
        section = field.metadata["section"] or section
        sections.setdefault(section, []).append(field)
    return {section: fields for section, fields in sections.items() if fields}


def names_in_sections(cls: type, sections: Iterable[str]) -> list[str]:
    """Names of the settings in these sections."""
    by_section = fields_by_section(cls)
    return [field.name for section in sections for field in by_section[section]]


def as_dict(settings: Any, only_result: bool = False) -> dict[str, Any]:
    """The values of all settings by name, section by section. only_result: only those that can change the result."""
    return {
        field.name: getattr(settings, field.name)
        for fields in fields_by_section(settings).values()
        for field in fields
        if field.metadata["result"] or not only_result
    }


def differences(settings: Any) -> dict[str, Any]:
    """The settings that differ from their defaults."""
    default = type(settings)()
    return {name: value for name, value in as_dict(settings).items() if value != getattr(default, name)}


def value_text(value: Any) -> str:
    """A setting's value as text for people: `128 96`, `flip, erasing (p 0.25)`; none if it is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(_named_text(name, arguments) for name, arguments in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return " ".join(map(value_text, value)) or "none"
    return "none" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _named_text(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} ({value_text(value)})" if value else name
    return f"{name} {value_text(value)}"
