"""Policy files: YAML with an augmentation, as `python -m model search-augmentation` writes it. Its path may replace or
accompany names in the setting `augmentation`, whose value is then the content of the file. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.settings.decode import decode
from model.settings.experiment_file import read_yaml
from model.settings.nested import named_arguments

POLICY = "augmentation"  # key of the policy in the file
SUFFIXES = (".yaml", ".yml")
Named = dict[str, dict[str, Any]]  # arguments of each transform by its name


def named_or_file(where: str, value: Mapping[str, Mapping[str, Any]]) -> tuple[Named, list[str]]:
    """Names with arguments, of which those that end with SUFFIXES are replaced by the policy in the file. A `nested` of
    a field (model.settings.fields.Nested)."""
    named: dict[str, Any] = {}
    problems: list[str] = []
    for name, arguments in value.items():
        if not name.lower().endswith(SUFFIXES):
            named[name] = arguments
            continue
        if arguments:
            problems.append(f"{where}: {name}: a policy file takes no arguments, not {dict(arguments)!r}")
        try:
            named |= read_policy(Path(name))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    renamed, wrong = named_arguments(where, named)
    return renamed, problems + wrong


def read_policy(path: Path) -> Named:
    """The augmentation in a policy file.

    Raises:
        ValueError: The file is missing, no YAML, or has no augmentation; the message names it.
    """
    content = read_yaml(path)
    if not isinstance(content, Mapping) or POLICY not in content:
        raise ValueError(f"{path}: expected a mapping with the key {POLICY}")
    try:
        named: Named = decode(Named, content[POLICY])
    except ValueError as error:
        raise ValueError(f"{path}: {POLICY}: {error}") from None
    if files := [name for name in named if name.lower().endswith(SUFFIXES)]:
        raise ValueError(f"{path}: {POLICY}: a policy file cannot name other files: {', '.join(files)}")
    return named
