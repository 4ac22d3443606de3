"""`python -m exploration review`: serves the review page on this machine."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shlex
import signal
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from container.http.server import ConnectionLimits, HttpServer, open_listener
from exploration.channels import ExploredChannel, read_labelled
from exploration.review.app import ReviewApp
from exploration.review.filters import filter_rows, search_rows
from exploration.review.queues import AUDIT, GROUP, IMAGE, SUSPECTS, Item, items_of_rows, read_audit, read_suspects
from exploration.review.review_data import ReviewData
from exploration.review.row_labels import RowLabels
from exploration.review.store import DecisionStore
from exploration.review.thumbnails import ReviewImages
from model.cleaning.audit import Audit
from model.errors import InputError, Problems
from model.settings.cli import from_flags
from model.settings.fields import setting

HOST = "127.0.0.1"
LIMITS = ConnectionLimits(max_connections=200, drain_seconds=5)

USAGE = """python -m exploration review CHANNEL [--suspects FILE] [--audit FILE] [--filter NAME=VALUE ...]
    [--search TEXT] [--corrections FILE] [--reviewer NAME] [--FLAG VALUE ...]

Serves a page on this machine to review the labels of a channel by keyboard. Each decision is appended to the
corrections file at once; no image and no label of the channel is changed.

    python -m exploration review demo/data/train --suspects suspects.csv
    python -m exploration review demo/data/train --filter mask=incorrect age=60+

Ctrl-C ends the server. `python train.py --corrections FILE` trains with the corrections."""


@dataclass(frozen=True)
class ReviewSettings(ExploredChannel):
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
    corrections: str = setting(
        "corrections.csv", "File of the decisions, to which new ones are appended", common=True, placeholder="FILE"
    )
    reviewer: str | None = setting(None, "Who reviews", unset="login name", common=True, placeholder="NAME")
    port: int = setting(0, "Port of the page on 127.0.0.1; 0: any that is free", low=0, high=65535, common=True)
    open: bool = setting(True, "Open the page in a browser, if there is a display", common=True)

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
    _refuse_inside(Path(settings.corrections), Path(settings.channel))
    with open_listener(HOST, settings.port) as listener:
        review = open_review(settings, port=listener.getsockname()[1])
        server = HttpServer(review.app(), LIMITS)
        url = f"http://{HOST}:{review.port}/?token={review.token}"
        count = f"{len(review.data.items):,} {review.data.items[0].level}s"
        print(f"{count} to review by {review.data.reviewer}; decisions are saved in {settings.corrections}")
        print(f"{url}\nCtrl-C ends the review", flush=True)
        if settings.open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(url)
        signal.signal(signal.SIGTERM, _interrupt)  # uvicorn raises signals again after the last response
        with contextlib.suppress(KeyboardInterrupt):
            server.run(listener)
        review.images.close()
    train = ["python", "train.py", "--train_dir", settings.channel, "--corrections", settings.corrections]
    print(f"\n{review.saved:,} decisions were saved in {settings.corrections}; to train with them: {shlex.join(train)}")
    return 0


def open_review(settings: ReviewSettings, port: int) -> ReviewApp:
    """Reads the channel, the queue and the earlier decisions.

    Args:
        settings: The settings.
        port: Port of the server.

    Raises:
        InputError: The channel, the file of the queue or the corrections are invalid, or nothing is to be reviewed.
    """
    table = read_labelled(replace(settings, corrections=""), Path(settings.channel))
    for path, reason in table.skipped:
        print(f"skipped: {path}: {reason}", file=sys.stderr)
    labels = RowLabels(table)
    source, items = make_queue(settings, labels)
    data = ReviewData(labels, items, source, settings.corrections, settings.reviewer or login_name())
    audit = read_audit_sample(settings.audit, labels) if settings.audit else None
    store = DecisionStore(Path(settings.corrections))
    images = ReviewImages(table, settings.follow_links)
    return ReviewApp(data, store, images, secrets.token_urlsafe(24), port, audit)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def make_queue(settings: ReviewSettings, labels: RowLabels) -> tuple[str, list[Item]]:
    """The name of the queue, and its items.

    Args:
        settings: The settings.
        labels: The channel.

    Raises:
        InputError: The file of the queue is invalid, or nothing is to be reviewed.
    """
    problems = Problems(settings.suspects or settings.audit or settings.channel)
    if settings.suspects:
        source, items = SUSPECTS, read_suspects(Path(settings.suspects), labels, problems)
    elif settings.audit:
        source, items = AUDIT, read_audit(Path(settings.audit), labels, problems)
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
        raise InputError(f"{problems.heading}: nothing to review")
    return source, items


def read_audit_sample(path: str, labels: RowLabels) -> Audit:
    """The audit of the groups in an audit.csv. InputError if the channel lacks some."""
    problems = Problems(path)
    items = read_audit(Path(path), labels, problems)
    problems.raise_if_any()
    return Audit(labels.table, [item.group or item.path for item in items])


def login_name() -> str:
    """The name of the user, `reviewer` if the system has none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "reviewer"


def _refuse_inside(corrections: Path, channel: Path) -> None:
    """InputError if the corrections would be written into the channel, where they could be read as its labels."""
    if corrections.resolve().is_relative_to(channel.resolve()):
        raise InputError(f"corrections {corrections}: must not be in the channel {channel}; choose another folder")
