"""Signs that the folders of a channel are not classes, such as folders of a repository or one folder per person."""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.folder_tree import LABEL, FolderTree, Parts
from model.data.readers.split_names import TRAIN, UNUSED, VALIDATION, side_of
from model.errors import listing
from model.settings.choices import ALL_LEVELS, NO_LEVEL

IMAGE_FOLDERS = frozenset(("images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "rgb"))
COMPANIONS = frozenset(  # folders next to a folder of images whose images are annotations
    {"annotations", "annotation", "labels", "label", "masks", "mask", "segmentation", "segmentations", "trimaps"}
    | {"segmentationclass", "segmentationobject", "groundtruth", "ground_truth", "gt", "bboxes", "thumbnails", "thumbs"}
)
PROJECT_FOLDERS = IMAGE_FOLDERS | {  # usual folders of a repository, in lower case
    *("src", "source", "code", "scripts", "python", "notebooks", "app", "doc", "docs", "documentation", "paper"),
    *("data", "dataset", "datasets", "raw", "figures", "figs", "assets", "static", "media", "screenshots"),
    *("output", "outputs", "results", "runs", "sample_images", "examples"),
}
PROJECT_FILES = ("readme", "license", "licence", "citation", "pyproject.toml", "setup.py", "requirements.txt")
MANY_FOLDERS, FEW_IMAGES = 100, 10  # this many folders with fewer images each are more likely persons than classes
TABLES = (".csv", ".lst", ".manifest")


def doubt_about_classes(files: ChannelFiles, tree: FolderTree, classes: Sequence[Parts]) -> str:
    """Why the folders may not be classes, with the flags for each possibility; "" if they look like classes.

    Args:
        files: The channel.
        tree: Its images by folder.
        classes: The folder that would be the class of each image.
    """
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
    text = f"the folders {listing(tops)} do not look like classes: "
    folder = image_folders[0]
    if files.folder(folder).names("folder"):
        return f"{text}to use the folders in {folder} as classes, set --train_dir {files.root / folder}"
    return (
        f"{text}{folder} contains no folders, so the labels must be in a table next to it, with the columns path and "
        "label"
    )


def _in_repository(files: ChannelFiles, tree: FolderTree, tops: Sequence[str]) -> str:
    """The doubt if folders such as doc and src are next to the README of a repository."""
    project = [name for name in files.folder().names("file") if name.lower().startswith(PROJECT_FILES)]
    usual = [name for name in tops if name.lower() in PROJECT_FOLDERS]
    if tree.base or len(tops) < 2 or not usual or not project:
        return ""
    tables = [path for path in tree.others if path.lower().endswith(TABLES)]
    by_table = f", or --table to one of {listing(tables, 3)}" if tables else ""
    most = _folder_of_most(tree)
    location = f"; most images are in {most}" if most else ""
    return (
        f"{listing(usual)} next to {listing(project, 1)} look like folders of a code repository{location}. Set "
        f"--train_dir to the folder that contains the class folders{by_table}. If the classes are {listing(tops, 5)}, "
        f"set --folder_levels {LABEL}"
    )


def _folder_of_most(tree: FolderTree) -> str:
    """The deepest folder with more than half of the images; "" if there is none."""
    folders = Counter("/".join(parts[:end]) for _, parts in tree.images for end in range(1, len(parts) + 1))
    most = [folder for folder, count in folders.items() if 2 * count > len(tree.images)]
    return max(most, key=len, default="")


def _one_folder_too_high(files: ChannelFiles, tree: FolderTree, children: dict[Parts, set[str]]) -> str:
    parts: Parts = ()
    while len(children[parts]) == 1:
        parts = (*parts, *children[parts])
    if not parts:
        return ""
    table = next((name for name, column in files.unread_tables.items() if column), None)
    if table is not None:  # its image names are in a column that has no usual name
        column = files.unread_tables[table]
        inside = f"; if the folders in {parts[0]} are the classes, set --train_dir {files.root / tree.base / parts[0]}"
        return (
            f"{parts[0]} is the only folder with images, and column {column} of {table} contains their names: to read "
            f"the labels from {table}, set --picture_column {column}, and --attributes unless its labels are in a "
            "column called label or class"
            f"{inside if children[parts[:1]] else ''}"
        )
    path = posixpath.join(tree.base, *parts)
    folder = files.root / path
    if not children[parts]:  # all images in one folder
        tables = [other for other in tree.others if other.startswith(f"{path}/") and other.endswith(TABLES)]
        return f"{path} is the only folder with images and contains a table: set --train_dir {folder}" if tables else ""
    inside = listing(sorted(children[parts]), 5)
    return (
        f"{parts[0]} is the only folder with images, so --train_dir is one level too high: set --train_dir {folder}, "
        f"which contains {inside}"
    )


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
        reason = f"most of the {len(counts):,} folders in the class folders contain one image, such as {example}"
    elif len(counts) >= MANY_FOLDERS and per_folder < FEW_IMAGES:
        reason = (
            f"the {len(counts):,} folders in the class folders contain {per_folder:.1f} images on average, such as "
            f"{example}"
        )
    elif len(tops) > 1 and _same_children([children[(top,)] for top in tops]):
        same = listing(sorted(children[(tops[0],)]), 5)
        reason = f"{listing(tops, 5)} contain folders of the same names, {same}"
    else:
        return ""
    flags = _flags_of_splits(files.root / base, tops, children) or f"--train_dir {files.root / base / tops[0]}"
    return (
        f"{reason}. If the classes are the top folders ({listing(tops, 3)}), set --folder_levels label. If the classes "
        f"are the folders inside them, set --folder_levels {NO_LEVEL} label. If the classes are whole paths, such as "
        f"{example}, set --folder_levels {ALL_LEVELS}. To use only one of the folders, set {flags}"
    )


def _flags_of_splits(root: Path, tops: Sequence[str], children: dict[Parts, set[str]]) -> str:
    """`--train_dir .../Final_Training/Images --validation_dir .../Final_Test/Images`; "" without a name for train."""
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
    """The number of folders in class folders that are numbers, or differ from others only in a number."""
    numbered = 0
    for parent, names in children.items():
        if parent:
            stems = Counter(
                re.sub(r"\d+", "", name).strip(" _-.()").lower() for name in names if re.search(r"\d", name)
            )
            numbered += sum(count for stem, count in stems.items() if count > 1 or not stem)
    return numbered


def _same_children(names: Iterable[set[str]]) -> bool:
    """Whether at least half of the names are in more than one of the sets."""
    counts = Counter(name.lower() for own in names for name in own)
    return 2 * sum(count > 1 for count in counts.values()) >= len(counts)
