"""Renders data_report.html: an analysis as one page that needs no network and no other file."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from exploration.data_report import sentences as own_sentences
from exploration.data_report.analysis import Analysis
from exploration.data_report.findings import few_sentences
from exploration.data_report.grids import BLURRED, NONE, class_samples, interleaved, make_sheets, thumbnails_of
from exploration.data_report.map_content import map_content
from exploration.data_report.measures import by_kind, number_bars
from exploration.data_report.summary import FEW_GROUPS
from exploration.near_duplicates import DuplicatePair
from model.errors import listing
from model.evaluation.report import sentences
from model.evaluation.report.page_files import ROWS_UNFOLDED, embedded_files, page_environment
from model.evaluation.report.page_files import TEMPLATES as SHARED

TEMPLATES = Path(__file__).parent / "templates"
# Limits of the page's size, in characters of data: URIs: thumbnails of samples, odd images and pairs; sheets of the map
THUMBNAIL_CHARACTERS, SHEET_CHARACTERS = 3_000_000, 4_000_000
MOST_PAIRS, MOST_SAMPLED = 60, 120  # pairs of near-duplicates and classes with samples on the page
MOST_UNUSUAL, MOST_LEAKS = 8, 10  # unusual images of each kind; pairs of splits that share nothing
MOST_FEW, MOST_MIXED, MOST_BROKEN = 20, 30, 100  # rows of their lists


@dataclass(frozen=True)
class Side:
    """An image of a pair. labels: Its labels, and whether the other image has another label of the same attribute."""

    row: int
    labels: list[tuple[str, bool]]


@dataclass(frozen=True)
class PairOnPage:
    """A pair of near-duplicates. kind: Why it matters; measure: how similar the images are."""

    kind: str
    measure: str
    sides: tuple[Side, ...]


def render_page(
    analysis: Analysis,
    thumbnails: str = "full",
    samples: int = 8,
    seed: int = 0,
    made_on: datetime.date | None = None,
) -> str:
    """The report as HTML.

    Args:
        analysis: What it says.
        thumbnails: Which images it contains, an entry of THUMBNAILS.
        samples: Sample images per class.
        seed: Seed of the samples.
        made_on: The date that the page gives.
    """
    data, joint = analysis.data, analysis.targets[0]
    rows_of_class = class_samples(data, data.table.classes(), samples, seed) if thumbnails != NONE and samples else {}
    # small classes first, whose images are most worth a look
    sampled = sorted(rows_of_class, key=lambda code: (joint.classes[code].channel_images, code))[:MOST_SAMPLED]
    pairs, unusual = analysis.shown.pairs[:MOST_PAIRS], by_kind(analysis.unusual)
    rows = [
        *(row for pair in pairs for row in pair.rows),
        *interleaved([image.row for image in images[:MOST_UNUSUAL]] for images in unusual.values()),
        *(second for leak in analysis.leaks for _, second in leak.pairs),
        *interleaved(rows_of_class[code] for code in sampled),
    ]
    small = thumbnails_of(data.table, rows, THUMBNAIL_CHARACTERS, thumbnails)
    sheets = make_sheets(data.table, analysis.found_map.rows.tolist(), SHEET_CHARACTERS, thumbnails)
    template = _environment().get_template("data_report.html.j2")
    return template.render(
        analysis=analysis,
        title=f"Data report: {Path(data.channels[0]).absolute().name}",
        sections=_sections(analysis, bool(sampled)),
        joint_title=sentences.JOINT_TITLE,
        split_names=data.split_names,
        paths=data.paths,
        split_of=lambda row: data.table.sides[row] if data.table.sides is not None else "",
        small=small,
        is_blurred=thumbnails == BLURRED,
        labelled_splits=data.labelled_splits,
        numbers=number_bars(data),
        unusual=unusual,
        samples=[
            (joint.classes[code].name, [row for row in rows_of_class[code] if row in small]) for code in sorted(sampled)
        ],
        samples_left_out=own_sentences.left_out(len(rows_of_class), len(sampled)),
        neighbour_count=analysis.found_map.neighbours.shape[1],
        duplicates_sentence=own_sentences.duplicates_sentence(analysis, len(pairs)),
        pairs=[_pair_on_page(analysis, pair) for pair in pairs],
        content={"map": map_content(data, analysis.found_map, sheets)},
        # of many folds, only pairs that share something are listed
        listed_leaks=[leak for leak in analysis.leaks if leak or len(analysis.leaks) <= MOST_LEAKS],
        made_on=made_on,
        **_texts(analysis),
        **embedded_files(
            [SHARED / "report.css", TEMPLATES / "data_report.css"],
            [SHARED / "tables.js", TEMPLATES / "data_report.js"],
        ),
    )


def _texts(analysis: Analysis) -> dict[str, Any]:
    """Sentences of the page, and the nouns for its groups."""
    data, groups = analysis.data, analysis.groups
    noun, noun_of_one = own_sentences.nouns(data.table.grouped_by)
    return {
        "grouped": bool(data.table.grouped_by),
        "noun": noun,
        "noun_of_one": noun_of_one,
        "subject": own_sentences.subject(data),
        "balance": own_sentences.balance,
        "few": few_sentences(analysis.targets[0].few, data.table.grouped_by),
        "unlabelled": own_sentences.unlabelled(data),
        "missing": own_sentences.missing_labels(analysis),
        "group_bars": own_sentences.group_bars(groups) if groups else [],
        "groups_sentence": own_sentences.groups_sentence(groups, noun) if groups else "",
        "sizes_sentence": own_sentences.sizes_sentence(analysis.sizes),
        "map_sentence": own_sentences.map_sentence(analysis),
    }


def _sections(analysis: Analysis, has_samples: bool) -> list[tuple[str, str]]:
    """Id and title in the navigation of each section after the first."""
    noun = own_sentences.nouns(analysis.data.table.grouped_by)[0]
    return [
        ("classes", "Classes"),
        *([("labels", "Label checks")] if analysis.mixed or own_sentences.missing_labels(analysis) else []),
        *([("groups", noun.capitalize())] if analysis.groups else []),
        ("images", "Images"),
        *([("broken", "Unreadable")] if analysis.data.skipped else []),
        *([("samples", "Samples")] if has_samples else []),
        ("map", "Map"),
        ("duplicates", "Near-duplicates"),
        *([("leaks", "Leaks")] if analysis.leaks else []),
    ]


def _pair_on_page(analysis: Analysis, pair: DuplicatePair) -> PairOnPage:
    table = analysis.data.table
    kinds = [
        text
        for text, applies in (("different labels", pair.labels_differ), ("different splits", pair.across_splits))
        if applies
    ]
    first, second = (_labels(table.scheme.attributes, table.labels, row) for row in pair.rows)
    differs = [one != other and "" not in (one, other) for one, other in zip(first, second)]
    measure = (
        "equal files"
        if pair.is_equal
        else (f"similarity {pair.similarity:.3f}" if np.isfinite(pair.similarity) else "")
    )
    sides = tuple(
        Side(row, [(value, other) for value, other in zip(own, differs) if value])
        for row, own in zip(pair.rows, (first, second))
    )
    return PairOnPage((", ".join(kinds) or "same labels").capitalize(), measure, sides)


def _labels(attributes: Sequence[Any], labels: Any, row: int) -> list[str]:
    """The value of each attribute of an image; "" if the label is missing."""
    return [(*attribute.values, "")[int(labels[attribute.name].iloc[row])] for attribute in attributes]


def _breakable_path(path: str) -> Markup:
    """A path that may be broken after each folder."""
    return Markup("/<wbr>").join(path.split("/"))


def _environment() -> Environment:
    environment = page_environment(TEMPLATES)
    environment.filters.update(short_count=own_sentences.short_count, breakable_path=_breakable_path)
    environment.globals.update(
        listing=listing,
        few_groups=FEW_GROUPS,
        most_few=MOST_FEW,
        most_open=ROWS_UNFOLDED,
        most_unusual=MOST_UNUSUAL,
        most_mixed=MOST_MIXED,
        most_broken=MOST_BROKEN,
    )
    return environment
