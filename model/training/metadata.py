"""Metadata in training: checks its columns, makes the vocabulary, and identifies the values for a resumed run."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from model.attributes import normal_text
from model.data.datasets import Datasets
from model.data.metadata import columns_of, require_columns
from model.data.readers.columns import LABEL_COLUMNS
from model.data.table import Table
from model.errors import InputError, listing
from model.images.vocabulary import Vocabulary
from model.labels import Scheme
from model.settings.choices import NO_FUSION
from model.settings.train import TrainSettings

log = logging.getLogger("rarebird")


def check_metadata(settings: TrainSettings, channel: Scheme) -> None:
    """Raises InputError if a column of labels is to be read as metadata: it is empty when images are predicted.

    Args:
        settings: Settings of a model.
        channel: Label scheme of the channel.
    """
    if settings.fusion == NO_FUSION:
        return
    labels = {folded: one.name for one in channel.attributes for folded in map(_folded, (one.name, one.column or ""))}
    if channel.names == ("label",):  # which is also read from these columns
        labels |= dict.fromkeys(LABEL_COLUMNS, "label")
    labels.pop("", None)
    wrong = {name: labels[_folded(name)] for name in settings.metadata_columns if _folded(name) in labels}
    if wrong:
        columns = listing(f"{name} (attribute {attribute})" for name, attribute in wrong.items())
        raise InputError(
            f"metadata_columns: {columns}: a column of labels cannot be read as metadata, because it is not known when "
            "images are predicted; remove it from metadata_columns, or set attributes to those to predict"
        )


def make_vocabulary(settings: TrainSettings, train: Table) -> Vocabulary | None:
    """The vocabulary of the training images; None without fusion. InputError if the table lacks a column."""
    if settings.fusion == NO_FUSION:
        return None
    names = settings.metadata_columns
    require_columns(train.metadata, names, train.source)
    values = columns_of(train.metadata, names)
    return Vocabulary.of(values, names, settings.metadata_min_count, settings.metadata_dim)


def log_vocabulary(vocabulary: Vocabulary, min_count: int) -> None:
    """Logs the columns, and warns of those whose values are all unknown. min_count: the setting metadata_min_count."""
    log.info("metadata: %s", listing(vocabulary.columns))
    for column in vocabulary.columns:
        if column.entries == 1:
            log.warning(
                "metadata column %s has no effect: none of its values occurs in %d training images "
                "(metadata_min_count), so all are unknown",
                column.name,
                min_count,
            )


def metadata_identity(settings: TrainSettings, datasets: Datasets) -> dict[str, Any]:
    """What must be equal for a run with fusion to be resumed: a hash of the values. Empty without fusion."""
    if settings.fusion == NO_FUSION:
        return {}
    digest = hashlib.blake2b(digest_size=16)
    for table in (datasets.train, datasets.validation):
        for name, values in columns_of(table.metadata, settings.metadata_columns).items() if table else ():
            digest.update("\0".join([name, *map(str, values), ""]).encode("utf-8", "surrogateescape"))
    return {"metadata": digest.hexdigest()}


def _folded(name: str) -> str:
    """A column's name for comparisons."""
    return normal_text(name).lower()
