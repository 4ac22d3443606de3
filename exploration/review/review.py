"""`python -m exploration review`: serves the review page on this machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exploration.channels import ExploredChannel, read_labelled
from exploration.review.page_settings import PageSettings
from exploration.review.queues import (
    AUDIT,
    GROUP,
    IMAGE,
    SUSPECTS,
    Item,
    items_of_groups,
    items_of_rows,
    items_of_suspects,
)
from model.errors import InputError, Problems
from model.settings.cli import from_flags
from model.settings.fields import setting

if TYPE_CHECKING:
    from exploration.review.app import ReviewApp
    from exploration.review.row_labels import RowLabels
    from model.cleaning.audit import Audit

USAGE = """python -m exploration review CHANNEL [--suspects FILE] [--audit FILE] [--filter NAME=VALUE ...]
    [--search TEXT] [--corrections FILE] [--reviewer NAME] [--FLAG VALUE ...]

Serves a page on this machine to review the labels of a channel by keyboard. Each decision is appended to the
corrections file at once; no image and no label of the channel is changed.

    python -m exploration review demo/data/train --suspects suspects.csv
    python -m exploration review demo/data/train --filter mask=incorrect age=60+

Ctrl-C ends the server. `python train.py --corrections FILE` trains with the corrections."""


@dataclass(frozen=True)
class ReviewSettings(PageSettings, ExploredChannel):
    channel: str = setting("", "Folder of images and labels", section="Review", positional=True, common=True)
    suspects: str | None = setting(
        None, "Review the suspects in this file of `python -m exploration noise`", common=True, placeholder="FILE"
    )
    audit: str | None = setting(
        None,
        "Review the sample in this file of `python -m exploration audit`; with --suspects, review the suspects and "
        "only show the audit's estimates",
        common=True,
        placeholder="FILE",
    )
    filter: list[str] = setting(
        [],
        "Review the images that fulfil conditions on labels, metadata, group or path, such as mask=worn age=60+; "
        "several values of a name are alternatives",
        unset="all images",
        common=True,
        placeholder="NAME=VALUE ...",
    )
    search: str | None = setting(None, "Review the images with these words in their path, group or labels", common=True)
    level: str = setting(
        "auto",
        "What is decided on with --filter, --search and in a review of all images; auto: groups in a review of all "
        "images of a channel that has groups, otherwise images",
        choices=("auto", IMAGE, GROUP),
        common=True,
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from self.reading_contradictions()
        own = AUDIT if self.audit and not self.suspects else SUSPECTS
        queues = [name for name in (own, "filter", "search") if getattr(self, name)]
        if len(queues) > 1:
            yield f"{' and '.join(queues)} each say what to review; set only one of them"
        if not self.channel:
            yield "no channel; the first word is its folder, as in `python -m exploration review demo/data/train`"


def main(argv: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM, then prints what was saved."""
    settings = from_flags(ReviewSettings, argv, USAGE)
    from exploration.review.serve import serve  # imported here and below, so that --help is fast

    train = ["python", "train.py", "--train_dir", settings.channel, "--corrections", settings.corrections]
    advice = f"to train with them: {shlex.join(train)}"
    serve(settings, Path(settings.channel), lambda port: open_review(settings, port), advice)
    return 0


def open_review(settings: ReviewSettings, port: int) -> ReviewApp:
    """Reads the channel, the queue and the earlier decisions.

    Args:
        settings: The settings.
        port: Port of the server.

    Raises:
        InputError: The channel, the file of the queue or the corrections are invalid, or nothing is to be reviewed.
    """
    from exploration.review.review_data import ReviewData
    from exploration.review.row_labels import RowLabels
    from exploration.review.serve import make_review
    from exploration.review.thumbnails import ReviewImages

    table = read_labelled(replace(settings, corrections=""), Path(settings.channel))
    for path, reason in table.skipped:
        print(f"skipped: {path}: {reason}", file=sys.stderr)
    labels = RowLabels(table)
    source, items = make_queue(settings, labels)
    data = ReviewData(labels, items, source, settings.corrections, settings.reviewer_name)
    audit = read_audit_sample(settings.audit, labels) if settings.audit else None
    return make_review(settings, port, data, ReviewImages(table, settings.follow_links), audit)


def make_queue(settings: ReviewSettings, labels: RowLabels) -> tuple[str, list[Item]]:
    """The name of the queue, and its items.

    Args:
        settings: The settings.
        labels: The channel.

    Raises:
        InputError: The file of the queue is invalid, or nothing is to be reviewed.
    """
    from exploration.audit import read_sample
    from exploration.review.filters import filter_rows, search_rows
    from model.cleaning.suspects import read_suspects

    problems = Problems(settings.suspects or settings.audit or settings.channel)
    if settings.suspects:
        source, items = SUSPECTS, items_of_suspects(labels, read_suspects(Path(settings.suspects), labels.table))
    elif settings.audit:
        groups = read_sample(Path(settings.audit), labels.table, problems)
        source, items = AUDIT, items_of_groups(labels, groups)
    else:
        level = settings.level
        if settings.search:
            source, rows = "search", search_rows(labels, settings.search)
        elif settings.filter:
            source, rows = "filter", filter_rows(labels, settings.filter)
        else:
            source, rows = "all", list(range(len(labels.paths)))
            level = GROUP if level == "auto" else level
        items = items_of_rows(labels, rows, level)
    problems.raise_if_any()
    if not items:
        asked = {"search": f"search {settings.search}: ", "filter": f"filter {' '.join(settings.filter)}: "}
        raise InputError(f"{asked.get(source, '')}{problems.heading}: nothing to review")
    return source, items


def read_audit_sample(path: str, labels: RowLabels) -> Audit:
    """The audit of the groups in an audit.csv. InputError if the channel lacks some."""
    from exploration.audit import read_sample
    from model.cleaning.audit import Audit

    problems = Problems(path)
    groups = read_sample(Path(path), labels.table, problems)
    problems.raise_if_any()
    return Audit(labels.table, groups)
