"""Decodes JPEGs that have all pixels and only lack the end marker."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from PIL import Image

END = b"\xff\xd9"
# Bytes appended in place of data that may be missing: if they change the pixels, data is missing
FILLERS = (b"\x00" * 64, b"\xa5\x5a" * 32)
RESTART = re.compile(b"\xff([\xd0-\xd7])")
SCAN = re.compile(b"\xff\xda\x00.([\x01-\x04])", re.S)  # start of a scan, and its number of components
PROGRESSIVE = re.compile(b"\xff\xc2\x00", re.S)
LAST_COEFFICIENT = 63


def with_end(content: bytes, decode: Callable[[bytes], Image.Image]) -> Image.Image | None:
    """Decodes a JPEG that lacks its end marker; None if pixels are missing too.

    libjpeg fills missing pixels with grey without an error. Thus the image is decoded with different bytes after its
    data: they change the pixels if and only if the decoder still needs data there.

    Args:
        content: The bytes of the file.
        decode: Decodes bytes; raises OSError if they are invalid.
    """
    data = content.removesuffix(b"\xff")
    if PROGRESSIVE.search(data) and not _has_all_scans(data):
        return None
    endings = list(FILLERS)
    # After the last block of an interval, the decoder looks for a restart marker before it reads on
    if restarts := RESTART.findall(data):
        following = 0xD0 + (restarts[-1][0] - 0xD0 + 1) % 8
        endings += [bytes((0xFF, following)) + filler for filler in FILLERS]
    elif b"\xff\xdd\x00\x04" in data:
        endings += [b"\xff\xd0" + filler for filler in FILLERS]
    try:
        first, *others = [decode(data + ending + END) for ending in endings]
    except OSError:
        return None
    pixels = np.asarray(first)
    return first if all(np.array_equal(pixels, np.asarray(other)) for other in others) else None


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans of a progressive JPEG contain all bits of every coefficient of each component.

    ITU-T T.81, B.2.3: after the components, the header of a scan has the first and the last coefficient, and a byte
    for the successive approximation, whose lower four bits are 0 in the last scan of a component.
    """
    complete: dict[int, set[int]] = {}
    for match in SCAN.finditer(data):
        count = match[1][0]
        header = data[match.end() : match.end() + 2 * count + 3]
        if len(header) < 2 * count + 3:
            return False
        first, last, approximation = header[2 * count :]
        for component in header[0 : 2 * count : 2]:
            known = complete.setdefault(component, set())
            if not approximation & 0x0F:
                known.update(range(first, last + 1))
    return bool(complete) and all(known.issuperset(range(LAST_COEFFICIENT + 1)) for known in complete.values())
