"""Names of splits in tables and folders: for training, for validation, and those that training does not use."""

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
    """TRAIN, VALIDATION or UNUSED for the name of a split in any letter case; None for other texts."""
    return _SIDES.get(normal_text(text).lower())
