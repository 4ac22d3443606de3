"""Layout `profiles`: a folder `<id>_<gender>_<race>_<age>` of seven images per person, as in the mask competition."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model.attributes import normal_text
from model.data.readers.channel_files import IMAGES, ChannelFiles, Kind
from model.data.readers.columns import column_named
from model.data.readers.image_names import is_image
from model.data.readers.rows import Rows, warn_unused_files
from model.errors import Problems, listing

log = logging.getLogger("rarebird")

MASK_OF_STEM = {"incorrect_mask": "incorrect", "normal": "none"} | {f"mask{i}": "worn" for i in range(1, 6)}
PROFILE_PARTS = ("person", "gender", "race", "age")
PROFILE_NAME = "<id>_<gender>_<race>_<age>"


@dataclass
class ProfileFolder:
    """The content of one person's folder.

    Attributes:
        images: Path and value of `mask` of each image.
        unused: Paths of all other files and folders.
        has_outside_links: Whether there are links out of the channel, which are in neither list.
    """

    images: list[tuple[str, str]]
    unused: list[str]
    has_outside_links: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it contains no image."""
        return not self.images and not self.has_outside_links


@dataclass(frozen=True)
class ProfileEntry:
    """A row of a CSV of profile folders.

    Attributes:
        origin: File and line, for messages.
        kind: Kind of the path: `folder`, or `file`, which is a problem.
        path: Path of the folder.
        values: Values of all columns of the row.
    """

    origin: str
    kind: Kind
    path: str
    values: Mapping[str, str]


def profile_parts(name: str) -> dict[str, str] | None:
    """person, gender, race and age, as text, from the name of a folder; None if it does not have four parts."""
    parts = name.split("_")
    return dict(zip(PROFILE_PARTS, parts)) if len(parts) == len(PROFILE_PARTS) and all(parts) else None


def profiles_base(files: ChannelFiles) -> str | None:
    """The folder that contains the profile folders: "" (the root) or `images`; None if there are none."""
    for base in ("", IMAGES):
        for name in files.folder(base).names("folder"):
            parts = profile_parts(name)
            if parts and parts["gender"] in ("male", "female") and parts["age"].isdecimal():
                return base
    return None


def has_profiles(files: ChannelFiles) -> bool:
    """Whether the channel has this layout."""
    return profiles_base(files) is not None


def read_profiles(files: ChannelFiles, problems: Problems) -> Rows:
    """Reads `<id>_<gender>_<race>_<age>/{mask1 ... mask5, incorrect_mask, normal}.*`, in the root or in images/."""
    rows = Rows("profile folders", named_by_folder=True, columns={name: [] for name in (*PROFILE_PARTS, "mask")})
    base = profiles_base(files)
    if base is None:
        base = IMAGES if files.folder(IMAGES).names("folder") else ""
    unused = [posixpath.join(base, name) for name in files.folder(base).names("file") if is_image(name)]
    for name, kind in files.folder(base).kinds.items():
        path = posixpath.join(base, name)
        if kind == "outside":
            files.add_outside_link(path)
        if kind != "folder":
            continue
        folder = read_profile_folder(files, path)
        unused += folder.unused
        parts = profile_parts(name)
        if parts is None:
            problems.add("not a profile folder", f"{path}: expected a name such as {PROFILE_NAME}")
            rows.set_aside += [image for image, _ in folder.images]
            continue
        if folder.is_empty:
            problems.add("profile folder without images", f"{path}: expected images {listing(MASK_OF_STEM)}")
        for image, mask in folder.images:
            rows.add(image, path, {**parts, "mask": mask})
    _warn_unused_files(unused)
    return rows


def read_profile_folder(files: ChannelFiles, path: str) -> ProfileFolder:
    """Lists the images of one profile folder. Links that lead out of the channel are added to `files.outside_links`."""
    folder = ProfileFolder([], [])
    for name, kind in files.folder(path).kinds.items():
        inside = posixpath.join(path, name)
        mask = MASK_OF_STEM.get(os.path.splitext(name)[0].lower())
        if mask is None or kind == "folder" or not is_image(name):
            folder.unused.append(inside)
        elif kind == "outside":
            folder.has_outside_links = True
            files.add_outside_link(inside)
        else:
            folder.images.append((inside, mask))
    return folder


def read_profile_entries(
    files: ChannelFiles, name: str, columns: Sequence[str], entries: Iterable[ProfileEntry], problems: Problems
) -> Rows:
    """Reads the images of the profile folders that a CSV lists, as the mask competition's train.csv does.

    Args:
        files: The channel.
        name: Name of the CSV.
        columns: Its columns except that of the folders. Their values are preferred to the parts of a folder's name.
        entries: Its rows.
        problems: Collects what is wrong.
    """
    column_of_part = {part: column_named(columns, part) for part in PROFILE_PARTS}
    column_of_part["person"] = column_of_part["person"] or column_named(columns, "id")
    others = [column for column in columns if column not in column_of_part.values() and column.lower() != "mask"]
    rows = Rows(f"CSV {name}", columns={column: [] for column in (*PROFILE_PARTS, *others, "mask")})
    unused: list[str] = []
    differing: list[str] = []
    for entry in entries:
        if entry.kind == "file":
            detail = f"{entry.origin}: {entry.path}, expected a folder as in the other rows"
            problems.add("image among profile folders", detail)
            rows.set_aside.append(entry.path)
            continue
        folder = read_profile_folder(files, entry.path)
        unused += folder.unused
        if folder.is_empty:
            expected = listing(MASK_OF_STEM)
            problems.add("profile folder without images", f"{entry.origin}: {entry.path}: expected images {expected}")
        parts, contradictions = _merged_parts(entry, column_of_part)
        differing += contradictions
        values = {**{column: entry.values[column] for column in others}, **parts}
        for image, mask in folder.images:
            rows.add(image, entry.origin, {**values, "mask": mask})
    if differing:
        log.warning(
            "%s and the folder names differ in %d values; the table's values are used: %s",
            name,
            len(differing),
            listing(differing, 5),
        )
    _warn_unused_files(unused)
    return rows


def _merged_parts(entry: ProfileEntry, column_of_part: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """The parts of a folder's name, replaced by the row's values, and a text for each gender or age that differs."""
    parts = profile_parts(posixpath.basename(entry.path)) or dict.fromkeys(PROFILE_PARTS, "")
    differing = []
    for part, column in column_of_part.items():
        if column is None:
            continue
        value = entry.values[column]
        if part in ("gender", "age") and parts[part] and normal_text(value) != parts[part]:
            differing.append(f"{entry.origin} ({part} {value}, folder {parts[part]})")
        parts[part] = value
    return parts, differing


def _warn_unused_files(paths: list[str]) -> None:
    warn_unused_files(paths, f"not named {listing(MASK_OF_STEM)}")
