"""Ensembles: saved models that answer as one, as a folder with ensemble.json that is used wherever a saved model is."""

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
    SOFT: "the weighted mean of its members' probabilities",
    VOTE: "the weighted share of its members that name a class",
    PRODUCT: "the product of its members' probabilities, each member telling other attributes",
}

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Ensemble:
    """Members that answer together: saved models, or ensembles again.

    folder: of ensemble.json, or a name in messages where the members were combined in memory.
    weights: one a member, 0 or more.
    combine: a key of COMBINE.
    scheme: labels of the answer; for PRODUCT the attributes of all members.
    decision: decides the class by the combined probabilities; those of the members make the votes of VOTE.
    """

    folder: Path
    members: tuple[SavedModel | Ensemble, ...]
    weights: tuple[float, ...]
    combine: str
    scheme: Scheme
    decision: Decision = Decision()

    def labels(self) -> dict[str, Any]:
        """What labels.json holds of the classes."""
        return self.scheme.to_dict() if self.combine == PRODUCT else self.members[0].labels()

    def models(self) -> list[SavedModel]:
        """Every saved model of the ensemble and of its ensembles, in order."""
        return [model for member in self.members for model in saved_models(member)]

    def combine_probabilities(self, probabilities: Iterator[np.ndarray], views_vote: bool = False) -> np.ndarray:
        """The ensemble's answer, float32 (N, C), from the probabilities of each of models(), in order.

        Args:
            probabilities: float32 (N, C of the model) of one saved model after the other.
            views_vote: whether they are shares of the votes of views.
        """
        # take from the iterator what each member needs: an ensemble one array a model, a saved model one
        parts = [
            member.combine_probabilities(probabilities, views_vote)
            if isinstance(member, Ensemble)
            else next(probabilities)
            for member in self.members
        ]
        if self.combine == PRODUCT:
            # spread each member's classes over the joint classes, then multiply
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
        """The one decision that those of the members amount to; None where there is none.

        Members of SOFT with equal decisions keep theirs. Members of PRODUCT each decide by log p / temperature + bias:
        with one temperature their sum decides, and each attribute is decided as by its member. VOTE has applied the
        members' decisions, and the most votes decide.
        """
        if self.combine == VOTE:
            return Decision()
        first, *others = [member.decision for member in self.members]
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
    """Probabilities, float32 (N, C), divided by their sum; equal ones where all are 0."""
    total = probabilities.sum(axis=1, keepdims=True)
    return np.divide(probabilities, total, out=np.full_like(probabilities, 1 / probabilities.shape[1]), where=total > 0)


def saved_models(model: SavedModel | Ensemble) -> list[SavedModel]:
    """The saved models that a model consists of: itself, or its members'."""
    return model.models() if isinstance(model, Ensemble) else [model]


def answering_decision(model: SavedModel | Ensemble, views_vote: bool) -> Decision:
    """The decision on a model's probabilities.

    Args:
        model: which gave them.
        views_vote: whether they are shares of the votes of views. The saved models' decisions have made these votes:
            the most votes answer, unless an ensemble, or one in it, has a decision that its members' do not amount to.
    """
    if not views_vote:
        return model.decision
    if isinstance(model, SavedModel):
        return Decision()
    if model.decision != model.members_decision():
        return model.decision
    # the members' decisions, as far as the votes have not applied them yet
    members = tuple(replace(member, decision=answering_decision(member, views_vote)) for member in model.members)
    return replace(model, members=members).members_decision() or Decision()


def load(folder: Path) -> SavedModel | Ensemble:
    """Loads the saved model or ensemble in folder, or the only one below it.

    Raises:
        InputError: something is missing, cannot be read or does not fit together; the message names it.
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
    """Loads saved models or ensembles from anywhere as one ensemble, in memory.

    Its decision is what those of the members amount to, else the default, and a warning names the members.

    Args:
        models: `PATH[:WEIGHT]` of each.
        combine: a key of COMBINE; None for PRODUCT where no attribute is predicted by two models, else SOFT.
        folder: the ensemble's; None for one that names its members.

    Raises:
        InputError: a model cannot be loaded, or they do not fit together.
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
        log.warning("the most probable class is answered: the decisions of these members are not used: %s", unused)
    return replace(ensemble, decision=decision or Decision())


def make_ensemble(
    folder: Path,
    members: Sequence[SavedModel | Ensemble],
    weights: Sequence[float],
    combine: str,
    decision: Decision = Decision(),
) -> Ensemble:
    """An ensemble of loaded members.

    Raises:
        InputError: combine is unknown, there are no members, a weight is invalid, members of SOFT and VOTE have
            different classes, or two members of PRODUCT predict the same attribute.
    """
    if combine not in COMBINE:
        raise InputError(f"ensemble {folder}: combine = {combine!r}, expected {listing(COMBINE)}")
    if not members:
        raise InputError(f"ensemble {folder}: it has no members")
    if min(weights) < 0 or not math.isfinite(sum(weights)) or not sum(weights):
        raise InputError(f"ensemble {folder}: weights must be 0 or more and one above 0, not {listing(weights)}")
    if combine == PRODUCT:
        return Ensemble(folder, tuple(members), tuple(weights), combine, _product_scheme(members), decision)
    scheme = members[0].scheme
    for member in members[1:]:
        if member.scheme.class_names != scheme.class_names:
            raise InputError(
                f"ensemble {folder}: {members[0].folder} answers {listing(scheme.class_names)}, {member.folder} "
                f"{listing(member.scheme.class_names)}; only the same classes in the same order can be joined"
            )
    return Ensemble(folder, tuple(members), tuple(weights), combine, scheme, decision)


def _product_scheme(members: Sequence[SavedModel | Ensemble]) -> Scheme:
    """The attributes of all members; if their scheme is_large, with the combinations that occurred in the channel on
    which the members were trained, if it was one."""
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
    """Makes an ensemble of models below folder: writes labels.json, decision.json, the card and, last,
    ensemble.json.

    Args:
        folder: the ensemble's.
        paths: folders of the members, relative to folder.
        weights: one a member.
        combine: a key of COMBINE.
        decision: of the ensemble, by the combined probabilities.
        finished: whether all members that were wanted are trained.
        name: title of the card; None for the folder's name.

    Raises:
        InputError: a member cannot be loaded, or they do not fit together.
    """
    ensemble = make_ensemble(folder, [load(folder / path) for path in paths], weights, combine, decision)
    members = tuple(EnsembleMember(path, weight) for path, weight in zip(paths, weights, strict=True))
    write_json(folder / LABELS, ensemble.labels())
    write_decision(folder, decision)
    write_text(folder / CARD, ensemble_card(name or folder.name, ensemble.scheme, COMBINE[combine], members, decision))
    write_ensemble_file(folder, EnsembleFile(combine, members, finished))
    return ensemble


def provenance_of(model: SavedModel | Ensemble, views: int) -> Provenance:
    """How a model was trained, for labels.json beside its answers.

    Args:
        model: whose answers they are.
        views: number of views of each image that were predicted (test-time augmentation).
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
        # a member below the ensemble's folder is named by its path in it, another one by its own folder's name
        folder = saved.folder.resolve()
        path = folder.relative_to(root).as_posix() if root in folder.parents else folder.name
        members.append(MemberProvenance.of_run(path, saved.settings, saved.metrics))
    return Provenance(name, views, COMBINE[model.combine], tuple(members))
