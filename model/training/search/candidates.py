"""The candidates of a search for an augmentation: the current one, changed in one or two pieces of three strengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Named = Mapping[str, Mapping[str, Any]]  # the setting `augmentation`: arguments by name

CURRENT = "current"
STRENGTHS = ("light", "medium", "strong")
# Arguments of each piece, one per strength
PIECES: dict[str, tuple[dict[str, Any], ...]] = {
    "random_resized_crop": (
        {"scale": [0.85, 1.0]},
        {"scale": [0.5, 1.0], "ratio": [0.8, 1.25]},
        {"scale": [0.25, 1.0], "ratio": [0.75, 1.33]},
    ),
    "colour": tuple({"brightness": s, "contrast": s, "saturation": s} for s in (0.1, 0.25, 0.4)),
    "affine": (
        {"degrees": 5, "translate": [0.05, 0.05], "scale": [0.95, 1.05]},
        {"degrees": 10, "translate": [0.1, 0.1], "scale": [0.9, 1.1]},
        {"degrees": 20, "translate": [0.15, 0.15], "scale": [0.8, 1.2]},
    ),
    "erasing": tuple({"p": p} for p in (0.1, 0.25, 0.5)),
    "randaugment": tuple({"num_ops": n, "magnitude": m} for n, m in ((1, 5), (2, 7), (2, 11))),
    "mixup": tuple({"alpha": alpha} for alpha in (0.1, 0.2, 0.4)),
    "cutmix": tuple({"alpha": 1.0, "p": p} for p in (0.25, 0.5, 1.0)),
    "half_cutmix": tuple({"p": p} for p in (0.25, 0.5, 1.0)),
}
# Pieces that are often used together, each with the number of its strength
PAIRS = (
    (("randaugment", 1), ("erasing", 0)),
    (("randaugment", 1), ("cutmix", 1)),
    (("random_resized_crop", 2), ("mixup", 0)),
    (("colour", 1), ("affine", 0)),
)

WITH_RARE = ("mixup", "half_cutmix")  # pieces that are also tried with partners of rare classes


def candidates(current: Named) -> dict[str, dict[str, dict[str, Any]]]:
    """The candidates by name, without duplicates. The first is CURRENT.

    Args:
        current: The augmentation that the others are changes of.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, policy in _all({name: dict(arguments) for name, arguments in current.items()}):
        if policy not in found.values():
            found[name] = policy
    return found


def _all(current: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    yield CURRENT, current
    # medium strengths first: if time is short, the last candidates are not tried
    for strength in (1, 0, 2):
        for piece, arguments in PIECES.items():
            yield f"{piece} {STRENGTHS[strength]}", {**current, piece: arguments[strength]}
        if strength == 1:
            yield "trivialaugment", {**current, "trivialaugment": {}}
            if "flip" in current:
                yield "without flip", {name: own for name, own in current.items() if name != "flip"}
            else:
                yield "flip", {"flip": {}, **current}
            for piece in WITH_RARE:
                rare = {**PIECES[piece][1], "rare": 1.0}
                yield f"{piece} {STRENGTHS[1]}, rare partners", {**current, piece: rare}
            for pair in PAIRS:
                title = " + ".join(f"{piece} {STRENGTHS[number]}" for piece, number in pair)
                yield title, {**current, **{piece: PIECES[piece][number] for piece, number in pair}}
    yield "none", {}
