"""The settings of each attribute's model for target separate: the common ones, changed by the setting `separate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.errors import InputError, did_you_mean, listing
from model.settings.choices import IMAGES, SEPARATE
from model.settings.fields import Layer, as_dict, build, names_in_sections
from model.settings.nested import own_names
from model.settings.train import TrainSettings

OWN_SECTIONS = ("Sampling and loss", "Network", IMAGES, "Loop", "Machine")  # settings that may differ by attribute


def settings_by_attribute(settings: TrainSettings, attributes: Sequence[str]) -> dict[str, TrainSettings]:
    """The settings of each attribute's model by its name. Unless the target is separate, those of the only model by "".

    Raises:
        InputError: Lists all problems in the setting `separate`.
    """
    if settings.target != SEPARATE:
        return {"": replace(settings, folds=0, separate={})}
    by_attribute = {}
    separate, unknown = own_names(settings.separate, attributes)
    problems = [f"separate: {name!r} is not an attribute, expected {listing(attributes)}" for name in unknown]
    for name in attributes:
        try:
            by_attribute[name] = attribute_settings(settings, name, separate.get(name) or {})
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    return by_attribute


def attribute_settings(settings: TrainSettings, name: str, own: Any) -> TrainSettings:
    """The settings of one attribute's model.

    Args:
        settings: Settings of the job, with target separate.
        name: Name of the attribute.
        own: Its own settings by name.

    Raises:
        InputError: Lists all problems in its own settings.
    """
    if not isinstance(own, Mapping):
        raise InputError(f"separate: {name}: expected settings by name, not {own!r}")
    known = names_in_sections(TrainSettings, OWN_SECTIONS)
    invalid = [key for key in own if key not in known]
    if invalid:
        raise InputError(
            "\n".join(
                f"separate: {name}: {key} cannot be set per attribute{did_you_mean(key, known)}" for key in invalid
            )
        )
    # number of classes and decision apply to the joint class
    default = TrainSettings()
    names = ("num_classes", "decision", "decision_args", "fit_decision", "promise")
    of_joint_class = {name: getattr(default, name) for name in names}
    common = {**as_dict(settings), "folds": 0, "separate": {}, **of_joint_class, "target": name}
    return build(TrainSettings, [Layer("{}", common), Layer(f"separate: {name}: {{}}", own)])
