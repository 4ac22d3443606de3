"""Members of an average: saved models whose weights may be averaged, and what differs between those that may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from model.artifacts.ensemble import load
from model.artifacts.files import LABELS, PREPROCESSING, SETTINGS, WEIGHTS
from model.artifacts.learnt_from import LearntFrom, read_learnt_from
from model.artifacts.saved_model import SavedModel
from model.errors import InputError, Problems, listing, nearest_path
from model.settings.fields import names_in_sections, value_text
from model.training.kept_epochs import SUFFIX, read_epoch

# Settings of the network that may differ: they change its training, or are in its weights like the scale of logits
TRAINING_ONLY = (
    "pretrained",
    "weights",
    "dropout",
    "drop_path",
    "freeze",
    "freeze_epochs",
    "freeze_norm",
    "feature_views",
    "classifier_init",
    "classifier_scale",
    "classifier_scale_learned",
)


@dataclass(frozen=True)
class Member:
    """A saved model to average.

    Attributes:
        name: Its path as given.
        saved: The model.
        file: Its weights, a safetensors file.
        learnt_from: Keys of its training and validation images; None if they are not known.
    """

    name: str
    saved: SavedModel
    file: Path
    learnt_from: LearntFrom | None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor by name. InputError if the file is unreadable."""
        try:
            with safe_open(self.file, framework="numpy") as file:
                return {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
        except (SafetensorError, OSError) as error:
            raise InputError(f"{self.file}: unreadable: {error}") from None


def read_member(path: str) -> Member:
    """Reads a saved model or a kept epoch without its network. InputError if it is missing, damaged or an ensemble."""
    folder = Path(path)
    if folder.is_file() and folder.suffix == SUFFIX:
        return Member(path, read_epoch(folder), folder, read_learnt_from(folder.parent))
    if not folder.exists():
        raise InputError(f"{path}: there is no such model{nearest_path(folder)}")
    saved = load(folder)
    if not isinstance(saved, SavedModel):
        members = listing(member.folder for member in saved.members)
        raise InputError(f"{path}: is an ensemble; name the models to average, such as {members}")
    if not (saved.folder / WEIGHTS).is_file():
        raise InputError(f"{path}: has no {WEIGHTS}; only weights of torch networks can be averaged")
    return Member(path, saved, saved.folder / WEIGHTS, read_learnt_from(saved.folder))


def read_members(paths: Sequence[str]) -> list[Member]:
    """Reads the models and checks that their weights can be averaged.

    Raises:
        InputError: Lists every model that cannot be read, or everything that differs between the models.
    """
    members: list[Member] = []
    problems = Problems("models cannot be averaged")
    for path in paths:
        try:
            members.append(read_member(path))
        except InputError as error:
            problems.add("unusable models", str(error))
    problems.raise_if_any()
    shapes = [member.shapes() for member in members]
    for member, own_shapes in zip(members[1:], shapes[1:], strict=True):
        for kind, text in _differences(members[0], member):
            problems.add(kind, text)
        tensors = list(_different_tensors(shapes[0], own_shapes))
        if tensors:
            problems.add(f"different weights than {members[0].name}", f"{member.name}: {listing(tensors, 6)}")
    if problems:
        problems.advise("only models of one architecture, with the same labels and preprocessing, can be averaged")
        problems.advise("an ensemble combines any models with the same classes: python -m model ensemble MODEL ...")
    problems.raise_if_any()
    return members


def _differences(first: Member, other: Member) -> Iterator[tuple[str, str]]:
    """What differs between the networks, labels and inputs of two models: a kind of problem and its details."""
    one, two = first.saved, other.saved
    for name in names_in_sections(type(one.settings), ["Network"]):
        values = getattr(one.settings, name), getattr(two.settings, name)
        if name not in TRAINING_ONLY and values[0] != values[1]:
            yield f"different network ({SETTINGS})", _two_values(first, other, name, *values)
    for kind, file, mappings in (
        ("labels", LABELS, (one.heads.to_dict(), two.heads.to_dict())),
        ("preprocessing", PREPROCESSING, (one.pipeline.to_dict(), two.pipeline.to_dict())),
    ):
        for key in dict.fromkeys([*mappings[0], *mappings[1]]):
            values = mappings[0].get(key), mappings[1].get(key)
            if values[0] != values[1]:
                yield f"different {kind} ({file})", _two_values(first, other, key, *values)


def _two_values(first: Member, other: Member, name: str, one: Any, two: Any) -> str:
    return f"{name}: {first.name} has {value_text(one)}, {other.name} has {value_text(two)}"


def _different_tensors(first: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """A text for each tensor that only one of two models has, or whose shapes differ."""
    for name in dict.fromkeys([*first, *other]):
        if name not in other:
            yield f"{name} is missing"
        elif name not in first:
            yield f"{name} is additional"
        elif first[name] != other[name]:
            yield f"{name} has shape {list(other[name])}, not {list(first[name])}"


def has_fixed_statistics(members: Sequence[Member]) -> bool:
    """Whether no member's training has changed the batch-norm statistics that it started from, with which the weights
    were trained."""
    return all(own.freeze_norm or own.feature_views for own in (member.saved.settings for member in members))


def unlike_starts(members: Sequence[Member]) -> str:
    """A sentence if the models did not start from the same weights, after which their mean is hardly ever useful; "" if
    they did, or if that is not known."""
    starts = set()
    for member in members:
        settings = member.saved.settings
        is_random = not settings.weights and not settings.pretrained
        starts.add((settings.weights, settings.pretrained and not settings.weights, settings.seed if is_random else 0))
    if len(starts) == 1:
        return ""
    return (
        "the models started from different weights (settings weights, pretrained, or the seed of random weights); the "
        "mean of such weights usually predicts badly: score it before use, or make an ensemble"
    )


def mean_weights(members: Sequence[Member]) -> dict[str, NDArray[Any]]:
    """The uniform mean of the weights by name, computed in float64 and of the members' types. Integers, which count
    steps, are those of the first member."""
    weights: dict[str, NDArray[Any]] = {}
    for name in members[0].shapes():
        tensors = [_tensor(member.file, name) for member in members]
        is_number = np.issubdtype(tensors[0].dtype, np.floating)
        weights[name] = np.mean(tensors, axis=0, dtype=np.float64).astype(tensors[0].dtype) if is_number else tensors[0]
    return weights


def _tensor(path: Path, name: str) -> NDArray[Any]:
    with safe_open(path, framework="numpy") as file:
        return np.asarray(file.get_tensor(name))
