"""Several saved models that answer as one: a folder with ensemble.json, used wherever a saved model is."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts.files import CARD, ENSEMBLE, LABELS, NEEDED, find_model, is_ensemble
from model.artifacts.model_card import USE
from model.artifacts.provenance import MemberProvenance, Provenance
from model.artifacts.saved_model import SavedModel, load_model
from model.atomic_write import write_json, write_text
from model.errors import InputError, listing
from model.labels import Scheme
from model.paths import parse_weighted

SOFT, VOTE, PRODUCT = "soft", "vote", "product"
COMBINE = {
    SOFT: "the weighted mean of its members' probabilities",
    VOTE: "the weighted share of its members that name a class",
    PRODUCT: "the product of its members' probabilities, each member telling other attributes",
}


@dataclass(frozen=True)
class Ensemble:
    """members: saved models, or ensembles again, with a weight each; combine: a key of COMBINE."""

    folder: Path
    members: tuple[SavedModel | Ensemble, ...]
    weights: tuple[float, ...]
    combine: str
    scheme: Scheme

    def labels(self) -> dict[str, Any]:
        """What labels.json holds of the classes."""
        told = self.members[0].labels()
        return told if self.combine != PRODUCT else self.scheme.to_dict()

    def models(self) -> list[SavedModel]:
        """Every saved model below, in order."""
        return [model for member in self.members for model in saved_models(member)]

    def join(self, answers: Iterator[np.ndarray]) -> np.ndarray:
        """float32 (N, classes of the scheme) from the probabilities of each of models(), in order."""
        parts = [member.join(answers) if isinstance(member, Ensemble) else next(answers) for member in self.members]
        if self.combine == PRODUCT:
            codes = self.scheme.split(np.arange(self.scheme.num_classes))
            told = [part[:, member.scheme.joint(codes)] for member, part in zip(self.members, parts, strict=True)]
            return np.asarray(math.prod(told), np.float32)
        if self.combine == VOTE:
            parts = [np.eye(part.shape[1])[part.argmax(1)] for part in parts]
        return np.average(parts, axis=0, weights=self.weights).astype(np.float32)


def saved_models(model: SavedModel | Ensemble) -> list[SavedModel]:
    """The saved models that a model consists of: itself, or its members'."""
    return model.models() if isinstance(model, Ensemble) else [model]


def provenance_of(model: SavedModel | Ensemble, views: int) -> Provenance:
    """How a model was made, for those who read its answers. views: of each picture."""
    if isinstance(model, SavedModel):
        member = MemberProvenance.of_run(model.settings.name, model.settings, model.metrics)
        return Provenance(model.settings.name, views, "", (member,))
    names = [member.folder.resolve().name for member in model.members]
    name = model.folder.resolve().name if is_ensemble(model.folder) else " + ".join(names)
    whole = model.folder.resolve()
    places = [of.folder.resolve() for of in model.models()]
    called = [place.relative_to(whole).as_posix() if whole in place.parents else place.name for place in places]
    below = tuple(
        MemberProvenance.of_run(told, of.settings, of.metrics) for told, of in zip(called, model.models(), strict=True)
    )
    return Provenance(name, views, COMBINE[model.combine], below)


def load(folder: Path) -> SavedModel | Ensemble:
    """The saved model or ensemble in folder, or the only one below it. InputError names what is missing or does not
    fit together."""
    folder = find_model(folder)
    return _load_ensemble(folder) if is_ensemble(folder) else load_model(folder)


