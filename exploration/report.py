"""`python -m exploration report`: writes a page about the images and labels of a channel."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exploration.channels import EmbeddedChannel, cache_folder, embeddings_of, next_command, require_writable
from model.errors import InputError, WeightsUnavailable
from model.settings.choices import THUMBNAILS
from model.settings.cli import from_flags
from model.settings.embedder import THUMBNAIL
from model.settings.fields import setting

if TYPE_CHECKING:
    from exploration.data_report.report_data import ReportData
    from model.embeddings.embed import Embeddings

USAGE = """python -m exploration report CHANNEL [EVAL] [--output FILE] [--FLAG VALUE ...]

Writes one HTML page about the images and labels in the folder CHANNEL: counts per class and split, groups, unreadable
and odd images, samples of each class, near-duplicates, a map of the embeddings, and leaks between train, validation and
the evaluation channel EVAL. EVAL may have no labels. The page needs no network and no other file.

    python -m exploration report data/train data/eval --split_csv output/exp/split.csv"""

EXAMPLE = "python -m exploration report data/train"

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class ReportSettings(EmbeddedChannel):
    channels: list[str] = setting(
        [],
        "Folder of the labelled channel, and optionally of the evaluation channel",
        section="Report",
        positional=True,
    )
    output: str = setting("data_report.html", "HTML file to write", placeholder="FILE", common=True)
    json: str | None = setting(None, "JSON file to write the numbers of the page to", placeholder="FILE", common=True)
    split_csv: str | None = setting(
        None,
        "split.csv of a training on CHANNEL, which has the split of each image",
        placeholder="FILE",
        common=True,
    )
    thumbnails: str = setting(
        "full",
        "Images on the page; none: names and labels only, blurred: at most 8 pixels per side, full: thumbnails",
        choices=THUMBNAILS,
        common=True,
    )
    samples: int = setting(8, "Sample images per class", low=0, high=100, common=True)
    points: int = setting(
        8000, "Maximum number of images in the map; of more images, a sample is shown", low=100, high=20000
    )
    seed: int = setting(0, "Seed of the samples", low=0)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        yield from super().contradictions()
        if self.split_csv and self.split_column:
            yield "split_csv and split_column both define the splits; set only one of them"


def main(argv: Sequence[str]) -> int:
    settings = from_flags(ReportSettings, argv, USAGE)
    if not 1 <= len(settings.channels) <= 2:
        given = f"got {len(settings.channels)}: {' '.join(settings.channels)}" if settings.channels else "got none"
        raise InputError(f"expected the folder of a channel and at most one evaluation channel, {given}; {EXAMPLE}")
    for name in ("output", "json"):
        if getattr(settings, name):
            require_writable(name, getattr(settings, name))
    # imported here, so that --help does not wait for pandas
    from exploration.data_report.analysis import analyse
    from exploration.data_report.page import render_page
    from exploration.data_report.report_data import read_report_data
    from exploration.image_statistics import image_statistics
    from exploration.near_duplicates import near_duplicates
    from model.atomic_write import write_json, write_text

    channel, *others = map(Path, settings.channels)
    split_csv = Path(settings.split_csv) if settings.split_csv else None
    data = read_report_data(settings, channel, others[0] if others else None, split_csv)
    embeddings, notes = embed(settings, data)
    splits = [data.split_names[split] for split in data.splits]
    pairs = near_duplicates(data.table, embeddings, splits, cache_folder(settings), settings.num_workers)
    analysis = analyse(
        data,
        embeddings,
        pairs,
        image_statistics(data.table, cache_folder(settings), settings.num_workers),
        settings.points,
        settings.seed,
        notes,
    )
    page = render_page(analysis, settings.thumbnails, settings.samples, settings.seed, datetime.date.today())
    write_text(Path(settings.output), page)
    if settings.json:
        write_json(Path(settings.json), analysis.to_dict())
        print(f"wrote {settings.json}")
    for finding in analysis.findings:
        print(f"{finding.sentence}")
    print(f"wrote {settings.output}")
    print(next_command(["noise", settings.channels[0]], settings, EmbeddedChannel))
    return 0


def embed(settings: ReportSettings, data: ReportData) -> tuple[Embeddings, list[str]]:
    """The embeddings of all images; those of thumbnails, with a sentence, without weights."""
    try:
        return embeddings_of(settings, data.table), []
    except WeightsUnavailable as error:
        log.warning("%s; using embeddings by --model %s", error, THUMBNAIL)
    note = (
        f"The weights of {settings.model} could not be downloaded, so the near-duplicates and the map were computed "
        "from thumbnails of 12 x 12 pixels, which compare colours and shapes, not content. --weights FILE loads a file."
    )
    return embeddings_of(replace(settings, model=THUMBNAIL, input_size=[], sizes=[]), data.table), [note]
