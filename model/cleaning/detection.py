"""Detection of wrong labels: the suspects of every attribute, in the order to review, and how many labels are wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.attributes import Attribute
from model.cleaning.evidence import Sources, class_evidence, number_evidence, unit_numbers
from model.cleaning.grouped import Exchange, Units, exchanged, is_constant, joined_posterior, make_units
from model.cleaning.neighbours import Neighbours
from model.cleaning.noise_model import fit_noise_model
from model.cleaning.numeric import standardised, wrong_number_probability
from model.cleaning.ranking import KEPT, SHARE, ranked, within_cap
from model.cleaning.suspects import GROUP, IMAGE, MOST_NEIGHBOURS, Suspect, label_texts
from model.data.table import Table
from model.errors import listing
from model.metrics.confident import confident_joint
from model.runtime.terminal import counted

LEAST_SCORE = 0.005  # of a suspect
LEAST_IMAGES = 20  # labelled images that are needed to judge an attribute
LEAST_GROUPS = 2  # groups of a class that are needed to judge its labels


@dataclass(frozen=True)
class DetectionSettings:
    """What is a suspect.

    Attributes:
        share, kept: See ranking.within_cap.
        most: Maximum number of suspects; 0: all.
        seed: Seed of folds and samples.
    """

    share: float = SHARE
    kept: int = KEPT
    most: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class AttributeNoise:
    """What was found for an attribute.

    Attributes:
        name: Name of the attribute.
        level: GROUP or IMAGE, what is judged; "" if the attribute was not judged.
        units: Number of images or groups judged.
        wrong: Estimated number of wrong labels among them, the sum of the scores.
        probable: Number of units with a score above 0.5.
        confident: Estimated number by confident learning; NaN for numbers.
        note: Why the attribute, or a part of it, was not judged; "" otherwise.
    """

    name: str
    level: str = ""
    units: int = 0
    wrong: float = 0.0
    probable: int = 0
    confident: float = float("nan")
    note: str = ""


@dataclass(frozen=True)
class Detection:
    """The result.

    Attributes:
        suspects: The suspects in the order to review.
        scores: Probability that the label is wrong, float64 (n,) by attribute; NaN where it was not judged.
        attributes: What was found for each attribute.
    """

    suspects: list[Suspect]
    scores: dict[str, NDArray[np.float64]]
    attributes: list[AttributeNoise]


@dataclass(frozen=True)
class Judged:
    """The judgement of one attribute's units.

    Attributes:
        units: The units.
        by_group: Whether the attribute is constant in groups.
        scores: float64 (U,), probability that the label is wrong.
        suggested: Text of the most probable right label of each unit.
        exchanges: Pairs of rows with exchanged labels.
        row_logs: Log probabilities of each row, float64 (n, K), to find the most suspicious image of a group; or None.
        cap_codes: int64 (U,), classes for the cap.
        confident: Estimated number of wrong labels by confident learning; NaN for numbers.
        note: Why a part was not judged.
    """

    units: Units
    by_group: bool
    scores: NDArray[np.float64]
    suggested: list[str]
    exchanges: list[Exchange]
    row_logs: NDArray[np.float64] | None
    cap_codes: NDArray[np.int64]
    confident: float = float("nan")
    note: str = ""

    @property
    def are_numbers(self) -> bool:
        """Whether numbers were judged, not classes."""
        return bool(np.isnan(self.confident))


def detect(
    table: Table,
    features: NDArray[np.floating] | None,
    predicted: Mapping[str, NDArray[np.float64]],
    settings: DetectionSettings = DetectionSettings(),
) -> Detection:
    """Finds the labels that are probably wrong.

    Args:
        table: The channel.
        features: Embeddings, (n, d); zeros or NaN for unreadable images; None to use only predictions.
        predicted: Out-of-fold probabilities of the classes, float64 (n, K) by attribute; NaN rows without a prediction.
            Empty to use only embeddings.
        settings: What is a suspect.
    """
    groups = np.unique(table.groups, return_inverse=True)[1].astype(np.int64)
    sources = Sources.of(groups, features, predicted, settings.seed)
    suspects: list[Suspect] = []
    scores, found = {}, []
    for attribute in table.scheme.attributes:
        note = _unjudged(table, attribute, sources)
        scores[attribute.name] = np.full(len(table), np.nan)
        if note:
            found.append(AttributeNoise(attribute.name, note=note))
            continue
        judged = _judge(table, attribute, sources)
        units, rows = judged.units, np.flatnonzero(judged.units.of_row >= 0)
        scores[attribute.name][rows] = judged.scores[units.of_row[rows]]
        suspects += _suspects(table, attribute, judged, sources, settings)
        level, wrong = GROUP if judged.by_group else IMAGE, float(judged.scores.sum())
        probable = int((judged.scores > 0.5).sum())
        found.append(AttributeNoise(attribute.name, level, len(units), wrong, probable, judged.confident, judged.note))
    return Detection(ranked(suspects, settings.most), scores, found)


def _unjudged(table: Table, attribute: Attribute, sources: Sources) -> str:
    """Why an attribute cannot be judged; "" if it can."""
    codes = table.labels[attribute.name].to_numpy()
    present = np.unique(codes[codes >= 0])
    if len(present) < 2:
        return f"all labels are {attribute.values[present[0]]}" if len(present) else "no image has a label"
    groups = np.unique(sources.groups[codes >= 0])
    if len(groups) < 2:
        return "all images are of one group, so none can be judged by others"
    if (codes >= 0).sum() < LEAST_IMAGES:
        return f"{(codes >= 0).sum()} labelled images; at least {LEAST_IMAGES} are needed"
    if sources.features is None and attribute.name not in sources.predicted:
        return "no predictions for this attribute, and no embeddings"
    return ""


def _judge(table: Table, attribute: Attribute, sources: Sources) -> Judged:
    """Judges the labels of one attribute: as numbers if every labelled image has one, otherwise as classes."""
    codes = table.labels[attribute.name].to_numpy().astype(np.int64)
    codes = np.where(codes >= 0, codes, -1)
    if attribute.name in table.numbers:
        numbers = table.numbers[attribute.name].to_numpy(np.float64)
        if np.isfinite(numbers[codes >= 0]).all():
            return _judge_numbers(attribute, numbers, codes, sources)
    return _judge_classes(attribute, codes, sources)


def _judge_classes(attribute: Attribute, codes: NDArray[np.int64], sources: Sources) -> Judged:
    classes = np.unique(codes[codes >= 0])
    own = np.where(codes >= 0, np.searchsorted(classes, codes), -1)  # positions in classes
    by_group = is_constant(own, sources.groups)
    units = make_units(own, sources.groups, by_group)
    evidence, row_logs = class_evidence(sources, attribute.name, own, classes, units)
    model = fit_noise_model(evidence, units.codes, sources.seed)
    logs = model.log_probabilities(evidence)
    posterior = joined_posterior(logs, model.noise, units) if by_group else model.posterior(evidence, units.codes)
    scores = 1 - posterior[np.arange(len(units)), units.codes]
    # labels exchanged between two images of a group
    exchanges: list[Exchange] = []
    if not by_group:
        share = min(max(float(scores.mean()), 1e-4), 0.5)
        exchanges = exchanged(logs, units.codes, units.groups, share)  # of units, which are rows here
        for pair in exchanges:
            scores[[pair.first, pair.second]] = np.maximum(scores[[pair.first, pair.second]], pair.score)
    # a class that only one group has cannot be learnt from others
    pairs = np.unique(np.stack([units.codes, units.groups]), axis=1)
    lonely = np.bincount(pairs[0], minlength=len(classes)) < LEAST_GROUPS
    scores = np.where(lonely[units.codes], 0.0, scores)
    note = f"{counted(int(lonely.sum()), 'value')} of only one group not judged" if lonely.any() else ""
    others = posterior.copy()
    others[np.arange(len(units)), units.codes] = -1
    suggested = [attribute.values[classes[code]] for code in others.argmax(axis=1)]
    joint = confident_joint(np.exp(logs), units.codes)
    off_diagonal = float(joint.sum() - np.trace(joint))
    return Judged(units, by_group, scores, suggested, exchanges, row_logs, units.codes, off_diagonal, note)


def _judge_numbers(
    attribute: Attribute, numbers: NDArray[np.float64], codes: NDArray[np.int64], sources: Sources
) -> Judged:
    known = codes >= 0
    ranks = np.where(known, np.unique(numbers, return_inverse=True)[1], -1).astype(np.int64)
    by_group = is_constant(ranks, sources.groups)
    units = make_units(ranks, sources.groups, by_group)
    predictions = number_evidence(sources, attribute.name, numbers, units)
    given = unit_numbers(numbers, units)
    deviations, scale = standardised(given, predictions)
    scores = wrong_number_probability(deviations, scale, float(np.ptp(given)))
    whole = bool((numbers[known] == np.round(numbers[known])).all())
    suggested = [f"{number:.0f}" if whole else f"{number:.4g}" for number in predictions]
    bands = np.array([attribute.band(number) for number in given], np.int64)
    return Judged(units, by_group, scores, suggested, [], None, bands)


def _suspects(
    table: Table, attribute: Attribute, judged: Judged, sources: Sources, settings: DetectionSettings
) -> Iterator[Suspect]:
    """The suspects of one attribute, in no order."""
    units, name = judged.units, attribute.name
    allowed = within_cap(judged.scores, judged.cap_codes, settings.share, settings.kept)
    chosen = np.flatnonzero(allowed & (judged.scores >= LEAST_SCORE))
    order = np.argsort(units.of_row, kind="stable")
    order = order[units.of_row[order] >= 0]
    starts = np.cumsum(units.sizes) - units.sizes
    texts = label_texts(table, name)
    partner: dict[int, int] = {}
    for pair in judged.exchanges:
        partner |= {pair.first: pair.second, pair.second: pair.first}
    for unit in chosen.tolist():
        rows = order[starts[unit] : starts[unit] + units.sizes[unit]]
        rows = _most_suspicious_first(rows, units.codes[unit], judged.row_logs)
        whole = judged.by_group and not units.divided[unit]
        score = min(max(float(judged.scores[unit]), 0.0), 1.0)
        for part in [rows] if whole else [rows[position : position + 1] for position in range(len(rows))]:
            row = int(part[0])
            near = _evidence(sources.neighbours, row, texts)
            given, suggested = texts[row], judged.suggested[unit]
            if unit in partner:
                other = int(np.flatnonzero(units.of_row == partner[unit])[0])
                suggested, reason = texts[other], _exchange_reason(table, row, other)
            else:
                reason = _reason(table, judged, unit, part, near, texts)
            level = GROUP if whole and table.grouped_by else IMAGE
            yield Suspect(tuple(part.tolist()), level, name, given, suggested, score, reason, near)


def _most_suspicious_first(
    rows: NDArray[np.int64], code: int, row_logs: NDArray[np.float64] | None
) -> NDArray[np.int64]:
    if row_logs is None or len(rows) == 1:
        return rows
    doubt = row_logs[rows].max(axis=1) - row_logs[rows, code]
    return rows[np.lexsort((rows, -doubt))]


def _evidence(neighbours: Neighbours | None, row: int, texts: list[str]) -> tuple[int, ...]:
    """The nearest labelled images of other groups, at most MOST_NEIGHBOURS."""
    if neighbours is None:
        return ()
    return tuple([near for near in neighbours.rows[row].tolist() if near >= 0 and texts[near]][:MOST_NEIGHBOURS])


def _exchange_reason(table: Table, row: int, other: int) -> str:
    first, second = (table.locations[one].path.rpartition("/")[2] for one in sorted((row, other)))
    return f"The labels of {first} and {second} look exchanged."


def _reason(
    table: Table, judged: Judged, unit: int, rows: NDArray[np.int64], near: tuple[int, ...], texts: list[str]
) -> str:
    """Why the label of these rows of a unit is suspect.

    Args:
        table: The channel.
        judged: The judgement of the attribute.
        unit: The unit.
        rows: Its rows that the suspect is about.
        near: Rows of the most similar images of other groups.
        texts: Label of each row as text.
    """
    units, suggested = judged.units, judged.suggested[unit]
    subject = f"The {len(rows)} images of the {table.grouped_by} look" if len(rows) > 1 else "The image looks"
    sentence = f"{subject} {suggested}, not {texts[rows[0]]}"
    if units.divided[unit]:
        same = units.groups == units.groups[unit]
        others = counted(int(units.sizes[same].sum() - units.sizes[unit]), "other image")
        return f"{sentence}; {others} of the {table.grouped_by} have another label."
    if near and judged.are_numbers:
        return f"{sentence}; the most similar images are labelled {listing(texts[one] for one in near)}."
    agreeing = sum(texts[one] == suggested for one in near)
    if agreeing:
        return f"{sentence}; {agreeing} of the {len(near)} most similar images are labelled {suggested}."
    return f"{sentence}."
