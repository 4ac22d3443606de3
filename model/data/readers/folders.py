"""Channels of folders: the mask competition's profile folders and class folders, read into rows of text."""

from __future__ import annotations

import logging
import os
import posixpath
from dataclasses import dataclass, field

from model.data.readers.channel_files import IMAGES, ChannelFiles, is_picture
from model.errors import Problems, listing

log = logging.getLogger("rarebird")

MASK_OF_STEM = {"incorrect_mask": "incorrect", "normal": "none"} | {f"mask{i}": "worn" for i in range(1, 6)}
PROFILE_PARTS = ("person", "gender", "race", "age")
PROFILE_NAME = "<id>_<gender>_<race>_<age>"
OUTSIDE = "path out of the channel"


@dataclass
class Rows:
    """What a layout says of its pictures, as text that has not met a label scheme yet. All lists are aligned.

    places: how a fault names the row, `train.csv row 7` or the folder whose name says it.
    columns: every column but the picture's, by name; label_columns: those that the layout itself knows as labels, in
    order; named_by_folder: whether the label is the name of a folder; set_aside: pictures of rows that had a fault, to
    be checked all the same.
    """

    source: str
    paths: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    label_columns: tuple[str, ...] = ()
    named_by_folder: bool = False
    set_aside: list[str] = field(default_factory=list)


@dataclass
class ProfileFolder:
    """The pictures of one person: (path, mask's value) each; left_out: other files and folders in it."""

    pictures: list[tuple[str, str]]
    left_out: list[str]


def profile_parts(name: str) -> dict[str, str] | None:
    """person, gender, race and age, as text, from a folder's name; None where it has not the four parts."""
    parts = name.split("_")
    return dict(zip(PROFILE_PARTS, parts)) if len(parts) == len(PROFILE_PARTS) and all(parts) else None


def profiles_base(files: ChannelFiles) -> str | None:
    """The folder that profile folders lie in: the root ("") or images; None where there are none."""
    for base in ("", IMAGES):
        for name in files.folder(base).names("folder"):
            parts = profile_parts(name)
            if parts and parts["gender"] in ("male", "female") and parts["age"].isdecimal():
                return base
    return None


def read_profile_folder(files: ChannelFiles, path: str, problems: Problems) -> ProfileFolder:
    """The pictures of a profile folder. Links that leave the channel are told."""
    folder = ProfileFolder([], [])
    for name, kind in files.folder(path).kinds.items():
        inside = posixpath.join(path, name)
        mask = MASK_OF_STEM.get(os.path.splitext(name)[0].lower())
        if mask is None or kind == "folder" or not is_picture(name):
            folder.left_out.append(inside)
        elif kind == "outside":
            tell_outside_link(files, inside, problems)
        else:
            folder.pictures.append((inside, mask))
    return folder


def read_profiles(files: ChannelFiles, problems: Problems) -> Rows:
    """`<id>_<gender>_<race>_<age>/{mask1..mask5,incorrect_mask,normal}.*`, in the root or in images/."""
    rows = Rows("profile folders", columns={name: [] for name in (*PROFILE_PARTS, "mask")})
    base = profiles_base(files)
    if base is None:
        base = IMAGES if files.folder(IMAGES).names("folder") else ""
    left_out = [posixpath.join(base, name) for name in files.folder(base).names("file") if is_picture(name)]
    for name, kind in files.folder(base).kinds.items():
        path = posixpath.join(base, name)
        if kind == "outside":
            tell_outside_link(files, path, problems)
        if kind != "folder":
            continue
        folder = read_profile_folder(files, path, problems)
        left_out += folder.left_out
        parts = profile_parts(name)
        if parts is None:
            problems.add("folder that is no profile", f"{path}: expected {PROFILE_NAME}")
            rows.set_aside += [picture for picture, _ in folder.pictures]
            continue
        if not folder.pictures:
            problems.add("profile folder without pictures", f"{path}: expected {listing(MASK_OF_STEM)}")
        for picture, mask in folder.pictures:
            rows.paths.append(picture)
            rows.places.append(path)
            for part, text in parts.items():
                rows.columns[part].append(text)
            rows.columns["mask"].append(mask)
    tell_left_out(left_out)
    return rows


def tell_left_out(paths: list[str]) -> None:
    """One line about files of profile folders that are none of the seven pictures."""
    if paths:
        log.warning("%s left out, named none of %s: %s", _files(len(paths)), listing(MASK_OF_STEM), listing(paths, 5))


def _files(count: int) -> str:
    return f"{count:,} file{'s' if count != 1 else ''}"


def tell_outside_link(files: ChannelFiles, path: str, problems: Problems) -> None:
    head, _, tail = path.rpartition("/")
    problems.add(OUTSIDE, f"{path}: a link to {files.folder(head).targets[tail]}")


def classes_base(files: ChannelFiles) -> str | None:
    """The folder whose folders are classes: the root ("") or images; None where no folder holds a picture."""
    for base in ("", IMAGES):
        for name in files.folder(base).names("folder"):
            path = posixpath.join(base, name)
            if path != IMAGES and any(is_picture(inside) for _, inside in files.below(path)):
                return base
    return None


def read_classes(files: ChannelFiles, problems: Problems) -> Rows:
    """Folders of pictures, each with all below it; the folder's name is the label."""
    rows = Rows("class folders", columns={"label": []}, label_columns=("label",), named_by_folder=True)
    base = classes_base(files) or ""
    empty, left_out = [], []
    for name, kind in files.folder(base).kinds.items():
        path = posixpath.join(base, name)
        if kind == "outside":
            tell_outside_link(files, path, problems)
        elif kind == "file":
            left_out += [path] if is_picture(path) else []
        else:
            before = len(rows.paths)
            for what, inside in files.below(path):
                if what == "outside":
                    tell_outside_link(files, inside, problems)
                elif is_picture(inside):
                    rows.paths.append(inside)
                else:
                    left_out.append(inside)
            count = len(rows.paths) - before
            rows.places += [path] * count
            rows.columns["label"] += [name] * count
            empty += [] if count else [path]
    if left_out:
        log.warning("%s left out, no picture in a class folder: %s", _files(len(left_out)), listing(left_out, 5))
    if empty:
        log.warning("folders without a picture left out, no classes: %s", listing(empty, 5))
    return rows
