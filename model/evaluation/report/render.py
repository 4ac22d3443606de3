"""Renders report.html: the evaluation as one page that needs no network and no other file."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment

from model.artifacts.provenance import Provenance
from model.data.readers.channel_files import ChannelFiles
from model.evaluation.evaluate import Evaluation, Scores
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report import charts, curves, examples, sentences
from model.evaluation.report.confusion import Matrix, make_matrix
from model.evaluation.report.page_files import TEMPLATES, embedded_files, page_environment
from model.evaluation.report.picture_lists import PictureLists
from model.evaluation.report.thumbnails import LARGE_SIDE, Thumbnail, make_thumbnails
from model.evaluation.score_notes import AT_CHANCE
from model.evaluation.subgroups import MOST_VALUES, Subgroup
from model.evaluation.summary import intervals, labelled_scores, notes_of, verdict
from model.evaluation.suspects import COMPARED, SUSPECTS, Comparison, compare_answers, suspected_label_errors
from model.images.deep import GivenRange
from model.labels import Scheme
from model.metrics.scores import NO_ANSWER, SCORE_LABELS
from model.settings.fields import value_text

WORST_GROUPS = 10
MOST_DIFFERING = 20  # images in each table of the comparison
MOST_MEMBERS = 6  # members with learning curves
FEW, MANY = 6, 12  # classes: a matrix with at most FEW has large cells, one with more than MANY has the page's width
LARGE_CHARACTERS, SMALL_CHARACTERS = 1_400_000, 1_300_000  # total length of the large and of the small thumbnails


@dataclass(frozen=True)
class Target:
    """The joint class or one attribute.

    worst_first: Its classes with images by increasing F1, then those without images.
    """

    name: str
    scores: Scores
    matrix: Matrix
    worst_first: list[str]


@dataclass(frozen=True)
class Differing:
    """An image that two models predict differently: its row in the matched predictions, and names of its classes."""

    row: int
    name: str
    truth: str
    these: str
    others: str


@dataclass(frozen=True)
class Group:
    """A group with wrong predictions. key: Key of the list of their images."""

    subgroup: Subgroup
    key: str


def render_report(
    evaluation: Evaluation,
    matched: MatchedAnswers,
    pictures: ChannelFiles | None = None,
    compared: str | None = None,
    made_on: datetime.date | None = None,
    thumbnails: str = "full",
) -> str:
    """The report as HTML.

    Args:
        evaluation: The scores.
        matched: The predictions that the scores are of.
        pictures: Folder of the images, for thumbnails (thumbnails.picture_folder); None for a report without them.
        compared: The name of the predictions that these are compared with.
        made_on: The date that the page gives.
        thumbnails: Which thumbnails the page contains, an entry of THUMBNAILS.
    """
    if thumbnails == "none":
        pictures = None
    # tables and matrices; their cells add lists of images
    lists = PictureLists(matched)
    scheme, provenance = matched.scheme, matched.provenance
    joint = scheme.names[0] if len(scheme.attributes) == 1 else sentences.JOINT_TITLE
    targets = [_target(joint, scheme, evaluation.joint, matched, lists)]
    targets += [
        _target(name, scheme.only(name), scores, matched, lists) for name, scores in evaluation.attributes.items()
    ]
    groups = _worst_groups(evaluation.by_group, matched, lists)
    # images on the page: galleries and the tables of the comparison
    galleries = examples.gallery_rows(matched)
    on_page = [row for rows in galleries.values() for row in rows]
    listed = _lists_of_pictures(matched)
    in_tables = [differing.row for _, rows in listed["differing"] for differing in rows]
    names_on_page, names_in_tables = ([matched.names[row] for row in rows] for rows in (on_page, in_tables))
    blur = thumbnails == "blurred"
    large, small = _thumbnails(pictures, names_on_page, names_in_tables, lists, _pixel_range(provenance), blur)
    shown = [row for row in on_page if matched.names[row] in large or not pictures]
    shown += [row for row in in_tables if matched.names[row] in small]
    template = _environment().get_template("report.html.j2")
    return template.render(
        evaluation=evaluation,
        matched=matched,
        provenance=provenance,
        settings=_settings(provenance) if provenance else {},
        title=f"Evaluation of {provenance.model}" if provenance else "Evaluation",
        subject=sentences.subject(evaluation, scheme, matched.group_label),
        intervals=intervals(evaluation),
        confidence=f"{100 * evaluation.confidence:g}{sentences.SPACE}%",
        notes=notes_of(evaluation),
        weakest_classes=sentences.weakest_classes(evaluation.joint),
        targets=targets,
        points=charts.reliability_points(evaluation.reliability),
        bars=charts.accuracy_histogram(evaluation.by_group) if evaluation.by_group else [],
        groups=groups,
        noun=sentences.groups_noun(matched.group_label),
        columns_left_out=[name for name in matched.metadata if name not in evaluation.by_metadata],
        **{name: examples.make_examples(rows, matched, large) for name, rows in galleries.items()},
        with_pictures=pictures is not None,
        offers_pictures=thumbnails != "none",
        is_blurred=blur,
        images=sentences.images(matched, made_on),
        chart=curves.coverage_chart(evaluation.coverage),
        risk=curves.risk_chart(evaluation.coverage, evaluation.asked),
        learning=_learning_curves(provenance),
        compared=compared or "the others",
        differences={SCORE_LABELS[name]: gap for name, gap in (evaluation.compare or {}).items()},
        scores=labelled_scores(evaluation),
        content=lists.content(small, shown),
        made_on=made_on,
        thumbnails=small,
        **listed,
        **embedded_files([TEMPLATES / "report.css"], [TEMPLATES / "tables.js", TEMPLATES / "report.js"]),
    )


def _pixel_range(provenance: Provenance | None) -> tuple[float, ...] | None:
    """The range by which the (first) model scales images of more than 8 bits; None if not known."""
    saved = provenance.members[0].settings.get("pixel_range") if provenance else None
    return tuple(map(float, saved)) if saved else None


def _thumbnails(
    pictures: ChannelFiles | None,
    on_page: Sequence[str],
    in_tables: Sequence[str],
    lists: PictureLists,
    pixel_range: GivenRange,
    blur: bool,
) -> tuple[dict[str, Thumbnail], dict[str, Thumbnail]]:
    """The large thumbnails of images in galleries, and the small ones of images in tables and lists.

    Args:
        pictures: Folder of the images; None for no thumbnails.
        on_page: Names of the images in galleries.
        in_tables: Names of the images in tables.
        lists: The lists of images.
        pixel_range: The range by which the model scales images of more than 8 bits.
        blur: Whether the thumbnails are blurred.
    """
    if pictures is None:
        return {}, {}
    large = make_thumbnails(pictures, on_page, LARGE_CHARACTERS, LARGE_SIDE, pixel_range, blur)
    others = [name for name in lists.by_interest() if name not in large]
    small = list(dict.fromkeys([*in_tables, *others]))
    return large, make_thumbnails(pictures, small, SMALL_CHARACTERS, pixel_range=pixel_range, blur=blur)


def _lists_of_pictures(matched: MatchedAnswers) -> dict[str, Any]:
    """Variables of the template on the files that list single images (evaluation.suspects)."""
    comparison = compare_answers(matched.complete)
    return {
        "suspects": len(suspected_label_errors(matched.complete)),
        "suspects_file": SUSPECTS,
        "comparison": comparison,
        "differing": _differing(comparison, matched),
        "compared_file": COMPARED,
    }


def _differing(comparison: Comparison | None, matched: MatchedAnswers) -> list[tuple[str, list[Differing]]]:
    """The first images that only these predictions, and only the others, have correct; each with a heading."""
    if comparison is None or matched.other is None:
        return []
    names = {NO_ANSWER: "no prediction", **dict(enumerate(matched.scheme.class_names))}
    at = np.flatnonzero(matched.has_all_labels)  # the rows of the comparison
    kinds = (
        ("Correct in this set of predictions, wrong in the compared set", comparison.these),
        ("Wrong in this set of predictions, correct in the compared set", comparison.others),
    )
    return [
        (
            heading,
            [
                Differing(
                    row,
                    matched.names[row],
                    names[int(matched.truth[row])],
                    names[int(matched.answers[row])],
                    names[int(matched.other[row])],
                )
                for row in at[rows[:MOST_DIFFERING]].tolist()
            ],
        )
        for heading, rows in kinds
    ]


def _learning_curves(provenance: Provenance | None) -> dict[str, list[curves.LearningCurve]]:
    """Learning curves of the first members that have a history, by name of the member."""
    members = provenance.members if provenance else ()
    by_member = {member.name: curves.learning_curves(member.history, member.epoch) for member in members}
    return {name: charts_ for name, charts_ in list(by_member.items())[:MOST_MEMBERS] if charts_}


def _environment() -> Environment:
    """Jinja's environment with the filters and variables of the templates."""
    environment = page_environment(TEMPLATES)
    environment.filters.update(
        percent=sentences.percent,
        score=sentences.score,
        span=sentences.span,
        difference=sentences.difference,
    )
    environment.globals.update(
        sentences=sentences,
        axis_limit=charts.axis_limit,
        verdict=verdict,
        few=FEW,
        many=MANY,
        most_values=MOST_VALUES,
        at_chance=AT_CHANCE,
    )
    return environment