def _load_ensemble(folder: Path) -> Ensemble:
    path = folder / ENSEMBLE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        places = [str(member["model"]) for member in told["members"]]
        weights = [float(member.get("weight", 1)) for member in told["members"]]
        combine = str(told["combine"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read: {type(error).__name__}: {error}") from None
    inside = folder.resolve()
    for place in places:
        if inside not in (folder / place).resolve().parents:
            raise InputError(f"{path}: the member {place!r} does not lie below the ensemble's folder")
    return make_ensemble(folder, [load(folder / place) for place in places], weights, combine)


def make_ensemble(
    folder: Path, members: Sequence[SavedModel | Ensemble], weights: Sequence[float], combine: str
) -> Ensemble:
    """Members that fit together. InputError where they do not: other classes for soft and vote, an attribute told
    twice for product, a weight that is none."""
    if combine not in COMBINE:
        raise InputError(f"ensemble {folder}: combine = {combine!r}, expected {listing(COMBINE)}")
    if not members:
        raise InputError(f"ensemble {folder}: it has no members")
    if min(weights) < 0 or not math.isfinite(sum(weights)) or not sum(weights):
        raise InputError(f"ensemble {folder}: weights must be 0 or more and one above 0, not {listing(weights)}")
    if combine == PRODUCT:
        scheme = Scheme(tuple(attribute for member in members for attribute in member.scheme.attributes))
        return Ensemble(folder, tuple(members), tuple(weights), combine, scheme)
    scheme = members[0].scheme
    for member in members[1:]:
        if member.scheme.class_names != scheme.class_names:
            raise InputError(
                f"ensemble {folder}: {members[0].folder} answers {listing(scheme.class_names)}, {member.folder} "
                f"{listing(member.scheme.class_names)}; only the same classes in the same order can be joined"
            )
    return Ensemble(folder, tuple(members), tuple(weights), combine, scheme)


def save_ensemble(
    folder: Path,
    places: Sequence[str],
    weights: Sequence[float],
    combine: str,
    *,
    finished: bool = True,
    name: str | None = None,
) -> Ensemble:
    """Makes an ensemble of the models at places below folder: writes its labels, its card and, last, ensemble.json.
    finished: whether all members are there that were wanted; name: else the folder's."""
    made = make_ensemble(folder, [load(folder / place) for place in places], weights, combine)
    write_json(folder / LABELS, made.labels())
    write_text(folder / CARD, _card(name or folder.name, made, places))
    members = [{"model": place, "weight": weight} for place, weight in zip(places, weights, strict=True)]
    write_json(folder / ENSEMBLE, {"combine": combine, "finished": finished, "members": members})
    return made


def _card(name: str, ensemble: Ensemble, places: Sequence[str]) -> str:
    lines = [
        f"# {name}",
        "",
        f"Tells {', '.join(ensemble.scheme.names)} of a picture: {ensemble.scheme.num_classes} classes. Its answer is "
        f"{COMBINE[ensemble.combine]}.",
        "",
        "| member | weight |",
        "| --- | --- |",
        *(f"| [{place}]({place}/{CARD}) | {weight:g} |" for place, weight in zip(places, ensemble.weights)),
        "",
        *USE,
    ]
    return "\n".join(lines) + "\n"


def load_combined(models: Sequence[str], combine: str | None = None, folder: Path | None = None) -> Ensemble:
    """Saved models or ensembles from anywhere, PATH[:WEIGHT] each, as one. combine: else PRODUCT where each tells other
    attributes, SOFT where they tell the same. InputError where they do not fit together."""
    weighted = parse_weighted(models)
    members = [load(path) for path, _ in weighted]
    names = [name for member in members for name in member.scheme.names]
    alike = len(members) == 1 or len(set(names)) < len(names)
    how = combine or (SOFT if alike else PRODUCT)
    return make_ensemble(folder or Path("+".join(models)), members, [weight for _, weight in weighted], how)


def create_ensemble(models: Sequence[str], output: Path, combine: str | None = None) -> Ensemble:
    """As `load_combined`, copied into output, which must not exist yet; nothing is left there where they do not fit."""
    if output.exists():
        raise InputError(f"{output} exists; name a folder that does not")
    made = load_combined(models, combine, output)
    folders = [member.folder for member in made.members]
    places: list[str] = []
    beside = output.with_name(f".{output.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for folder in folders:
            name = folder.resolve().name
            place = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(folders) + 2))) if n not in places)
            _copy(folder, beside / place)
            places.append(place)
        save_ensemble(beside, places, made.weights, made.combine, name=output.name)
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return made


def _copy(folder: Path, to: Path) -> None:
    """The files of a saved model or an ensemble, and nothing else that lies there."""
    to.mkdir(parents=True)
    if is_ensemble(folder):
        told: dict[str, Any] = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
        for member in told["members"]:
            _copy(folder / member["model"], to / member["model"])
    for name in (*NEEDED, ENSEMBLE, CARD):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)
