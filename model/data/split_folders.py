"""split_channels: a folder that holds a folder for each split, train/ val/ test/, is replaced by those folders."""

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

SUFFIX = re.compile(r"[ _-]?(set|data|images|imgs|split)$", re.IGNORECASE)  # of Training Data, test_set, val-images


def split_of(name: str) -> str | None:
    """The split that a folder's name stands for, one of split_names; None where it is no such name."""
    return side_of(SUFFIX.sub("", name.strip()))


def split_channels(
    train_dir: Path, validation_dir: Path | None, options: ChannelOptions, has_own_split: bool = False
) -> tuple[Path, Path | None]:
    """The channels to train and validate on.

    A folder in which every folder with images has the name of a split is no channel: its train and validation folders
    are. A folder called train among folders of other names is a class.

    Args:
        train_dir: The training channel, or a folder of splits.
        validation_dir: The validation channel or a folder of splits; None takes the one beside the training folder.
        options: How the channels are read.
        has_own_split: Whether validation comes from the training channel in any case, by folds or lists of groups.

    Raises:
        InputError: Only some folders look like splits, none is to train on, or several have the same split.
    """
    own_validation = validation_dir and _validation_folder(validation_dir, options)
    splits = _splits(train_dir, options)
    if not splits:
        return train_dir, own_validation
    train = _only(splits, TRAIN, "--train_dir")
    if train is None:
        folders = [folder for own in splits.values() for folder in own]
        raise InputError(
            f"{train_dir} holds {listing(folder.name for folder in folders)} and no folder called train; to learn from "
            f"one of them, name it, as in --train_dir {folders[0]}"
        )
    validation = own_validation
    if validation is None and not has_own_split:
        validation = _only(splits, VALIDATION, "--validation_dir")
    left_out = sorted(folder.name for own in splits.values() for folder in own if folder not in (train, validation))
    flags = f"--train_dir {train}" + (f" --validation_dir {validation}" if validation else "")
    rest = f"; left out: {listing(left_out)}" if left_out else ""
    log.info("%s holds a folder for each split, read as %s%s", train_dir, flags, rest)
    return train, validation


def _validation_folder(root: Path, options: ChannelOptions) -> Path:
    """The validation channel in a folder of several splits; the folder itself where it is no such folder."""
    splits = _splits(root, options, least=2)
    if not splits:
        return root
    folder = _only(splits, VALIDATION, "--validation_dir")
    if folder is None:
        near = splits.get(UNUSED, splits.get(TRAIN, []))[0]
        raise InputError(f"{root} holds no split for validation; name a folder, as in --validation_dir {near}")
    log.info("%s holds a folder for each split, read as --validation_dir %s", root, folder)
    return folder


def _only(splits: dict[str, list[Path]], split: str, flag: str) -> Path | None:
    """The folder of a split, None where there is none. InputError where there are several."""
    folders = splits.get(split, [])
    if len(folders) > 1:
        names = listing(folder.name for folder in folders)
        raise InputError(f"{folders[0].parent}: {names} are folders of one split; name one by {flag} {folders[0]}")
    return folders[0] if folders else None


def _splits(root: Path, options: ChannelOptions, least: int = 1) -> dict[str, list[Path]]:
    """The folders of each split in a folder; none where it is a channel.

    Args:
        root: The folder.
        options: How it is read.
        least: Number of splits that a folder of splits has at least.
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
            log.info("%s: %s is read, not the folders %s as splits", root, listing(tables), listing(with_images))
            return {}
        _refuse_mixed(root, splits, [folder.name for folder in others], options)
        if not others:
            _log_tables(files, with_images)
            return splits
    return {}


def _may_hold_splits(root: Path) -> bool:
    """Whether anything in the folder or its images/ has the name of a split. Unlike ChannelFiles it reads no index of
    shards."""
    names: list[str] = []
    for folder in (root, root / IMAGES):
        with suppress(OSError):  # no such folder, or none that may be read: reported where the channel is read
            names += os.listdir(folder)
    return any(split_of(name) is not None for name in names)


def _refuse_mixed(root: Path, splits: dict[str, list[Path]], others: Sequence[str], options: ChannelOptions) -> None:
    """InputError where other folders with images lie beside those of splits."""
    train, *rest = [splits[split][0] for split in (TRAIN, VALIDATION, UNUSED) if split in splits]
    flags = f"--train_dir {train}" + (f" --validation_dir {rest[0]}" if VALIDATION in splits and rest else "")
    if others and options.layout != "classes":
        names = listing(folder.name for folder in (train, *rest))
        raise InputError(
            f"{root}: {names} look like splits, {listing(others, 5)} beside them do not; name the splits, as in "
            f"{flags}, or --layout classes if all of them are classes"
        )


def _log_tables(files: ChannelFiles, folders: Sequence[str]) -> None:
    """Logs the tables beside the folders of the splits, which are not read."""
    others = [name for name in files.folder().names("file") if not is_image(name)]
    lists = [name for name in others if split_of(name.rpartition(".")[0]) is not None]
    tables = [name for name in others if name.lower().endswith(DETECTED_SUFFIXES) or name in lists]
    if tables:
        log.warning("%s not read beside the folders %s", listing(tables), listing(folders))