def _target(name: str, scheme: Scheme, scores: Scores, matched: MatchedAnswers, lists: PictureLists) -> Target:
    """A target with its matrix.

    Args:
        name: Its name.
        scheme: The scheme of the joint class or of one attribute; true and predicted classes are reduced to it.
        scores: Its scores.
        matched: True labels and predictions.
        lists: Gets the lists of images of its cells.
    """
    truth, answers = matched.truth, matched.answers
    if scheme.names != matched.scheme.names:
        truth, answers = matched.truth_of(scheme.names[0]), matched.answers_of(scheme.names[0])[0]
    worst_first = sorted(
        scores.per_class, key=lambda label: (not scores.per_class[label].support, scores.per_class[label].f1.value)
    )
    return Target(name, scores, make_matrix(name, scheme, scores, truth, answers, lists), worst_first)


def _worst_groups(subgroups: Sequence[Subgroup], matched: MatchedAnswers, lists: PictureLists) -> list[Group]:
    """The groups with wrong predictions by increasing accuracy, larger ones first. Adds a list for each to lists."""
    worst = sorted(
        (group for group in subgroups if group.correct < group.pictures),
        key=lambda group: (group.accuracy.value, -group.pictures),
    )
    groups = []
    for group in worst[:WORST_GROUPS]:
        wrong = (matched.groups == matched.group_names.index(group.name)) & ~matched.correct & matched.has_all_labels
        title = f"{matched.group_label} {group.name}, wrong predictions"
        groups.append(Group(group, lists.add(f"group {group.name}", title, wrong, wrong=True)))
    return groups


def _settings(provenance: Provenance) -> dict[str, list[str]]:
    """The values of each setting in the members; "default" for the default value."""
    members = provenance.members
    return {
        name: [value_text(member.settings[name]) if name in member.settings else "default" for member in members]
        for name in dict.fromkeys(name for member in members for name in member.settings)
    }
