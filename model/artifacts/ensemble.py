"""Ensembles: folders with ensemble.json, which combine saved models and are accepted wherever a saved model is."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts.decision_file import read_decision, write_decision
from model.artifacts.discovery import find_model
from model.artifacts.ensemble_file import EnsembleFile, EnsembleMember, read_ensemble_file, write_ensemble_file
from model.artifacts.files import CARD, LABELS, is_ensemble
from model.artifacts.model_card import ensemble_card
from model.artifacts.provenance import MemberProvenance, Provenance
from model.artifacts.saved_model import SavedModel, load_model
from model.atomic_write import write_json, write_text
from model.decisions import Decision
from model.errors import InputError, listing
from model.labels import Scheme
from model.paths import parse_weighted

SOFT, VOTE, PRODUCT = "soft", "vote", "product"
COMBINE = {
    SOFT: "the weighted mean of the members' probabilities",
    VOTE: "the weighted share of the members that predict a class",
    PRODUCT: "the product of the members' probabilities; each member predicts different attributes",
}

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Ensemble:
    """Saved models, or other ensembles, whose predictions are combined.

    Attributes:
        folder: Folder of ensemble.json; a name for messages if the members were combined in memory.
        members: The models.
        weights: One per member, at least 0.
        combine: A key of COMBINE.
        scheme: Labels of the predictions; for PRODUCT the attributes of all members.
        decision: How the combined probabilities become a class. For VOTE, each member's own decision casts its vote.
    """

    folder: Path
    members: tuple[SavedModel | Ensemble, ...]
    weights: tuple[float, ...]
    combine: str
    scheme: Scheme
    decision: Decision = Decision()

    def labels(self) -> dict[str, Any]:
        """The classes as labels.json describes them."""
        return self.scheme.to_dict() if self.combine == PRODUCT else self.members[0].labels()

    def models(self) -> list[SavedModel]:
        """All saved models in order, those of inner ensembles too."""
        return [model for member in self.members for model in saved_models(member)]

    def combine_probabilities(self, probabilities: Iterator[np.ndarray], views_vote: bool = False) -> np.ndarray:
        """The combined probabilities, float32 (N, C).

        Args:
            probabilities: float32 (N, C of the model) of each of models(), in order.
            views_vote: Whether they are shares of the votes of views.
        """
        # take from the iterator what each member needs: one array per saved model
        parts = [
            member.combine_probabilities(probabilities, views_vote)
            if isinstance(member, Ensemble)
            else next(probabilities)
            for member in self.members
        ]
        if self.combine == PRODUCT:
            # the probability of a joint class is the product of those of its attributes' values
            factors = [part[:, classes] for part, classes in zip(parts, self.member_classes(), strict=True)]
            joint = np.asarray(math.prod(factors), np.float32)
            return joint if self.scheme.combinations is None else _normalised(joint)
        if self.combine == VOTE:
            parts = [
                answering_decision(member, views_vote).votes(part)
                for member, part in zip(self.members, parts, strict=True)
            ]
        return np.average(parts, axis=0, weights=self.weights).astype(np.float32)

    def member_classes(self) -> list[np.ndarray]:
        """Each member's class of each of the ensemble's classes, int64 (C,)."""
        codes = self.scheme.split(np.arange(self.scheme.num_classes))
        return [member.scheme.joint(codes) for member in self.members]

    def members_decision(self) -> Decision | None:
        """The decision on the combined probabilities that is equivalent to those of the members; None if there is none.

        SOFT: that of the members, if it is the same for all. PRODUCT: each member decides by log p / temperature +
        bias; with equal temperatures the sum of the biases decides each attribute as its member does. VOTE: the
        default, since the members' decisions have cast the votes. None if one of several members can ask a person:
        what it promises does not hold for combined probabilities.
        """
        if self.combine == VOTE:
            return Decision()
        first, *others = [member.decision for member in self.members]
        if any(decision.can_ask for decision in (first, *others)):
            return None if others else first
        if all(other == first for other in others) and (self.combine == SOFT or first == Decision()):
            return first
        if self.combine == SOFT or not all(
            type(one) is Decision and one.temperature == first.temperature for one in (first, *others)
        ):
            return None
        biases = np.zeros(self.scheme.num_classes)
        for member, classes in zip(self.members, self.member_classes(), strict=True):
            if member.decision.biases:
                biases += np.array(member.decision.biases)[classes]
        return Decision(first.temperature, tuple(biases.tolist()))


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities, float32 (N, C), divided by their sum; a row of zeros becomes uniform."""
    total = probabilities.sum(axis=1, keepdims=True)
    return np.divide(probabilities, total, out=np.full_like(probabilities, 1 / probabilities.shape[1]), where=total > 0)


