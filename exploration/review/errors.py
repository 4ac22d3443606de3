"""`python -m exploration errors`: serves the review page for the wrong predictions of a model."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exploration.channels import require_folder
from exploration.review.page_settings import PageSettings
from model.answers.files import TRUTH, answers_file
from model.errors import InputError, listing
from model.settings.checks import unknown_encoding
from model.settings.cli import from_flags
from model.settings.fields import setting

if TYPE_CHECKING:
    from exploration.review.app import ReviewApp
    from exploration.review.predictions import Predictions

USAGE = """python -m exploration errors CHANNEL --answers DIR [--ground_truth DIR] [--model DIR] [--FLAG VALUE ...]

Serves the review page for the wrong predictions of a model, the most confident first. CHANNEL has the images. Wrong
labels are corrected as in a review: each decision is appended to the corrections file at once.

    python -m exploration errors demo/data/train --answers runs/exp.validation --model runs/exp
    python -m exploration errors demo/data/eval --answers output --ground_truth demo/data/gt --true mask=worn

The true labels are those of --ground_truth, otherwise gt.csv next to the predictions, as training writes it for images
that it held out, otherwise the labels of CHANNEL. Ctrl-C ends the server."""


@dataclass(frozen=True)
class ErrorsSettings(PageSettings):
    """Settings of `python -m exploration errors`."""

    channel: str = setting("", "Folder of the images", section="Errors", positional=True, common=True)
    answers: str = setting(
        "", "Folder with the predictions, or the file; probabilities.csv is read from the same folder", common=True,
        placeholder="DIR",
    )  # fmt: skip
    ground_truth: str | None = setting(
        None, "Folder with gt.csv, or the file; or another table or labelled folder, as evaluation.py reads it",
        unset="gt.csv next to the predictions, otherwise the channel", common=True, placeholder="DIR",
    )  # fmt: skip
    model: str | None = setting(
        None, "Folder of the saved model, for heat maps: the parts of the image that speak for a class (key h)",
        common=True, placeholder="DIR",
    )  # fmt: skip
    wrong: bool = setting(True, "List wrong predictions; false: right ones, the least confident first", common=True)
    attribute: str | None = setting(
        None, "Attribute whose predictions are listed", unset="those in --true and --predicted, otherwise all",
        common=True, placeholder="NAME",
    )  # fmt: skip
    true: list[str] = setting(
        [], "List only images with these true labels, such as mask=worn; several values of a name are alternatives",
        unset="all images", common=True, placeholder="NAME=VALUE ...",
    )  # fmt: skip
    predicted: list[str] = setting(
        [], "List only images with these predictions, likewise", unset="all images", common=True,
        placeholder="NAME=VALUE ...",
    )  # fmt: skip
    least_confidence: float = setting(0.0, "Least probability of the predicted class", low=0, high=1, common=True)
    most_confidence: float = setting(1.0, "Largest probability of the predicted class", low=0, high=1, common=True)
    filter: list[str] = setting(
        [], "List only images that fulfil conditions on labels, metadata, group or path", unset="all images",
        common=True, placeholder="NAME=VALUE ...",
    )  # fmt: skip
    most: int = setting(5000, "Maximum number of listed predictions, the first ones; 0: no limit", low=0, common=True)
    device: str = setting("auto", "Device of --model: cpu, cuda, or auto")
    labels: str | None = setting(
        None, "File with the label scheme", unset="labels.json next to the predictions", section="Tables",
        placeholder="FILE",
    )  # fmt: skip
    label_values: str | None = setting(
        None, "What the true labels are if they can be read as both", unset="detected", choices=("names", "indices")
    )
    picture_column: str | None = setting(
        None, "Column with the image names", unset="ImageID, image_name, path, filename, ..."
    )
    group_column: str | None = setting(
        None, "Column with the group of each image, such as its person or sender",
        unset="group, person, sender or people_path",
    )  # fmt: skip
    encoding: str = setting("utf-8", "Encoding of the ground truth, such as cp1252 or cp949")
    follow_links: bool = setting(False, "Show images through symbolic links that point outside the channel")
    max_pixels: int = setting(0, "Maximum number of pixels of an image. 0 means 178,956,970", unit="pixels", low=0)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from unknown_encoding(self.encoding)
        example = "as in `python -m exploration errors demo/data/train --answers runs/exp.validation`"
        if not self.channel:
            yield f"no channel; the first word is the folder of the images, {example}"
        if not self.answers:
            yield f"no answers; set the folder of the predictions, {example}"
        if self.least_confidence > self.most_confidence:
            yield f"least_confidence {self.least_confidence:g} is larger than most_confidence {self.most_confidence:g}"


def main(argv: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM, then prints what was saved."""
    settings = from_flags(ErrorsSettings, argv, USAGE)
    from exploration.review.serve import serve  # imported here and below, so that --help is fast

    flag = shlex.join(["--corrections", settings.corrections])
    advice = f"train.py and evaluation.py take them by {flag}"
    serve(settings, Path(settings.channel), lambda port: open_errors(settings, port), advice)
    return 0


