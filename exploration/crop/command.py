"""`python -m exploration crop`: crops the images of a channel to their subject, such as the face."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exploration.channels import require_folder
from model.atomic_write import write_json
from model.data.crops import CROP_MARKER
from model.errors import InputError, listing
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m exploration crop CHANNEL --output DIR (--detector FILE.onnx | --boxes FILE.csv) [--FLAG VALUE ...]

Crops each image of a channel to the box of its subject, such as the face, and copies all other files: DIR is a channel
with the same layout, which trains with the same commands. Images without a box are cropped to their centre and listed.
boxes.csv in DIR has the box of each image. crop.json marks the channel: training records it, and inference warns if its
images are not cropped. An interrupted run resumes.

The detector is any ONNX network with the outputs of OpenCV's YuNet, or with outputs named boxes and scores."""
LISTED = 20  # images without a box that are printed


@dataclass(frozen=True)
class CropSettings:
    channel: str = setting("", "folder of images, with or without labels", section="Crops", positional=True)
    output: str = setting("", "folder to write the cropped channel to; empty, missing, or of an interrupted run")
    detector: str | None = setting(None, "ONNX network that finds the boxes", placeholder="FILE")
    boxes: str | None = setting(
        None, "CSV with the boxes: path, x, y, w, h in pixels, and optionally score", placeholder="FILE"
    )
    margin: float = setting(0.2, "share of the box to add on each side", low=0, high=5)
    score: float = setting(0.6, "boxes of the detector with a lower score are ignored", low=0, high=1)
    prefer: str = setting(
        "largest", "which of several boxes of an image is used: the largest or that with the best score",
        choices=("largest", "best"),
    )  # fmt: skip
    central: float = setting(0.75, "share of width and height that is kept of an image without a box", low=0.05, high=1)
    num_workers: int = setting(-1, "threads; -1: one per core, less one", low=-1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if bool(self.detector) == bool(self.boxes):
            yield "set one of --detector FILE.onnx and --boxes FILE.csv"
        if not self.channel or not self.output:
            example = "python -m exploration crop data/train --output data/train-faces --detector face.onnx"
            yield f"channel and output must be set: {example}"


def main(argv: Sequence[str]) -> int:
    settings = from_flags(CropSettings, argv, USAGE)
    return crop(settings)


def crop(settings: CropSettings) -> int:
    """Crops a channel and prints the counts. Returns the exit code.

    Raises:
        InputError: The channel, the output folder, the detector or the boxes are invalid.
    """
    from exploration.crop.boxes import BOXES_CSV, write_boxes
    from exploration.crop.cropping import DONE, CropRule, copy_others, crop_images, list_channel
    from model.runtime.workers import worker_count

    channel, output = Path(settings.channel), Path(settings.output)
    require_folder(channel)
    images, others = list_channel(channel)
    if not images:
        raise InputError(f"{channel}: contains no image")
    if CROP_MARKER in others:
        raise InputError(f"{channel}: is cropped already ({CROP_MARKER})")
    find, source = _find_boxes(settings, images)
    marker = _marker(settings, source)
    _prepare(output, channel, marker, DONE)

    copy_others(channel, output, [path for path in others if path != BOXES_CSV])
    started = time.monotonic()
    rule = CropRule(settings.margin, settings.central, settings.prefer)
    results = crop_images(channel, output, images, find, rule, worker_count(settings.num_workers))
    seconds = time.monotonic() - started
    write_boxes(output / BOXES_CSV, [result.row for result in results])
    found = sum(result.row.found for result in results)
    write_json(output / CROP_MARKER, marker | {"finished": True, "images": len(images), "found": found})
    (output / DONE).unlink(missing_ok=True)

    print(f"{output}: {len(images):,} images, {found:,} ({100 * found / len(images):.1f} %) with a box; "
          f"{1000 * seconds / len(images):.1f} ms per image")  # fmt: skip
    misses = [result.row.path for result in results if not result.row.found and not result.error]
    for path in misses[:LISTED]:
        print(f"no box, cropped to the centre: {path}")
    if len(misses) > LISTED:
        print(f"and {len(misses) - LISTED:,} more, with found false in {output / BOXES_CSV}")
    unreadable = [f"{result.row.path} ({result.error})" for result in results if result.error]
    if unreadable:
        print(f"unreadable, copied unchanged: {listing(unreadable)}")
    return 0


def _find_boxes(settings: CropSettings, images: list[str]) -> tuple[Any, dict[str, Any]]:
    """The function that finds the boxes of an image, and where the boxes are from, for the marker."""
    import numpy as np

    from exploration.crop.boxes import read_boxes
    from exploration.crop.detectors import load_detector

    file = Path(settings.detector or settings.boxes or "")
    if settings.detector:
        detector = load_detector(file, settings.score)
        source = {"boxes": file.name, "sha256": _sha256(file), "score": settings.score}
        return lambda path, image: detector.detect(image), source
    boxes = read_boxes(file, images)
    source = {"boxes": file.name, "sha256": _sha256(file)}
    return lambda path, image: boxes.get(path, np.empty((0, 5), np.float32)), source


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _marker(settings: CropSettings, source: dict[str, Any]) -> dict[str, Any]:
    """The content of crop.json before the run."""
    kept = {name: getattr(settings, name) for name in ("margin", "prefer", "central")}
    return {"about": "Cropped by python -m exploration crop", **source, **kept, "finished": False}


def _prepare(output: Path, channel: Path, marker: dict[str, Any], done: str) -> None:
    """Creates the output folder with its marker, or checks that an interrupted run with the same settings created it.

    Raises:
        InputError: The folder has other files, is finished, is in the channel, or the settings differ.
    """
    from model.data.crops import read_crops

    if output.resolve().is_relative_to(channel.resolve()):
        raise InputError(f"output {output}: is in the channel {channel}; choose a folder outside")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        earlier = read_crops(output) if (output / CROP_MARKER).is_file() else None
        if earlier is None:
            raise InputError(f"output {output}: already exists; choose another --output or remove it")
        if earlier.get("finished"):
            raise InputError(f"output {output}: is a finished cropped channel; choose another --output or remove it")
        differing = [name for name in marker if earlier.get(name) != marker[name]]
        differing = [f"the content of {marker['boxes']}" if name == "sha256" else name for name in differing]
        if differing or not (output / done).exists():
            raise InputError(
                f"output {output}: contains an interrupted run with other settings: "
                f"{listing(differing or ['unknown'])}; use the same settings, or remove the folder"
            )
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / done).touch()
        write_json(output / CROP_MARKER, marker)
    except OSError as error:
        raise InputError(f"output {output}: cannot be written: {error.strerror}") from None