def saved_models(model: SavedModel | Ensemble) -> list[SavedModel]:
    """The model itself, or all saved models of an ensemble."""
    return model.models() if isinstance(model, Ensemble) else [model]


def largest_picture(model: SavedModel | Ensemble) -> int:
    """The largest setting max_pixels that a saved model was trained with."""
    return max(one.settings.max_pixels for one in saved_models(model))


def answering_decision(model: SavedModel | Ensemble, views_vote: bool) -> Decision:
    """The decision on a model's probabilities.

    Args:
        model: The model.
        views_vote: Whether the probabilities are shares of the votes of views. The saved models' decisions have cast
            these votes, so that the most votes win, unless an ensemble has a decision of its own that is not
            equivalent to those of its members. A decision that asks a person then asks about every image.
    """
    if not views_vote:
        return model.decision
    if isinstance(model, SavedModel):
        return model.decision.on_votes()
    if model.decision != model.members_decision():
        return model.decision.without_promise()
    # the decisions of inner ensembles that the votes do not contain yet
    members = tuple(replace(member, decision=answering_decision(member, views_vote)) for member in model.members)
    return replace(model, members=members).members_decision() or Decision()


def load(folder: Path) -> SavedModel | Ensemble:
    """Loads the saved model or ensemble in a folder, or the only one below it.

    Raises:
        InputError: A file is missing, unreadable or does not fit the others; the message names it.
    """
    folder = find_model(folder)
    if not is_ensemble(folder):
        return load_model(folder)
    content = read_ensemble_file(folder)
    ensemble = make_ensemble(folder, [load(folder / path) for path in content.paths], content.weights, content.combine)
    try:
        return replace(ensemble, decision=read_decision(folder, ensemble.scheme.num_classes))
    except InputError as error:
        raise InputError(f"ensemble {folder}: {error}") from None


def load_combined(models: Sequence[str], combine: str | None = None, folder: Path | None = None) -> Ensemble:
    """Loads saved models or ensembles as one ensemble, in memory.

    Its decision is equivalent to those of the members. If there is no such decision, it is the default, and a warning
    names the members.

    Args:
        models: `PATH[:WEIGHT]` of each.
        combine: A key of COMBINE; None for PRODUCT if each attribute is predicted by one model, otherwise SOFT.
        folder: The ensemble's folder; None for a name made of those of its members.

    Raises:
        InputError: A model cannot be loaded, or the models do not fit together.
    """
    weighted = parse_weighted(models)
    members = [load(path) for path, _ in weighted]
    attributes = [name for member in members for name in member.scheme.names]
    same_attributes = len(members) == 1 or len(set(attributes)) < len(attributes)
    default = SOFT if same_attributes else PRODUCT
    weights = [weight for _, weight in weighted]
    ensemble = make_ensemble(folder or Path("+".join(models)), members, weights, combine or default)
    decision = ensemble.members_decision()
    if decision is None:
        unused = listing(member.folder for member in members if member.decision != Decision())
        log.warning(
            "the ensemble predicts the most probable class; these members have decision rules, which are not used: %s",
            unused,
        )
    return replace(ensemble, decision=decision or Decision())


