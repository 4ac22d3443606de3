"""The marker of a channel whose images are crops of a subject: crop.json, which `python -m exploration crop` writes.

A training records it in metrics.json; inference warns if the images to predict are not cropped as well.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CROP_MARKER = "crop.json"
CROPS = "crops"  # key in the data of metrics.json

log = logging.getLogger("rarebird")


def read_crops(root: Path) -> dict[str, Any] | None:
    """The marker in a channel or in the folder above, which may contain a folder per split; None without one."""
    for folder in (root, root.resolve().parent):
        try:
            content = json.loads((folder / CROP_MARKER).read_text(encoding="utf-8"))
        except OSError:
            continue
        except ValueError as error:
            log.warning("%s: ignored, since it is not JSON: %s", folder / CROP_MARKER, error)
            continue
        if isinstance(content, dict) and "margin" in content:  # otherwise it is a file of another program
            return content
    return None


def crops_text(crops: Mapping[str, Any]) -> str:
    """The detector and the margin of a marker, as text: `yunet.onnx, margin 0.2`."""
    return f"{crops.get('boxes', 'unknown boxes')}, margin {crops.get('margin', 'unknown')}"


def warn_if_not_cropped(root: Path, trained: Iterable[Mapping[str, Any]]) -> None:
    """Logs a warning if models were trained on crops and the images to predict are not crops, or the other way round.

    Args:
        root: Folder of the images to predict.
        trained: The data of metrics.json of each model.
    """
    markers = [data.get(CROPS) for data in trained]
    own = read_crops(root)
    crops = next((marker for marker in markers if marker), None)
    if crops and own is None:
        log.warning(
            "%s: the model was trained on cropped images (%s) and these are not marked as cropped: crop them in the "
            "same way, python -m exploration crop %s --output DIR",
            root, crops_text(crops), root,
        )  # fmt: skip
    elif own and not crops:
        log.warning("%s: these images are cropped, and the model was trained on images that are not", root)
    elif own and crops and crops_text(own) != crops_text(crops):
        log.warning("%s: cropped with %s, but the model was trained on %s", root, crops_text(own), crops_text(crops))
