"""Crops the images of a channel into another folder with the same paths, in threads; an interrupted run resumes."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from exploration.crop.boxes import Boxes, FoundBox, boxes_inside, central_box, chosen_box, with_margin
from model.atomic_write import write_beside
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.image_names import is_image
from model.errors import InputError, listing
from model.images.decode import UnreadableImage, in_channels, open_image
from model.runtime.terminal import progress_bar
from model.runtime.workers import map_in_threads

DONE = ".crops.jsonl"  # in the output folder while a run is not finished: a line per cropped image
WRITTEN = {"JPEG", "PNG", "WEBP", "BMP", "TIFF"}  # formats that are kept; others become PNG, under the same name
QUALITY = 95  # of JPEG and WebP

FindBoxes = Callable[[str, Image.Image], Boxes]  # the boxes of an image by its path and pixels


@dataclass(frozen=True)
class CropRule:
    """How images are cropped.

    Attributes:
        margin: Share of the box that is added on each side.
        central: Share of width and height of the central crop of images without a box.
        prefer: largest or best, of several boxes.
    """

    margin: float
    central: float
    prefer: str


@dataclass(frozen=True)
class CropResult:
    """The result for one image: its row of boxes.csv, or why it is unreadable."""

    row: FoundBox
    error: str = ""


def list_channel(channel: Path) -> tuple[list[str], list[str]]:
    """Paths of the images of a channel and of its other files.

    Raises:
        InputError: The channel has shards, or links that lead out of it.
    """
    files = ChannelFiles(channel)
    if files.shards.files:
        raise InputError(f"{channel}: has shards ({listing(files.shards.files)}); crop the images before packing them")
    found = list(files.below(""))
    outside = [path for kind, path in found if kind == "outside"]
    if outside:
        raise InputError(f"{channel}: links lead out of the channel: {listing(outside)}; copy the files into it")
    paths = [path for kind, path in found if kind == "file"]
    return [path for path in paths if is_image(path)], [path for path in paths if not is_image(path)]


def copy_others(channel: Path, output: Path, paths: list[str]) -> None:
    """Copies the files that are not images, such as tables."""
    for path in paths:
        with write_beside(output / path) as partial:
            shutil.copyfile(channel / path, partial)


def crop_images(
    channel: Path, output: Path, images: list[str], find: FindBoxes, rule: CropRule, workers: int
) -> list[CropResult]:
    """Crops images and returns the results in their order. Images that an interrupted run has cropped are skipped.

    Args:
        channel: Folder of the images.
        output: Folder of the crops.
        images: Paths of the images, the same in both folders.
        find: Finds the boxes of an image; called by several threads.
        rule: How images are cropped.
        workers: Number of threads.
    """
    done = read_done(output)
    open_images = [path for path in images if path not in done or not (output / path).is_file()]
    log_file = output / DONE
    with (
        progress_bar("crops", len(images), done=len(images) - len(open_images)) as bar,
        log_file.open("a", encoding="utf-8") as log,
    ):
        for result in map_in_threads(
            lambda path: crop_image(channel, output, path, find, rule), open_images, workers, "crop", 1
        ):
            done[result.row.path] = result
            log.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
            log.flush()
            bar.update()
    return [done[path] for path in images]


def read_done(output: Path) -> dict[str, CropResult]:
    """The results of an interrupted run by path. An incomplete last line is ignored."""
    done: dict[str, CropResult] = {}
    try:
        lines = (output / DONE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return done
    for line in lines:
        try:
            saved = json.loads(line)
            row = saved["row"] | {"box": tuple(saved["row"]["box"])}
            done[row["path"]] = CropResult(FoundBox(**row), saved["error"])
        except (ValueError, KeyError, TypeError):  # the process was killed while it wrote the line
            continue
    return done


def crop_image(channel: Path, output: Path, path: str, find: FindBoxes, rule: CropRule) -> CropResult:
    """Crops one image. An unreadable image is copied unchanged: the checks of every command report it.

    Args:
        channel: Folder of the images.
        output: Folder of the crops.
        path: Path of the image in both.
        find: Finds the boxes of an image.
        rule: How images are cropped.
    """
    content = (channel / path).read_bytes()
    try:
        image = open_image(content)
        rgb = in_channels(image)
    except UnreadableImage as error:
        with write_beside(output / path) as partial:
            partial.write_bytes(content)
        return CropResult(FoundBox(path, (0.0, 0.0, 0.0, 0.0), 0.0, False), str(error))
    best = chosen_box(boxes_inside(find(path, rgb), rgb.size), rule.prefer)
    if best is None:
        row = FoundBox(path, central_box(rgb.size, rule.central), 0.0, False)
        part = with_margin(row.box, 0, rgb.size)
    else:
        left, top, width, height, score = map(float, best)
        row = FoundBox(path, (left, top, width, height), score, True)
        part = with_margin(row.box, rule.margin, rgb.size)
    cut = (in_channels(image, 1) if image.mode in ("1", "L") else rgb).crop(part)
    with write_beside(output / path) as partial:
        partial.write_bytes(encoded(cut, Image.open(io.BytesIO(content)).format or ""))
    return CropResult(row)


def encoded(image: Image.Image, form: str) -> bytes:
    """An image as a file. form: PIL's name of the format of the original image."""
    content = io.BytesIO()
    form = "JPEG" if form == "MPO" else form
    options = (
        {"quality": QUALITY, "subsampling": 0} if form == "JPEG" else {"quality": QUALITY} if form == "WEBP" else {}
    )
    image.save(content, form if form in WRITTEN else "PNG", **options)
    return content.getvalue()