def open_errors(settings: ErrorsSettings, port: int) -> ReviewApp:
    """Reads the predictions, the labels, the model and the earlier decisions.

    Args:
        settings: The settings.
        port: Port of the server.

    Raises:
        InputError: One of them is missing or invalid, or no prediction fulfils the conditions.
    """
    from exploration.review.predictions import ERRORS, ErrorFilter, error_items
    from exploration.review.review_data import ReviewData
    from exploration.review.serve import make_review
    from exploration.review.thumbnails import ReviewImages
    from model.images.decode import allow_pixels

    allow_pixels(settings.max_pixels)
    predictions = read_predictions(settings)
    chosen = ErrorFilter(
        wrong=settings.wrong,
        attribute=settings.attribute or "",
        true=settings.true,
        predicted=settings.predicted,
        images=settings.filter,
        confidence=(settings.least_confidence, settings.most_confidence),
    )
    items = error_items(predictions, chosen)
    if not items:
        kind = "wrong" if settings.wrong else "right"
        raise InputError(f"{settings.answers}: there is no {kind} prediction that fulfils the conditions")
    if 0 < settings.most < len(items):
        print(f"the first {settings.most:,} of {len(items):,} are listed; --most lists more")
        items = items[: settings.most]
    labels = predictions.labels
    images = ReviewImages(labels.table, settings.follow_links)
    heat = None
    if settings.model:
        from exploration.heat_maps import HeatMaps
        from exploration.review.heat_images import HeatImages

        heat = HeatImages(HeatMaps(settings.model, settings.device), predictions, images)
    kind = "Errors" if settings.wrong else "Right predictions"
    title = f"{kind} in {answers_file(Path(settings.answers)).parent.name}"
    data = ReviewData(labels, items, ERRORS, settings.corrections, settings.reviewer_name, title, predictions)
    return make_review(settings, port, data, images, heat=heat)


def read_predictions(settings: ErrorsSettings) -> Predictions:
    """The predictions, matched with the true labels and with the images of the channel.

    Args:
        settings: The settings.

    Raises:
        InputError: A table is missing or invalid, or the channel has none of the images.
    """
    from exploration.review.predictions import matched_predictions
    from model.data.readers.channel_files import ChannelFiles
    from model.evaluation.answer_tables import TruthReading
    from model.evaluation.matching import match_answers
    from model.evaluation.truth import truth_location

    channel = Path(settings.channel)
    require_folder(channel)
    answers = answers_file(Path(settings.answers))
    beside = answers.parent / TRUTH
    truth = Path(settings.ground_truth) if settings.ground_truth else beside if beside.is_file() else channel
    matched = match_answers(
        truth_location(truth),
        answers,
        labels=Path(settings.labels) if settings.labels else None,
        group_column=settings.group_column,
        label_values=settings.label_values,
        reading=TruthReading(settings.picture_column, settings.encoding),
    )
    files = ChannelFiles(channel, settings.follow_links)
    files.locate_images(matched.names)
    predictions = matched_predictions(matched, files)
    known = len(predictions.labels.paths)
    if not known:
        raise InputError(f"{channel}: has none of the images in {answers.name}, such as {listing(matched.names, 3)}")
    print(f"{known:,} of {len(matched.names):,} images with a label are in {channel}")
    return predictions
