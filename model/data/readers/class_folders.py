"""Layout `classes`: the names of the folders above an image are its label.

The class of an image is its path below the channel down to the first folder that holds an image itself: `cat` for
cat/0.jpg, `Fruit/Apple` for Fruit/Apple/0.jpg where no image lies in Fruit itself. Folders further down belong to it.
Where the folders in the class folders do not look like classes, nothing is guessed: an error names the setting
`folder_levels` for each reading.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.data.readers.channel_files import IMAGES, ChannelFiles, is_image, warn_skipped
from model.data.readers.rows import Rows, warn_left_out
from model.data.readers.split_names import TRAIN, UNUSED, VALIDATION, side_of
from model.errors import Problems, listing
from model.settings.choices import ALL_LEVELS, NO_LEVEL

log = logging.getLogger("rarebird")

LABEL = "label"
IMAGE_FOLDERS = frozenset(("images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "rgb"))
COMPANIONS = frozenset(  # what lies beside a folder of images and holds images that are no class
    {"annotations", "annotation", "labels", "label", "masks", "mask", "segmentation", "segmentations", "trimaps"}
    | {"segmentationclass", "segmentationobject", "groundtruth", "ground_truth", "gt", "bboxes", "thumbnails", "thumbs"}
)
PROJECT_FOLDERS = IMAGE_FOLDERS | {  # what a repository holds beside its README, in lower case
    *("src", "source", "code", "scripts", "python", "notebooks", "app", "doc", "docs", "documentation", "paper"),
    *("data", "dataset", "datasets", "raw", "figures", "figs", "assets", "static", "media", "screenshots"),
    *("output", "outputs", "results", "runs", "sample_images", "examples"),
}
PROJECT_FILES = ("readme", "license", "licence", "citation", "pyproject.toml", "setup.py", "requirements.txt")
MANY_FOLDERS, FEW_IMAGES = 100, 10  # so many folders with fewer images each are rather persons or series than classes
TABLES = (".csv", ".lst", ".manifest")

Parts = tuple[str, ...]  # names of folders, from the top


@dataclass(frozen=True)
class FolderLevels:
    """How the folders above an image become its labels.

    Attributes:
        names: A column for each level of folders, from the top: an attribute, unless it is in `no_labels`. Empty: the
            class is the path of the folder, if it looks like one; (ALL_LEVELS,): it is, whatever it looks like.
        no_labels: Levels that are columns without being attributes, as groups are. NO_LEVEL is no column.
        classes: The classes where they are known before, as those of a validation channel are.
    """

    names: Sequence[str] = ()
    no_labels: Collection[str] = ()
    classes: Collection[str] = ()

    @property
    def columns(self) -> list[str]:
        """The columns of the levels."""
        return [name for name in self.names if name != NO_LEVEL]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns that are labels."""
        return tuple(name for name in self.columns if name not in self.no_labels)


