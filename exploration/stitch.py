"""`python -m exploration stitch`: makes one image of several files that each have one channel of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from exploration.channels import require_folder
from model.errors import InputError, Problems, did_you_mean, listing, raise_all
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m exploration stitch CHANNEL --output DIR --suffixes R G B Y [--FLAG VALUE ...]

Makes one image of the files of an id that each have one channel, such as fluorescence images: a/12_R.png, a/12_G.png,
a/12_B.png and a/12_Y.png become a/12.png in DIR. Tables and other files are copied; they must name the new images.
The channels are in the order of the suffixes, which come after an underscore or begin with another sign (-red).

Three suffixes give RGB images. Four give RGBA images, whose fourth channel is not a transparency: they train with
python train.py --channels 4. The PNGs are lossless. Nothing is written if a file of an id is missing or files differ in
size."""
SIGNS = "_-. "  # a suffix that does not begin with one of them comes after an underscore
MODES = {3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class StitchSettings:
    channel: str = setting("", "folder of images", section="Channels", positional=True)
    output: str = setting("", "folder to write the channel of stitched images to; empty or missing")
    suffixes: list[str] = setting([], "ends of the files' names before the extension, in the order of the channels")
    num_workers: int = setting(-1, "threads; -1: one per core, less one", low=-1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.channel or not self.output:
            example = "python -m exploration stitch data/cells --output data/stitched --suffixes R G B Y"
            yield f"channel and output must be set: {example}"
        if len(self.suffixes) not in MODES or len({*self.suffixes}) != len(self.suffixes):
            given = " ".join(self.suffixes) or "none"
            yield f"suffixes must be 3 or 4 different names, such as R G B Y, not {given}"


def main(argv: Sequence[str]) -> int:
    return stitch(from_flags(StitchSettings, argv, USAGE))


def stitch(settings: StitchSettings) -> int:
    """Stitches the images of a channel and prints their number. Returns the exit code.

    Raises:
        InputError: The output folder is in use, or lists files that are missing, unreadable or do not fit.
    """
    from exploration.crop.cropping import copy_others, list_channel
    from model.runtime.workers import in_threads, worker_count

    channel, output = Path(settings.channel), Path(settings.output)
    require_folder(channel)
    if output.resolve().is_relative_to(channel.resolve()):
        raise InputError(f"output {output}: is in the channel {channel}; choose a folder outside")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"output {output}: already exists; choose another --output or remove it")
    images, others = list_channel(channel)
    if not images:
        raise InputError(f"{channel}: contains no image")
    problems = Problems(f"channel {channel}")
    groups = grouped(images, settings.suffixes, problems)
    raise_all([problems])
    names, workers = list(groups), max(1, worker_count(settings.num_workers))
    for found in in_threads(lambda name: header_problems(channel, groups[name]), names, workers, "headers"):
        for kind, location in found:
            problems.add(kind, location)
    raise_all([problems])
    copy_others(channel, output, others)
    for _ in in_threads(lambda name: write_stitched(channel, groups[name], output / name), names, workers, "stitch"):
        pass
    print(f"{output}: {len(names):,} images of {len(settings.suffixes)} channels, {len(others):,} other files")
    return 0


def grouped(images: Sequence[str], suffixes: Sequence[str], problems: Problems) -> dict[str, list[str]]:
    """The files of each stitched image, in the order of the suffixes.

    Args:
        images: Paths of all images of the channel.
        suffixes: Ends of the files' names.
        problems: Collects ids without a file, and files without a suffix.

    Returns:
        By the path of the stitched image, for ids with all files.
    """
    ends = [suffix if suffix[0] in SIGNS else f"_{suffix}" for suffix in suffixes]
    found: dict[str, dict[int, str]] = {}
    for path in images:
        name = PurePosixPath(path)
        numbers = [number for number, end in enumerate(ends) if name.stem.endswith(end) and name.stem != end]
        if not numbers:
            ending = name.stem.rpartition("_")[2]
            problems.add(f"no suffix of {listing(suffixes)}", f"{path}{did_you_mean(ending, suffixes)}")
            continue
        number = max(numbers, key=lambda each: len(ends[each]))
        stitched = str(name.with_name(f"{name.stem.removesuffix(ends[number])}.png"))
        other = found.setdefault(stitched, {}).setdefault(number, path)
        if other != path:
            problems.add("two files of one channel", f"{other} and {path}")
    for stitched, files in found.items():
        if missing := [suffix for number, suffix in enumerate(suffixes) if number not in files]:
            problems.add("missing file", f"{stitched.removesuffix('.png')}: no file of {listing(missing)}")
    whole = {stitched: files for stitched, files in found.items() if len(files) == len(suffixes)}
    return {stitched: [files[number] for number in range(len(suffixes))] for stitched, files in whole.items()}


def header_problems(channel: Path, files: Sequence[str]) -> list[tuple[str, str]]:
    """Kind and location of each problem of the files of one image: unreadable, more than 8 bits, sizes that differ."""
    from model.images.decode import UnreadableImage, read_header

    found, sizes = [], {}
    for path in files:
        try:
            header = read_header(channel / path)
        except UnreadableImage as error:
            found.append(("unreadable image", f"{path}: {error}"))
            continue
        sizes[path] = "x".join(map(str, header.size))
        if header.is_deep:
            found.append(("more than 8 bits per channel, which PNGs of several channels cannot keep", path))
        elif header.mode not in ("1", "L", "P", "RGB"):
            found.append(("not a grey image", f"{path}: mode {header.mode}"))
    if len({*sizes.values()}) > 1:
        found.append(("sizes that differ", ", ".join(f"{path} {size}" for path, size in sizes.items())))
    return found


def write_stitched(channel: Path, files: Sequence[str], output: Path) -> None:
    """Writes one PNG with the files as its channels.

    Args:
        channel: Folder of the files.
        files: Paths of grey images of one size; of colour images, all channels must be equal.
        output: Path of the PNG.

    Raises:
        InputError: A file is unreadable or a colour image.
    """
    from PIL import Image

    from model.atomic_write import write_beside
    from model.images.decode import UnreadableImage, read_source

    bands = []
    for path in files:
        try:
            image = read_source(channel / path)
        except UnreadableImage as error:
            raise InputError(f"{channel / path}: unreadable: {error}") from None
        red, green, blue = image.split()
        if not red.tobytes() == green.tobytes() == blue.tobytes():
            raise InputError(f"{channel / path}: is a colour image; each file must have one grey channel")
        bands.append(red)
    with write_beside(output) as partial:
        Image.merge(MODES[len(bands)], bands).save(partial, "PNG")
