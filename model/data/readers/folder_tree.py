"""The images of a channel by the folders that contain them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from model.data.readers.channel_files import IMAGES, ChannelFiles
from model.data.readers.image_names import is_image

LABEL = "label"  # the column of classes that are folders

Parts = tuple[str, ...]  # names of folders, from the top


@dataclass
class FolderTree:
    """The files of a channel of class folders.

    Attributes:
        base: The folder that contains the class folders: "" (the root) or `images`.
        images: Path of each image, and the folders between the base and the image.
        empty: Class folders without images.
        loose: Images that are not in a class folder.
        others: Files without the extension of an image.
    """

    base: str
    images: list[tuple[str, Parts]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def class_folders(self) -> list[Parts]:
        """The class folder of each image: the first folder, from the top, that directly contains an image."""
        with_images = {parts for _, parts in self.images}
        class_folder: dict[Parts, Parts] = {}
        for parts in with_images:
            class_folder[parts] = next(parts[:end] for end in range(1, len(parts) + 1) if parts[:end] in with_images)
        return [class_folder[parts] for _, parts in self.images]


def classes_base(files: ChannelFiles) -> str | None:
    """The folder whose folders are classes: "" (the root) or `images`; None if no folder contains an image."""
    for base in ("", IMAGES):
        for name in files.folder(base).names("folder"):
            path = posixpath.join(base, name)
            if path != IMAGES and any(is_image(inside) for _, inside in files.below(path)):
                return base
    return None


def read_tree(files: ChannelFiles) -> FolderTree:
    """Lists the channel. Links that lead out of it are added to `files.outside_links`."""
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
