"""Layout `classes`: a folder per class, its name is the label of all images below it."""

from __future__ import annotations

import logging
import posixpath

from model.data.readers.channel_files import IMAGES, ChannelFiles, is_image, report_outside_link
from model.data.readers.rows import Rows, warn_left_out
from model.errors import Problems, listing

log = logging.getLogger("rarebird")


def classes_base(files: ChannelFiles) -> str | None:
    """The folder whose folders are classes: "" (the root) or `images`; None where no folder holds an image."""
    for base in ("", IMAGES):
        for name in files.folder(base).names("folder"):
            path = posixpath.join(base, name)
            if path != IMAGES and any(is_image(inside) for _, inside in files.below(path)):
                return base
    return None


def has_class_folders(files: ChannelFiles) -> bool:
    """Whether the channel has this layout."""
    return classes_base(files) is not None


def read_class_folders(files: ChannelFiles, problems: Problems) -> Rows:
    """Reads the class folders in the root or in images/; a folder without images is left out with a warning."""
    rows = Rows("class folders", columns={"label": []}, label_columns=("label",), named_by_folder=True)
    base = classes_base(files) or ""
    empty, left_out = [], []
    for name, kind in files.folder(base).kinds.items():
        path = posixpath.join(base, name)
        if kind == "outside":
            report_outside_link(files, path, problems)
        elif kind == "file":
            left_out += [path] if is_image(path) else []
        else:
            images, others = _images_below(files, path, problems)
            for image in images:
                rows.add(image, path, {"label": name})
            left_out += others
            empty += [] if images else [path]
    warn_left_out(left_out, "no picture in a class folder")
    if empty:
        log.warning("folders without a picture left out, no classes: %s", listing(empty, 5))
    return rows


def _images_below(files: ChannelFiles, folder: str, problems: Problems) -> tuple[list[str], list[str]]:
    """Paths of the images below a folder, and of the other files."""
    images, others = [], []
    for kind, path in files.below(folder):
        if kind == "outside":
            report_outside_link(files, path, problems)
        elif is_image(path):
            images.append(path)
        else:
            others.append(path)
    return images, others
