"""Decisions: the rules by which class probabilities become the class that is answered. No other code takes an argmax
over classes.

A decision is saved as decision.json with a model or an ensemble. Without the file it is the default, the most probable
class. Imports no torch, and numpy only when a decision is applied: checking a model's files needs neither.

A further rule is a subclass of Decision with a name in DECISIONS and in model.settings.choices.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from model.errors import InputError, did_you_mean, listing
from model.settings.decode import decode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """Answers the class of the highest log p / temperature + bias; by default the most probable class.

    Attributes:
        temperature: Above 0; divides the log probabilities. Above 1 gives the biases more weight.
        biases: One per class, added to the log probabilities; none by default.
    """

    rule: ClassVar[str] = "argmax"  # key in DECISIONS

    temperature: float = 1.0
    biases: tuple[float, ...] = ()

    def problems(self, num_classes: int) -> Iterator[str]:
        """A sentence for each argument that is invalid for so many classes."""
        if self.temperature <= 0:
            yield f"temperature: expected above 0, not {self.temperature:g}"
        if len(self.biases) not in (0, num_classes):
            yield f"biases: expected {num_classes}, one per class, not {len(self.biases)}"

    def scores(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """What classes are compared by, (..., C), from probabilities (..., C): float64, or the probabilities themselves
        where the biases change nothing."""
        if len(set(self.biases)) <= 1:
            return probabilities
        import numpy as np

        with np.errstate(divide="ignore"):  # log 0 is -inf: a class without probability is answered by no bias
            log_probabilities = np.log(probabilities, dtype=np.float64)
        # times min(temperature, 1), which changes no comparison: finite for temperatures near 0 too
        biases = np.asarray(self.biases, np.float64) * min(self.temperature, 1.0)
        return log_probabilities / max(self.temperature, 1.0) + biases

    def classes(self, probabilities: NDArray[Any]) -> NDArray[np.int64]:
        """The answered classes, int64 (...), from probabilities (..., C). Of equal scores the first class wins."""
        return self.scores(probabilities).argmax(axis=-1)

    def votes(self, probabilities: NDArray[Any]) -> NDArray[np.float32]:
        """1 for the answered class and 0 for the others, float32 (..., C)."""
        import numpy as np

        return np.eye(probabilities.shape[-1], dtype=np.float32)[self.classes(probabilities)]

    def to_dict(self) -> dict[str, Any]:
        """The content of decision.json."""
        return {"rule": self.rule, **asdict(self)}

    def __str__(self) -> str:
        """`argmax (temperature 1.5, biases 0 0.7)`: the rule and the arguments that differ from their defaults."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        arguments = [
            f"{name} {' '.join(f'{item:g}' for item in value) if isinstance(value, tuple) else value}"
            for name, value in asdict(self).items()
            if value != defaults[name]
        ]
        return f"{self.rule} ({', '.join(arguments)})" if arguments else self.rule


DECISIONS: dict[str, type[Decision]] = {Decision.rule: Decision}


def make_decision(rule: str, arguments: Mapping[str, Any], num_classes: int) -> Decision:
    """The decision of a rule, by the settings decision and decision_args.

    Args:
        rule: A key of DECISIONS.
        arguments: The rule's arguments by name, as JSON or YAML hold them; the others have their defaults.
        num_classes: Number of classes that are decided among.

    Raises:
        InputError: Lists all problems: an unknown rule or argument with the nearest known one, a value that does not
            fit.
    """
    if rule not in DECISIONS:
        raise InputError(f"rule: {rule!r}, expected one of {listing(DECISIONS)}{did_you_mean(rule, DECISIONS)}")
    cls, problems, values = DECISIONS[rule], [], {}
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name, value in arguments.items():
        if name not in fields:
            problems.append(f"{name}: {rule} has no such argument{did_you_mean(name, fields)}")
            continue
        try:
            values[name] = _decoded(hints[name], value)
        except ValueError as error:
            problems.append(f"{name}: {value!r}: {error}")
    required = [name for name, field in fields.items() if not _has_default(field) and name not in arguments]
    problems += [f"{name}: missing, an argument of {rule}" for name in required]
    if all(name in values or _has_default(field) for name, field in fields.items()):
        decision = cls(**values)
        problems += decision.problems(num_classes)
        if not problems:
            return decision
    raise InputError("; ".join(problems))


def decision_from_dict(content: Mapping[str, Any], num_classes: int) -> Decision:
    """The decision of a decision.json's content. InputError lists all problems, as of make_decision."""
    if not isinstance(content.get("rule"), str):
        raise InputError(f"rule: expected one of {listing(DECISIONS)}, not {content.get('rule')!r}")
    arguments = {name: value for name, value in content.items() if name != "rule"}
    return make_decision(content["rule"], arguments, num_classes)


def _decoded(hint: Any, value: Any) -> Any:
    """decode for a field of a decision, whose sequences are tuples. ValueError where the value does not fit."""
    if typing.get_origin(hint) is tuple:
        return tuple(decode(list[typing.get_args(hint)[0]], value))  # type: ignore[misc]
    return decode(hint, value)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
