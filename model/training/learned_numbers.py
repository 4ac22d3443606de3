"""Which attributes of a training learn the distribution of their number, and the bins of their heads."""

from __future__ import annotations

import hashlib
import logging

import numpy as np

from model.data.datasets import Datasets
from model.data.label_forms import forms_from_config
from model.data.table import Table
from model.errors import InputError, listing
from model.labels import Scheme
from model.network.number_bins import NumberBins, make_bins
from model.runtime import distributed
from model.settings.numbers import NumberLearning
from model.settings.train import TrainSettings

AGE = "age"  # attribute of the mask scheme

log = logging.getLogger("rarebird")


def learned_numbers(settings: TrainSettings) -> dict[str, NumberLearning]:
    """How distributions are learned, by the name of the attribute: those of `attributes`, or the age by `age_sigma`."""
    if settings.age_sigma:
        return {AGE: NumberLearning(settings.age_sigma)}
    forms = forms_from_config(settings.attributes) if settings.attributes else []
    return {form.name: form.learning for form in forms if form.learning is not None}


def learned_bins(settings: TrainSettings, table: Table, channel: Scheme | None = None) -> dict[str, NumberBins]:
    """The bins of each attribute of a table whose distribution is learned, by its name.

    Logs how many images have no number.

    Args:
        settings: Settings of the training.
        table: Training images, with the labels of the target.
        channel: Label scheme of the channel, if that of the table is only a part of it.

    Raises:
        InputError: age_sigma is set and the channel does not have the mask scheme, or an attribute's bins cannot be
            made.
    """
    learned, bins = learned_numbers(settings), {}
    names = (channel or table.scheme).names
    if settings.age_sigma and (AGE not in names or not (channel or table.scheme).attribute(AGE).cuts):
        raise InputError(
            f"age_sigma is used only with the mask scheme (columns mask, gender and age); the attributes of this "
            f"channel are {listing(names)}"
        )
    for attribute in table.scheme.attributes:
        if attribute.name not in learned:
            continue
        without = np.full(len(table), np.nan)
        numbers = table.numbers[attribute.name].to_numpy(np.float64) if attribute.name in table.numbers else without
        bins[attribute.name] = make_bins(attribute.name, attribute.cuts, learned[attribute.name], numbers)
        only_band = int((np.isnan(numbers) & (table.labels[attribute.name].to_numpy() >= 0)).sum())
        if only_band and distributed.rank() == 0:
            log.info(
                "%s: %s of %s training images have only the name of a band; their number counts as anywhere in it",
                attribute.name,
                f"{only_band:,}",
                f"{len(table):,}",
            )
    return bins


def numbers_identity(settings: TrainSettings, datasets: Datasets) -> dict[str, str]:
    """What must be equal for a run that learns distributions to be resumed: a hash of the numbers, as equal bands may
    have other numbers. Empty if none is learned.

    Args:
        settings: Settings of the training.
        datasets: Images with the labels of the target.
    """
    names = [name for name in learned_numbers(settings) if name in datasets.train.scheme.names]
    if not names:
        return {}
    digest = hashlib.blake2b(digest_size=16)
    for table in (datasets.train, datasets.validation):
        if table is not None:
            for name in names:
                digest.update(name.encode() + np.asarray(table.numbers.get(name, ()), np.float64).tobytes())
    return {"numbers": digest.hexdigest()}
