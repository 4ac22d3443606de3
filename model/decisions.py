"""Decisions: rules that choose the predicted class from class probabilities. No other code takes an argmax over
classes.

A decision is saved as decision.json with a model or an ensemble. Without the file, the most probable class is
predicted. Imports no torch, and numpy only when a decision is applied: checking a model's files needs neither.

Ask also advises for which images to ask a person. model.calibration fits the arguments of both rules.

To add a rule, add a subclass of Decision and its name to DECISIONS and model.settings.choices.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from model.errors import InputError, did_you_mean, listing
from model.settings.decode import decode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """Predicts the class with the highest log p / temperature + bias; by default the most probable class.

    Attributes:
        temperature: Divides the log probabilities, above 0. Values above 1 give the biases more weight.
        biases: One per class, added to the log probabilities; empty: no biases.
    """

    rule: ClassVar[str] = "argmax"  # key in DECISIONS
    can_ask: ClassVar[bool] = False  # whether `asks` may be True; predictions then have a field ask_person

    temperature: float = 1.0
    biases: tuple[float, ...] = ()

    def problems(self, num_classes: int) -> Iterator[str]:
        """Yields a sentence for each argument that is invalid for this number of classes."""
        if self.temperature <= 0:
            yield f"temperature: must be above 0, not {self.temperature:g}"
        if len(self.biases) not in (0, num_classes):
            yield f"biases: expected {num_classes}, one per class, not {len(self.biases)}"

    def scores(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """The scores by which classes are compared, float64 (..., C), from probabilities (..., C).

        If all biases are equal, they are the probabilities themselves.
        """
        if len(set(self.biases)) <= 1:
            return probabilities
        import numpy as np

        with np.errstate(divide="ignore"):  # log 0 is -inf: a class with probability 0 is never predicted
            log_probabilities = np.log(probabilities, dtype=np.float64)
        # Multiply by min(temperature, 1), which keeps the order of the scores, so that they are finite near 0 too
        biases = np.asarray(self.biases, np.float64) * min(self.temperature, 1.0)
        return log_probabilities / max(self.temperature, 1.0) + biases

    def classes(self, probabilities: NDArray[Any]) -> NDArray[np.int64]:
        """The predicted classes, int64 (...), from probabilities (..., C). If scores are equal, the first class."""
        return self.scores(probabilities).argmax(axis=-1)

    def votes(self, probabilities: NDArray[Any]) -> NDArray[np.float32]:
        """1 for the predicted class and 0 for the others, float32 (..., C)."""
        import numpy as np

        return np.eye(probabilities.shape[-1], dtype=np.float32)[self.classes(probabilities)]

    def asks(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether to ask a person about each image, bool (...), from probabilities (..., C); here never."""
        import numpy as np

        return np.zeros(probabilities.shape[:-1], bool)

    def on_votes(self) -> Decision:
        """The decision on shares of votes in which this decision has cast the votes: the most votes win."""
        return Decision()

    def without_promise(self) -> Decision:
        """The decision on other probabilities than those that it was fitted on: for Ask, asks about every image."""
        return self

    def on_views(self, number: int) -> Decision:
        """The decision on the mean probabilities of this number of views of an image."""
        return self

    def on_changed_model(self) -> Decision:
        """The decision after the model's weights have changed, which ends what was promised."""
        return self

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


@dataclass(frozen=True)
class Ask(Decision):
    """Predicts as Decision, and asks a person unless the probability of the predicted class is above its threshold.

    Attributes:
        thresholds: One per class, from 0 to 1. An image is answered if the probability of its predicted class is above
            that class's threshold; with 1, a person is asked about each image of the class.
        promise: The share of wrong answers, above 0 and below 1, that the thresholds were chosen for
            (model.calibration.risk_control); None for thresholds without a promise.
        views: Number of views of each image (num_tta) that the thresholds were chosen for; with another number, a
            person is asked about every image. None: any number.
    """

    rule: ClassVar[str] = "ask"
    can_ask: ClassVar[bool] = True

    thresholds: tuple[float, ...] = ()
    promise: float | None = None
    views: int | None = None

    def problems(self, num_classes: int) -> Iterator[str]:
        yield from super().problems(num_classes)
        if len(self.thresholds) != num_classes:
            yield f"thresholds: expected {num_classes}, one per class, not {len(self.thresholds)}"
        wrong = [value for value in self.thresholds if not 0 <= value <= 1]
        if wrong:
            yield f"thresholds: expected numbers from 0 to 1, not {listing(wrong)}"
        if self.promise is not None and not 0 < self.promise < 1:
            yield f"promise: must be above 0 and below 1, not {self.promise:g}"
        if self.views is not None and self.views < 1:
            yield f"views: must be at least 1, not {self.views}"

    def asks(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether to ask a person about each image, bool (...), from probabilities (..., C)."""
        import numpy as np

        classes = self.classes(probabilities)
        own = np.take_along_axis(probabilities, classes[..., None], axis=-1)[..., 0]
        thresholds = np.asarray(self.thresholds, np.float64)[classes]
        return ~(own > thresholds) | (thresholds >= 1)  # rounding may lift a probability above 1

    def on_votes(self) -> Decision:
        """The most votes win, and a person is asked about every image: thresholds do not apply to shares of votes."""
        return Ask(thresholds=(1.0,) * len(self.thresholds), promise=self.promise)

    def without_promise(self) -> Decision:
        return replace(self, thresholds=(1.0,) * len(self.thresholds))

    def on_views(self, number: int) -> Decision:
        return self if self.views in (None, number) else self.without_promise()

    def on_changed_model(self) -> Decision:
        return self if self.promise is None else self.without_promise()


DECISIONS: dict[str, type[Decision]] = {Decision.rule: Decision, Ask.rule: Ask}


def make_decision(rule: str, arguments: Mapping[str, Any], num_classes: int) -> Decision:
    """Makes a decision from the settings decision and decision_args.

    Args:
        rule: A key of DECISIONS.
        arguments: Arguments of the rule by name, with values from JSON or YAML; the others have their defaults.
        num_classes: Number of classes to choose from.

    Raises:
        InputError: Lists all problems: an unknown rule or argument, with the nearest known one, or an invalid value.
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
    problems += [f"{name}: missing argument of {rule}" for name in required]
    if all(name in values or _has_default(field) for name, field in fields.items()):
        decision = cls(**values)
        problems += decision.problems(num_classes)
        if not problems:
            return decision
    raise InputError("; ".join(problems))


def decision_from_dict(content: Mapping[str, Any], num_classes: int) -> Decision:
    """Makes a decision from the content of decision.json. Raises InputError like make_decision."""
    if not isinstance(content.get("rule"), str):
        raise InputError(f"rule: expected one of {listing(DECISIONS)}, not {content.get('rule')!r}")
    arguments = {name: value for name, value in content.items() if name != "rule"}
    return make_decision(content["rule"], arguments, num_classes)


def _decoded(hint: Any, value: Any) -> Any:
    """Decodes the value of a field, whose sequences are tuples. Raises ValueError if the value is invalid."""
    if typing.get_origin(hint) is tuple:
        return tuple(decode(list[typing.get_args(hint)[0]], value))  # type: ignore[misc]
    return decode(hint, value)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
