"""Layout `files`: images without a table or class folders; the labels are in the paths (model.data.label_pattern)."""

from __future__ import annotations

from model.data.readers.channel_files import IMAGES, ChannelFiles
from model.data.readers.image_names import is_image
from model.data.readers.rows import Rows, warn_unused_files


def has_image_files(files: ChannelFiles) -> bool:
    """Whether images are directly in the root or in images/."""
    return any(is_image(name) for base in ("", IMAGES) for name in files.folder(base).names("file"))


def read_image_files(files: ChannelFiles) -> Rows:
    """Reads every image below the root. Other files are skipped with a warning."""
    rows, skipped = Rows("images without a table"), []
    for kind, path in files.below(""):
        if kind == "outside":
            files.add_outside_link(path)
        elif is_image(path):
            rows.add(path, path, {})
        else:
            skipped.append(path)
    warn_unused_files(skipped, "not an image")
    return rows