@dataclass
class FolderTree:
    """The files of a channel of class folders.

    Attributes:
        base: The folder that holds the class folders: "" (the root) or `images`.
        images: Path of each image, and the folders between the base and the image.
        empty: Class folders without an image.
        loose: Images in no class folder.
        others: Files that are no images by their names.
    """

    base: str
    images: list[tuple[str, Parts]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def class_folders(self) -> list[Parts]:
        """For each image the folder that is its class: the first from the top that holds an image itself."""
        holding = {parts for _, parts in self.images}
        found: dict[Parts, Parts] = {}
        for parts in holding:
            found[parts] = next(parts[:end] for end in range(1, len(parts) + 1) if parts[:end] in holding)
        return [found[parts] for _, parts in self.images]


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


def read_class_folders(files: ChannelFiles, levels: FolderLevels, problems: Problems) -> Rows | None:
    """Reads the class folders in the root or in images/; a folder without images is left out with a warning.

    Args:
        files: The channel.
        levels: How folders become labels.
        problems: Collects what is wrong.

    Returns:
        The rows; None, and a problem, where the folders do not look like classes.
    """
    tree = _read_tree(files)
    warn_left_out(tree.loose, "in no class folder")
    warn_skipped(tree.others)
    if tree.empty:
        log.warning("folders without a picture left out, no classes: %s", listing(tree.empty, 5))
    columns, attributes = levels.columns or [LABEL], levels.attributes or (LABEL,)
    if levels.columns == [ALL_LEVELS]:
        columns, attributes = [LABEL], (LABEL,)
    rows = Rows("class folders", columns={name: [] for name in columns}, label_columns=attributes, named_by_folder=True)
    if levels.names and levels.columns != [ALL_LEVELS]:
        _add_levels(rows, tree, levels)
        return rows
    classes = tree.class_folders()
    if levels.classes:
        classes = _of_known_classes(classes, levels.classes)
    elif not levels.names:
        doubt = _doubt(files, tree, classes)
        if doubt:
            problems.add("folders that may not be the classes", doubt)
            return None
        classes = _without_single_folders(classes)
    if not levels.classes:
        _log_nesting(tree, classes)
    for (path, _), parts in zip(tree.images, classes):
        rows.add(path, posixpath.join(tree.base, *parts), {LABEL: "/".join(parts)})
    return rows


def _read_tree(files: ChannelFiles) -> FolderTree:
    """Lists the channel; links that lead out of it are noted in `files`."""
    tree = FolderTree(classes_base(files) or "")
    for name, kind in files.folder(tree.base).kinds.items():
        path = posixpath.join(tree.base, name)
        if kind == "outside":
            files.add_outside_link(path)
        elif kind == "file":
            (tree.loose if is_image(path) else tree.others).append(path)
        else:
            before = len(tree.images) + len(files.outside_links)
            _read_folder(files, path, tree)
            tree.empty += [] if len(tree.images) + len(files.outside_links) > before else [path]
    return tree


def _read_folder(files: ChannelFiles, folder: str, tree: FolderTree) -> None:
    start = len(tree.base) + 1 if tree.base else 0
    for kind, path in files.below(folder):
        if kind == "outside":
            files.add_outside_link(path)
        elif is_image(path):
            tree.images.append((path, tuple(path[start:].split("/")[:-1])))
        else:
            tree.others.append(path)


def _add_levels(rows: Rows, tree: FolderTree, levels: FolderLevels) -> None:
    """Adds a row for each image with a value for each named level. Where there are fewer folders than levels, the last
    one stands for the missing attributes; columns that are no labels stay empty."""
    short: list[str] = []
    for path, parts in tree.images:
        values = dict(zip(levels.names, parts))
        missing = levels.names[len(parts) :]
        short += [path] if missing else []
        values |= {name: parts[-1] if name in levels.attributes else "" for name in missing}
        rows.add(path, posixpath.join(tree.base, *parts[: len(levels.names)]), values)
    if short:
        log.info(
            "%s pictures lie below fewer than %d folders, the last of which stands for the missing levels, such as %s",
            f"{len(short):,}",
            len(levels.names),
            short[0],
        )


def _of_known_classes(classes: list[Parts], known: Collection[str]) -> list[Parts]:
    """The reading whose names are known: the paths of the folders, or the folders at the top alone."""
    paths = {"/".join(parts) for parts in classes}
    tops = {parts[0] for parts in classes}
    if len(paths & set(known)) >= len(tops & set(known)) and (paths & set(known) or any("/" in name for name in known)):
        return classes
    return [parts[:1] for parts in classes]


def _without_single_folders(classes: list[Parts]) -> list[Parts]:
    """The folders at the top alone where each holds one class folder: cat/images and dog/images are cat and dog."""
    folders = set(classes)
    return [parts[:1] for parts in classes] if len({parts[0] for parts in folders}) == len(folders) else classes


def _log_nesting(tree: FolderTree, classes: Sequence[Parts]) -> None:
    """Logs how nested folders were read."""
    nested = sorted({parts for parts in classes if len(parts) > 1})
    if nested:
        log.info(
            "%d classes are paths of nested folders, such as %s; --folder_levels label takes the folders at the top "
            "alone, several names make an attribute of each level",
            len(nested),
            "/".join(nested[0]),
        )
    inner = [path for (path, parts), own in zip(tree.images, classes) if len(parts) > len(own)]
    if inner:
        pictures = "1 picture lies" if len(inner) == 1 else f"{len(inner):,} pictures lie"
        log.info("%s in folders inside a class folder and belong to it, such as %s", pictures, inner[0])


# Folders that may not be classes


def _doubt(files: ChannelFiles, tree: FolderTree, classes: Sequence[Parts]) -> str:
    """Why the folders may not be classes, with the commands that settle it; "" where they look like classes."""
    children: dict[Parts, set[str]] = defaultdict(set)  # names of the folders with images below, by parent
    for parts in set(classes):
        for end in range(len(parts)):
            children[parts[:end]].add(parts[end])
    tops = sorted(children[()])
    return (
        _beside_annotations(files, tops)
        or _in_repository(files, tree, tops)
        or _one_folder_too_high(files, tree, children)
        or _folders_in_class_folders(files, tree.base, classes, children)
    )


def _beside_annotations(files: ChannelFiles, tops: Sequence[str]) -> str:
    image_folders = [name for name in tops if name.lower() in IMAGE_FOLDERS]
    companions = [name for name in tops if name.lower() in COMPANIONS]
    if len(image_folders) != 1 or not companions or len(tops) > 1 + len(companions):
        return ""
    text = f"{listing(tops)} lie beside each other and are no classes: "
    folder = image_folders[0]
    if files.folder(folder).names("folder"):
        return f"{text}--train_dir {files.root / folder} takes the folders in {folder} as classes"
    return (
        f"{text}{folder} has no folders in it, so the labels must come from a table beside it, columns path and label"
    )


def _in_repository(files: ChannelFiles, tree: FolderTree, tops: Sequence[str]) -> str:
    """Doubt where folders such as doc and src lie beside the README of a repository."""
    project = [name for name in files.folder().names("file") if name.lower().startswith(PROJECT_FILES)]
    usual = [name for name in tops if name.lower() in PROJECT_FOLDERS]
    if tree.base or len(tops) < 2 or not usual or not project:
        return ""
    tables = [path for path in tree.others if path.lower().endswith(TABLES)]
    by_table = f", or a table by --table: {listing(tables, 3)}" if tables else ""
    most = _folder_of_most(tree)
    place = f"; most pictures lie in {most}" if most else ""
    return (
        f"{listing(usual)} beside {listing(project, 1)} look like folders of a repository{place}. Name the folder "
        f"above the class folders by --train_dir{by_table}; --folder_levels {LABEL}: the classes are {listing(tops, 5)}"
    )


def _folder_of_most(tree: FolderTree) -> str:
    """The deepest folder with more than half of the images; "" where there is none."""
    folders = Counter("/".join(parts[:end]) for _, parts in tree.images for end in range(1, len(parts) + 1))
    most = [folder for folder, count in folders.items() if 2 * count > len(tree.images)]
    return max(most, key=len, default="")


def _one_folder_too_high(files: ChannelFiles, tree: FolderTree, children: dict[Parts, set[str]]) -> str:
    parts: Parts = ()
    while len(children[parts]) == 1:
        parts = (*parts, *children[parts])
    if not parts:
        return ""
    path = posixpath.join(tree.base, *parts)
    folder = files.root / path
    if not children[parts]:  # all images in one folder
        tables = [other for other in tree.others if other.startswith(f"{path}/") and other.endswith(TABLES)]
        return f"{path} is the only folder with pictures and has a table: --train_dir {folder}" if tables else ""
    inside = listing(sorted(children[parts]), 5)
    return f"{parts[0]} is the only folder with pictures; one folder too high for --train_dir {folder}, with {inside}"


def _folders_in_class_folders(
    files: ChannelFiles, base: str, classes: Sequence[Parts], children: dict[Parts, set[str]]
) -> str:
    counts = Counter(parts for parts in classes if len(parts) > 1)  # images by nested class folder
    per_folder = sum(counts.values()) / max(1, len(counts))
    tops = sorted({parts[0] for parts in counts})
    if not counts or len({parts[0] for parts in set(classes)}) == len(set(classes)):
        return ""
    example = "/".join(min(counts))
    if 2 * _numbered(children) >= len(counts):
        reason = f"the folders in the class folders are numbered, such as {example}"
    elif 2 * sum(count == 1 for count in counts.values()) >= len(counts):
        reason = f"most of the {len(counts):,} folders in the class folders hold one picture, such as {example}"
    elif len(counts) >= MANY_FOLDERS and per_folder < FEW_IMAGES:
        reason = f"{len(counts):,} folders in the class folders hold {per_folder:.1f} pictures each, such as {example}"
    elif len(tops) > 1 and _same_children([children[(top,)] for top in tops]):
        reason = f"{listing(tops, 5)} hold folders of the same names, {listing(sorted(children[(tops[0],)]), 5)}"
    else:
        return ""
    flags = _flags_of_splits(files.root / base, tops, children) or f"--train_dir {files.root / base / tops[0]}"
    return (
        f"{reason}. --folder_levels label: the classes are {listing(tops, 3)}; --folder_levels {NO_LEVEL} label: the "
        f"folders in them; --folder_levels {ALL_LEVELS}: both together, {example}; or name one folder, as in "
        f"{flags}"
    )


def _flags_of_splits(root: Path, tops: Sequence[str], children: dict[Parts, set[str]]) -> str:
    """`--train_dir .../Final_Training/Images --validation_dir .../Final_Test/Images`; "" where no name says train."""
    folders: dict[str, Path] = {}
    for top in tops:
        parts: Parts = (top,)
        while len(children[parts]) == 1:
            parts = (*parts, *children[parts])
        for word in re.split(r"[ _-]", top):
            side = side_of(word)
            if side is not None:
                folders.setdefault(side, root.joinpath(*parts))
    if TRAIN not in folders:
        return ""
    other = folders.get(VALIDATION) or folders.get(UNUSED)
    return f"--train_dir {folders[TRAIN]}" + (f" --validation_dir {other}" if other else "")


def _numbered(children: dict[Parts, set[str]]) -> int:
    """How many folders in class folders are numbers, or differ from others in the same folder by a number alone."""
    numbered = 0
    for parent, names in children.items():
        if parent:
            stems = Counter(
                re.sub(r"\d+", "", name).strip(" _-.()").lower() for name in names if re.search(r"\d", name)
            )
            numbered += sum(count for stem, count in stems.items() if count > 1 or not stem)
    return numbered


def _same_children(names: Iterable[set[str]]) -> bool:
    """Whether at least half of the names are in several of the sets."""
    counts = Counter(name.lower() for own in names for name in own)
    return 2 * sum(count > 1 for count in counts.values()) >= len(counts)
