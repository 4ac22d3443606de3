"""Names of image files: the extensions of image formats, and the log of files with other extensions."""

from __future__ import annotations

import logging
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence

from model.errors import listing

log = logging.getLogger("rarebird")

# Formats that Pillow decodes and that are used for classification: JPEG, PNG, WebP, AVIF, BMP, GIF, TIFF, Netpbm,
# JPEG 2000 and others
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".png", ".apng", ".webp", ".avif", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    *(".jp2", ".j2k", ".j2c", ".jpf", ".jpx"),
    *(".tga", ".ico", ".pcx", ".psd", ".qoi", ".sgi"),
)


def is_image(name: str) -> bool:
    """Whether the name of a file has the extension of an image format, in any letter case."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def count_by_suffix(paths: Iterable[str]) -> str:
    """`.txt 2, no extension 1`: the extensions of files, the most frequent first."""
    suffixes = Counter(posixpath.splitext(path)[1].lower() or "no extension" for path in paths)
    ordered = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    return listing(f"{suffix} {count:,}" for suffix, count in ordered)


def warn_skipped(paths: Sequence[str]) -> None:
    """Logs in one line how many files do not have the extension of an image."""
    if paths:
        files = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
        log.warning("skipped %s without an image extension: %s (%s)", files, count_by_suffix(paths), listing(paths, 3))
