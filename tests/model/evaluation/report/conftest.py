"""Pages of small made-up evaluations, and their tables as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from model.artifacts.provenance import MemberProvenance, Provenance, SplitSize
from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report.render import render_report
from model.labels import Scheme, mask_scheme

MEMBER = MemberProvenance(
    name="exp",
    backbone="resnet18",
    settings={"sampler": "imbalanced", "input_size": [64, 48], "augmentation": {"flip": {}, "erasing": {"p": 0.25}}},
    source="profile folders",
    grouped_by="person",
    train=SplitSize(1890, 270),
    validation=SplitSize(210, 30),
    scores={"f1": 0.9591, "acc": 0.9619},
    best_criterion="f1",
    finished=True,
    epoch=3,
    epochs=4,
    seconds=71.2,
    hardware="CPU, 2 threads, fp32",
    versions={"rarebird": "0.1.0", "torch": "2.14.1"},
)
MADE = Provenance("exp", 1, "", (MEMBER,))


class Tables(HTMLParser):
    """The tables of a page: by caption, its rows as texts of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.result: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._caption: list[str] = []
        self._texts: list[str] | None = None  # of the caption or the cell that is open
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self._rows, self._caption = [], []
        elif tag == "tr":
            self._rows.append([])
        elif tag == "caption":
            self._texts = self._caption
        elif tag in ("td", "th"):
            self._texts = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.result["".join(self._caption)] = self._rows
        elif tag in ("td", "th"):
            self._rows[-1].append("".join(self._texts or []).strip())
        if tag in ("td", "th", "caption"):
            self._texts = None

    def handle_data(self, data: str) -> None:
        if self._texts is not None:
            self._texts.append(data)


@dataclass
class Page:
    """matched and evaluation, and the page made of them."""

    matched: MatchedAnswers
    evaluation: Evaluation
    html: str
    tables: dict[str, list[list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = Tables(self.html).result


def made_up(scheme: Scheme, pictures: int, seed: int = 0) -> MatchedAnswers:
    """Answers of which about seven in ten are right and a few are missing; groups of up to five; two sites."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(scheme.num_classes, size=pictures)
    answers = np.where(generator.random(pictures) < 0.7, truth, generator.integers(scheme.num_classes, size=pictures))
    probabilities = generator.dirichlet(np.full(scheme.num_classes, 0.1), pictures) * 0.5
    probabilities[np.arange(pictures), answers] += 0.5
    answers[generator.random(pictures) < 0.02] = -1
    groups = np.sort(generator.integers(max(pictures // 5, 1), size=pictures))
    groups = np.unique(groups, return_inverse=True)[1]
    return MatchedAnswers(
        scheme=scheme,
        names=[f"{generator.bytes(8).hex()}.jpg" for _ in range(pictures)],
        truth=truth,
        answers=answers,
        probabilities=probabilities,
        groups=groups,
        group_column="person",
        group_names=[f"{group:04}" for group in range(groups.max() + 1)],
        metadata={"site": generator.choice(["north", "south"], pictures).tolist()},
        provenance=MADE,
    )


@pytest.fixture(scope="session")
def make_page() -> Callable[..., Page]:
    """Of a made-up evaluation, parts of which are given."""

    def make(scheme: Scheme | None = None, pictures: int = 300, resamples: int = 40, **given: Any) -> Page:
        rendered = {name: given.pop(name) for name in ("compared", "made_on", "thumbnails") if name in given}
        folder = given.pop("folder", None)
        matched = replace(made_up(scheme or mask_scheme(), pictures), **given)
        evaluation = evaluate(matched, resamples=resamples)
        return Page(matched, evaluation, render_report(evaluation, matched, folder, **rendered))

    return make
