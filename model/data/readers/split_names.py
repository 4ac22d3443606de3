"""Names of splits, as tables and folders have them: of training, of validation and of what training does not use."""

from __future__ import annotations

from model.attributes import normal_text

TRAIN, VALIDATION, UNUSED = "train", "validation", ""
SPLIT_NAMES = {
    TRAIN: ("train", "training"),
    VALIDATION: ("validation", "valid", "val", "validate", "dev"),
    UNUSED: ("test", "testing", "eval", "evaluation", "unused"),
}
_SIDES = {name: side for side, names in SPLIT_NAMES.items() for name in names}


def side_of(text: str) -> str | None:
    """TRAIN, VALIDATION or UNUSED, by the name of a split in any letter case; None where it is no such name."""
    return _SIDES.get(normal_text(text).lower())