def make_ensemble(
    folder: Path,
    members: Sequence[SavedModel | Ensemble],
    weights: Sequence[float],
    combine: str,
    decision: Decision = Decision(),
) -> Ensemble:
    """Combines loaded members.

    Args:
        folder: The ensemble's folder, also for messages.
        members: Saved models or ensembles.
        weights: One per member.
        combine: A key of COMBINE.
        decision: How the combined probabilities become a class.

    Raises:
        InputError: combine is unknown, there are no members, a weight is invalid, members of SOFT or VOTE have
            different classes, or two members of PRODUCT predict the same attribute.
    """
    if combine not in COMBINE:
        raise InputError(f"ensemble {folder}: combine = {combine!r}, expected {listing(COMBINE)}")
    if not members:
        raise InputError(f"ensemble {folder}: has no members")
    if min(weights) < 0 or not math.isfinite(sum(weights)) or not sum(weights):
        raise InputError(
            f"ensemble {folder}: weights must not be negative, and at least one must be greater than 0; found "
            f"{listing(weights)}"
        )
    if combine == PRODUCT:
        return Ensemble(folder, tuple(members), tuple(weights), combine, _product_scheme(members), decision)
    scheme = members[0].scheme
    for member in members[1:]:
        if member.scheme.class_names != scheme.class_names:
            raise InputError(
                f"ensemble {folder}: {members[0].folder} predicts {listing(scheme.class_names)}, {member.folder} "
                f"predicts {listing(member.scheme.class_names)}; the classes and their order must be the same"
            )
    return Ensemble(folder, tuple(members), tuple(weights), combine, scheme, decision)


def _product_scheme(members: Sequence[SavedModel | Ensemble]) -> Scheme:
    """The attributes of all members. A scheme that is_large gets the combinations of the channel that the members were
    trained on, if it was the same channel."""
    scheme = Scheme(tuple(attribute for member in members for attribute in member.scheme.attributes))
    if not scheme.is_large:
        return scheme
    known = [member.scheme for member in members]
    known += [model.heads.channel for member in members for model in saved_models(member) if model.heads.channel]
    return next((other for other in known if other.attributes == scheme.attributes), scheme)


def save_ensemble(
    folder: Path,
    paths: Sequence[str],
    weights: Sequence[float],
    combine: str,
    decision: Decision = Decision(),
    *,
    finished: bool = True,
    name: str | None = None,
) -> Ensemble:
    """Turns a folder of saved models into an ensemble: writes labels.json, decision.json, the card and, last,
    ensemble.json.

    Args:
        folder: The ensemble's folder.
        paths: Folders of the members, relative to folder.
        weights: One per member.
        combine: A key of COMBINE.
        decision: How the combined probabilities become a class.
        finished: Whether all planned members are trained.
        name: Title of the card; None for the name of the folder.

    Raises:
        InputError: A member cannot be loaded, or the members do not fit together.
    """
    ensemble = make_ensemble(folder, [load(folder / path) for path in paths], weights, combine, decision)
    members = tuple(EnsembleMember(path, weight) for path, weight in zip(paths, weights, strict=True))
    write_json(folder / LABELS, ensemble.labels())
    write_decision(folder, decision)
    write_text(folder / CARD, ensemble_card(name or folder.name, ensemble.scheme, COMBINE[combine], members, decision))
    write_ensemble_file(folder, EnsembleFile(combine, members, finished))
    return ensemble


def provenance_of(model: SavedModel | Ensemble, views: int) -> Provenance:
    """How a model was trained, for the labels.json of its predictions.

    Args:
        model: The model.
        views: Number of views of each image that were predicted (test-time augmentation).
    """
    if isinstance(model, SavedModel):
        member = MemberProvenance.of_run(model.settings.name, model.settings, model.metrics)
        return Provenance(model.settings.name, views, "", (member,))
    root = model.folder.resolve()
    if is_ensemble(model.folder):
        name = root.name
    else:
        name = " + ".join(member.folder.resolve().name for member in model.members)
    members = []
    for saved in model.models():
        # members in the ensemble's folder are named by their path in it, others by the name of their folder
        folder = saved.folder.resolve()
        path = folder.relative_to(root).as_posix() if root in folder.parents else folder.name
        members.append(MemberProvenance.of_run(path, saved.settings, saved.metrics))
    return Provenance(name, views, COMBINE[model.combine], tuple(members))
