"""read_tables reads the labelled channels of a training run and checks their labels and images."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import cpu_count

from model.data.channel import ChannelOptions, read_channel
from model.data.content_index import hash_equal_files
from model.data.correction_files import check_corrections, drop_repeated, log_path, own_logs
from model.data.integrity import check_four_channels, check_images
from model.data.pixel_range import sample_pixels
from model.data.prediction_input import has_images
from model.data.split_folders import split_channels
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing, raise_all
from model.labels import Scheme, target_scheme
from model.metrics.epoch_metrics import SCORE_OF_MANY
from model.settings.choices import SEPARATE
from model.settings.nested import own_names, under_own_names
from model.settings.train import TrainSettings

UNREADABLE_CSV = "unreadable.csv"  # next to split.csv
SKIP = "skip"  # value of the setting `unreadable`

log = logging.getLogger("rarebird")


def read_tables(
    settings: TrainSettings, train_dir: Path, validation_dir: Path | None, checked: Path
) -> tuple[Table, Table | None]:
    """Reads and checks the labelled channels.

    Args:
        settings: How channels are read and checked.
        train_dir: Channel to train on, or a folder that contains a folder for each split.
        validation_dir: Channel to validate on, if any.
        checked: Cache of the images that were decoded without error; with check_only it is not written.

    Returns:
        The tables with the contents of their images. Unreadable images are removed if `unreadable` is `skip`.

    Raises:
        InputError: Lists all problems of both channels, including unreadable images.
    """
    if settings.split_column and validation_dir is not None:
        raise InputError("split_column and a validation channel both define the validation images; set only one")
    options = ChannelOptions.from_settings(settings)
    has_own_split = bool(settings.folds or settings.validation_groups or settings.split_column)
    above = train_dir
    train_dir, validation_dir = split_channels(train_dir, validation_dir, options, has_own_split)
    corrections = settings.corrections
    if corrections and train_dir != above:  # the log may lie next to the folders of the splits
        corrections = str(log_path(corrections, above))
    problems = [Problems(f"channel train ({train_dir})")]
    roots = [train_dir] if validation_dir is None else [train_dir, validation_dir]
    logs = own_logs(corrections, roots)
    tables = [read_channel(train_dir, problems[0], replace(options, corrections=logs[0]))]
    if validation_dir is not None:
        # The validation channel may have a table of another name than the training channel
        table = settings.table if settings.table and (validation_dir / settings.table).is_file() else None
        scheme = tables[0].scheme if tables[0] is not None else None
        problems.append(Problems(f"channel validation ({validation_dir})"))
        own_options = replace(options, table=table, corrections=logs[1])
        tables.append(read_channel(validation_dir, problems[1], own_options, scheme))
        drop_repeated(problems[1], problems[0])
        if scheme is not None and problems[1]:
            _explain_empty_folders(train_dir, validation_dir, scheme, problems[1])
    if tables[0] is not None and not problems[0]:
        _check_attribute_names(settings, tables[0].scheme)
    check_corrections([table for table in tables if table is not None], problems[0])
    pairs = [(table, own) for table, own in zip(tables, problems) if table is not None]
    how, skip, remember = settings.check, settings.unreadable == SKIP, not settings.check_only
    readable = [check_table(table, own, checked, how, skip, remember) for table, own in pairs]
    if settings.channels == 4:
        for images, (_, own) in zip(readable, pairs):
            check_four_channels(images, own, cpu_count())
    raise_all(problems)
    train, *others = readable
    if settings.check == "headers":
        hash_equal_files(
            [(table.root, table.locations, table.contents) for table in (train, *others) if table.contents]
        )
    train = sample_pixels(train, settings.seed, cpu_count())
    return _share_combinations(train, others[0] if others else None)


def _explain_empty_folders(train_dir: Path, validation_dir: Path, scheme: Scheme, problems: Problems) -> None:
    """Adds the advice that a class of the validation channel is unknown because its folder in train has no images."""
    if len(scheme.attributes) > 1 or "unknown label" not in problems.kinds:
        return
    names = [entry.name for entry in validation_dir.iterdir() if entry.is_dir() and (train_dir / entry.name).is_dir()]
    for name in sorted(set(names) - set(scheme.class_names)):
        if not has_images(train_dir / name):
            problems.advise(f"{train_dir / name} has no images: add some, or remove {validation_dir / name}")


def check_table(
    table: Table, problems: Problems, checked: Path, how: str = "decode", skip: bool = False, remember: bool = True
) -> Table:
    """Runs the integrity check and returns the table with the contents of its images.

    Args:
        table: The images.
        problems: Collects the unreadable images, unless they are skipped.
        checked: Cache of the images that were decoded without error.
        how: `decode` or `headers` (check_images).
        skip: Whether unreadable images are removed from the table, which then lists them in `skipped`.
        remember: Whether to add new results to the cache; if so, unreadable images are not listed in the log.
    """
    check = check_images(
        table, Problems("") if skip else problems, how, checked, workers=cpu_count(), remember=remember
    )
    table = replace(table, contents=check.contents)
    if not (skip and check.unreadable):
        return table
    reasons = Counter(reason.partition(":")[0] for reason in check.unreadable.values())
    counts = listing(f"{count:,} {reason}" for reason, count in reasons.most_common())
    skipped = tuple((table.locations[row].path, reason) for row, reason in check.unreadable.items())
    # otherwise save_skipped logs the path of their list
    details = "" if remember else f"; {listing((path for path, _ in skipped), 5)}"
    log.warning(
        "%s: skipped %s of %s images, which cannot be read: %s%s",
        *(table.root, f"{len(check.unreadable):,}", f"{len(table):,}", counts, details),
    )
    if len(skipped) == len(table):
        problems.add("no readable image", counts)
    rows = np.setdiff1d(np.arange(len(table)), list(check.unreadable))
    return replace(table.take(rows), skipped=skipped)


def _check_attribute_names(settings: TrainSettings, scheme: Scheme) -> None:
    """Checks that the settings `target`, `heads` and `separate` name attributes of the channel.

    Called before all images are decoded, which can take long.
    """
    if settings.target != SEPARATE:
        target_scheme(scheme, settings.target)
    under_own_names("heads", settings.heads, scheme.names)
    _, unknown = own_names(settings.separate, scheme.names)
    if unknown:
        known = listing(scheme.names)
        raise InputError(
            "\n".join(
                f"separate: {name!r} is not an attribute, expected {known}{did_you_mean(name, scheme.names)}"
                for name in unknown
            )
        )


def _share_combinations(train: Table, validation: Table | None) -> tuple[Table, Table | None]:
    """Gives both tables the same scheme: if it is_large, the joint classes are the combinations in either table."""
    if not train.scheme.is_large:
        return train, validation
    scheme = train.scheme.occurring(*(table.codes() for table in (train, validation) if table is not None))
    log.info(
        "%s of the %s combinations of %s occur in the data; these are the joint classes",
        f"{scheme.num_classes:,}",
        f"{scheme.num_combinations:,}",
        listing(scheme.names),
    )
    log.info("a score is %s", SCORE_OF_MANY)
    only_validation = scheme.num_classes - train.scheme.num_classes
    if only_validation:
        log.warning("%s of them occur only in the validation channel", f"{only_validation:,}")
    return replace(train, scheme=scheme), validation and replace(validation, scheme=scheme)
