"""split_channels finds the channels in a folder that contains one folder per split, such as train/, val/ and test/."""

from __future__ import annotations

import logging
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from model.data.channel import ChannelOptions
from model.data.readers.channel_files import IMAGES, ChannelFiles
from model.data.readers.detect import DETECTED_SUFFIXES, tables_to_read
from model.data.readers.image_names import is_image
from model.data.readers.split_names import TRAIN, UNUSED, VALIDATION, side_of
from model.errors import InputError, listing

log = logging.getLogger("rarebird")

SUFFIX = re.compile(r"[ _-]?(set|data|images|imgs|split)$", re.IGNORECASE)  # as in Training Data, test_set, val-images


def split_of(name: str) -> str | None:
    """The split that a folder is named after, one of split_names; None for other names."""
    return side_of(SUFFIX.sub("", name.strip()))


def split_channels(
    train_dir: Path, validation_dir: Path | None, options: ChannelOptions, has_own_split: bool = False
) -> tuple[Path, Path | None]:
    """The channels to train and validate on.

    If every subfolder with images is named after a split, the folder is not a channel: its train and validation folders
    are. A single folder called train among folders of other names is a class.

    Args:
        train_dir: The training channel, or a folder of splits.
        validation_dir: The validation channel, or a folder of splits; None to use the one next to the training folder.
        options: How the channels are read.
        has_own_split: Whether the settings define another split, such as folds, so that only train is needed.

    Raises:
        InputError: Only some folders are named after splits, none is named train, or two are named after one split.
    """
    own_validation = validation_dir and _validation_folder(validation_dir, options)
    splits = _splits(train_dir, options)
    if not splits:
        return train_dir, own_validation
    train = _only(splits, TRAIN, "--train_dir")
    if train is None:
        folders = [folder for own in splits.values() for folder in own]
        raise InputError(
            f"{train_dir} contains {listing(folder.name for folder in folders)} but no folder called train; to train "
            f"on one of them, set --train_dir {folders[0]}"
        )
    validation = own_validation
    if validation is None and not has_own_split:
        validation = _only(splits, VALIDATION, "--validation_dir")
    unused = sorted(folder.name for own in splits.values() for folder in own if folder not in (train, validation))
    flags = f"--train_dir {train}" + (f" --validation_dir {validation}" if validation else "")
    rest = f"; not used: {listing(unused)}" if unused else ""
    log.info("%s contains a folder for each split, read as %s%s", train_dir, flags, rest)
    return train, validation


def _validation_folder(root: Path, options: ChannelOptions) -> Path:
    """The validation channel in a folder of splits; the folder itself if it does not contain splits."""
    splits = _splits(root, options, least=2)
    if not splits:
        return root
    folder = _only(splits, VALIDATION, "--validation_dir")
    if folder is None:
        near = splits.get(UNUSED, splits.get(TRAIN, []))[0]
        raise InputError(f"{root} contains no folder for validation; set one, as in --validation_dir {near}")
    log.info("%s contains a folder for each split, read as --validation_dir %s", root, folder)
    return folder


def _only(splits: dict[str, list[Path]], split: str, flag: str) -> Path | None:
    """The folder of a split; None if there is none. Raises InputError if there is more than one."""
    folders = splits.get(split, [])
    if len(folders) > 1:
        names = listing(folder.name for folder in folders)
        raise InputError(
            f"{folders[0].parent}: the folders {names} are named after the same split; choose one with {flag} "
            f"{folders[0]}"
        )
    return folders[0] if folders else None


def _splits(root: Path, options: ChannelOptions, least: int = 1) -> dict[str, list[Path]]:
    """The folders of each split in a folder; empty if the folder is itself a channel.

    Args:
        root: The folder.
        options: How it is read.
        least: Minimum number of splits; with fewer, the folder is a channel.
    """
    if not _may_hold_splits(root):
        return {}
    files = ChannelFiles(root, options.follow_links)
    for base in ("", IMAGES):
        names = files.folder(base).names("folder")
        if all(split_of(name) is None for name in names):
            continue
        below = {name: files.below(posixpath.join(base, name)) for name in names}
        with_images = [name for name, inside in below.items() if any(is_image(path) for _, path in inside)]
        folders: dict[str | None, list[Path]] = defaultdict(list)
        for name in with_images:
            folders[split_of(name)].append(root / base / name)
        others = folders.pop(None, [])
        splits = {split: own for split, own in folders.items() if split is not None}
        if len(splits) < least or (others and (TRAIN not in splits or len(splits) < 2)):
            continue
        tables = tables_to_read(files, options.layout, options.table_options)
        if tables and not options.folder_levels:
            text = "%s: %s is read, so the folders %s are not read as splits"
            log.info(text, root, listing(tables), listing(with_images))
            return {}
        _refuse_mixed(root, splits, [folder.name for folder in others], options)
        if not others:
            _log_tables(files, with_images)
            return splits
    return {}


def _may_hold_splits(root: Path) -> bool:
    """Whether anything in the folder or its images/ is named after a split. Unlike ChannelFiles, reads no index of
    shards."""
    names: list[str] = []
    for folder in (root, root / IMAGES):
        with suppress(OSError):  # a missing or unreadable folder is reported when the channel is read
            names += os.listdir(folder)
    return any(split_of(name) is not None for name in names)


def _refuse_mixed(root: Path, splits: dict[str, list[Path]], others: Sequence[str], options: ChannelOptions) -> None:
    """Raises InputError if there are other folders with images next to those of splits."""
    train, *rest = [splits[split][0] for split in (TRAIN, VALIDATION, UNUSED) if split in splits]
    flags = f"--train_dir {train}" + (f" --validation_dir {rest[0]}" if VALIDATION in splits and rest else "")
    if others and options.layout != "classes":
        names = listing(folder.name for folder in (train, *rest))
        raise InputError(
            f"{root}: the folders {names} look like splits, but the others do not: {listing(others, 5)}; "
            f"set the splits, as in {flags}, or set --layout classes if all folders are classes"
        )


def _log_tables(files: ChannelFiles, folders: Sequence[str]) -> None:
    """Logs the tables next to the folders of the splits, which are not read."""
    others = [name for name in files.folder().names("file") if not is_image(name)]
    lists = [name for name in others if split_of(name.rpartition(".")[0]) is not None]
    tables = [name for name in others if name.lower().endswith(DETECTED_SUFFIXES) or name in lists]
    if tables:
        log.warning("%s not read: the folders %s are read as splits", listing(tables), listing(folders))
