"""The keys of `attributes` by which a number in bands (age in years) is learned as a distribution. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.errors import InputError, listing
from model.settings.decode import finite_number

LEARN, DISTRIBUTION = "learn", "distribution"
OPTIONS = ("sigma", "bin_width", "range", "expectation_weight")  # used with `learn: distribution`
NUMBER_KEYS = (LEARN, *OPTIONS)


@dataclass(frozen=True)
class NumberLearning:
    """How the distribution of an attribute's number is learned.

    Attributes:
        sigma: Standard deviation of an image's target around its number, in the unit of the number, above 0.
        bin_width: Width of the bins, in the unit of the number, above 0. Bins are changed a little to fit between cuts.
        range: Smallest and largest number; empty: those of the training data, extended by 3 sigma.
        expectation_weight: Weight of |E - y| in the loss, at least 0; None: 1 / sigma, so that an error of one sigma
            counts 1 whatever the unit of the number.
    """

    sigma: float
    bin_width: float = 1.0
    range: tuple[float, ...] = ()
    expectation_weight: float | None = None

    @property
    def weight(self) -> float:
        """The weight of |E - y|."""
        return 1 / self.sigma if self.expectation_weight is None else self.expectation_weight


def number_learning(name: str, keys: Mapping[str, Any]) -> NumberLearning | None:
    """Parses the keys of NUMBER_KEYS of an attribute; None without `learn`.

    Args:
        name: Name of the attribute, for messages.
        keys: Its entry in the setting `attributes`.

    Raises:
        InputError: Lists every invalid key.
    """
    where = f"attribute {name!r}"
    if LEARN not in keys:
        unused = [key for key in OPTIONS if key in keys]
        if unused:
            raise InputError(f"{where}: {listing(unused)} is used only with `{LEARN}: {DISTRIBUTION}`")
        return None
    problems = []
    if keys[LEARN] != DISTRIBUTION:
        problems.append(f"{LEARN} must be {DISTRIBUTION}, not {keys[LEARN]!r}")
    if "cuts" not in keys:
        problems.append(f"`{LEARN}: {DISTRIBUTION}` is for a number in bands; set its cuts")
    if "sigma" not in keys:
        problems.append(
            f"`{LEARN}: {DISTRIBUTION}` needs sigma, the standard deviation around an image's number, such as sigma: 5"
        )
    for key, smallest in (("sigma", "above 0"), ("bin_width", "above 0"), ("expectation_weight", "at least 0")):
        if key in keys:
            number = finite_number(keys[key])
            if number is None or number < 0 or (number == 0 and smallest == "above 0"):
                problems.append(f"{key} must be a number {smallest}, not {keys[key]!r}")
    problems += _range_problems(keys)
    if problems:
        raise InputError(f"{where}: {'; '.join(problems)}")
    weight = keys.get("expectation_weight")
    return NumberLearning(
        float(keys["sigma"]),
        float(keys.get("bin_width", NumberLearning.bin_width)),
        tuple(float(bound) for bound in keys.get("range", ())),
        None if weight is None else float(weight),
    )


def _range_problems(keys: Mapping[str, Any]) -> Iterator[str]:
    """A sentence if the key `range` is not a range around the cuts."""
    bounds = keys.get("range", [])
    given = [finite_number(bound) for bound in bounds] if isinstance(bounds, (list, tuple)) else [None]
    numbers = [number for number in given if number is not None]
    if "range" in keys and (len(given) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]):
        yield f"range must be two increasing numbers, not {bounds!r}"
        return
    cuts = keys.get("cuts")
    known = [number for cut in cuts if (number := finite_number(cut)) is not None] if isinstance(cuts, list) else []
    if numbers and known and not (numbers[0] < min(known) and max(known) < numbers[1]):
        yield f"range {bounds!r} must begin below the first cut and end above the last one; the cuts are {cuts!r}"


def number_contradictions(
    attributes: Mapping[str, Any], age_sigma: float, target: str, heads: Mapping[str, Any]
) -> Iterator[str]:
    """A sentence for each contradiction between the settings of learned numbers and others.

    Args:
        attributes: The setting `attributes`.
        age_sigma: The setting of the same name.
        target: The setting of the same name.
        heads: The setting of the same name.
    """
    learned = {"age"} if age_sigma else set()
    for name, keys in attributes.items():
        try:
            if isinstance(keys, Mapping) and number_learning(name, keys):
                learned.add(name)
        except InputError as error:
            yield f"attributes: {error}"
    if attributes and age_sigma:
        yield (
            "age_sigma is used only with the mask scheme; if you set attributes, write `learn: distribution` and "
            "`sigma` under the attribute"
        )
    if target == "joint" and learned and len(attributes) != 1:
        how = "age_sigma" if age_sigma else f"`{LEARN}: {DISTRIBUTION}`"
        yield (
            f"{how} requires a classifier of its own for {listing(sorted(learned))}; --target joint has one for all "
            "attributes together. Set --target heads, or separate"
        )
    for name, own in heads.items():
        used = [key for key in ("loss", "loss_args") if key in own] if name in learned else []
        if used:
            yield f"heads: {name}: {listing(used)} is not used, because the loss of a distribution is fixed (DLDL-v2)"
