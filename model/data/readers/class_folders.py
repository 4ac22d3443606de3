"""Layout `classes`: the names of the folders above an image are its label.

The class of an image is the path of the first folder, from the top, that directly contains images: `cat` for cat/0.jpg,
`Fruit/Apple` for Fruit/Apple/0.jpg if no image is directly in Fruit. Deeper folders belong to the same class. If it is
not clear which folders are the classes, an error lists the possible values of the setting `folder_levels`.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.folder_doubts import doubt_about_classes
from model.data.readers.folder_tree import LABEL, FolderTree, Parts, classes_base, read_tree
from model.data.readers.image_names import warn_skipped
from model.data.readers.rows import Rows, warn_unused_files
from model.errors import Problems, listing
from model.settings.choices import ALL_LEVELS, NO_LEVEL

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class FolderLevels:
    """How the folders above an image become its labels.

    Attributes:
        names: Name of the column for each level of folders, from the top. It is an attribute, unless it is in
            `no_labels`. The level NO_LEVEL gets no column. Empty: the class is the path of the folder, if the folders
            look like classes; (ALL_LEVELS,): it is the path without this check.
        no_labels: Levels that are columns but not attributes, such as groups.
        classes: The classes if they are already known, as for a validation channel.
    """

    names: Sequence[str] = ()
    no_labels: Collection[str] = ()
    classes: Collection[str] = ()

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [name for name in self.names if name != NO_LEVEL]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the columns that are labels."""
        return tuple(name for name in self.columns if name not in self.no_labels)


def has_class_folders(files: ChannelFiles) -> bool:
    """Whether the channel has this layout."""
    return classes_base(files) is not None


def read_class_folders(files: ChannelFiles, levels: FolderLevels, problems: Problems) -> Rows | None:
    """Reads the class folders in the root or in images/. Folders without images are skipped with a warning.

    Args:
        files: The channel.
        levels: How folders become labels.
        problems: Collects what is wrong.

    Returns:
        The rows; None, and a problem, if the folders do not look like classes.
    """
    tree = read_tree(files)
    warn_unused_files(tree.loose, "not in a class folder")
    warn_skipped([path for path in tree.others if path not in files.unread_tables])
    if tree.empty:
        log.warning("skipped folders without images: %s", listing(tree.empty, 5))
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
        doubt = doubt_about_classes(files, tree, classes)
        if doubt:
            problems.add("folders that are probably not the classes", doubt)
            return None
        classes = _without_single_folders(classes)
    if not levels.classes:
        _log_nesting(tree, classes)
    for (path, _), parts in zip(tree.images, classes):
        rows.add(path, posixpath.join(tree.base, *parts), {LABEL: "/".join(parts)})
    return rows


def _add_levels(rows: Rows, tree: FolderTree, levels: FolderLevels) -> None:
    """Adds a row for each image, with a value for each named level.

    If an image has fewer folders than levels, its last folder is the value of the missing attributes; missing columns
    that are not labels stay empty.
    """
    short: list[str] = []
    for path, parts in tree.images:
        values = dict(zip(levels.names, parts))
        missing = levels.names[len(parts) :]
        short += [path] if missing else []
        values |= {name: parts[-1] if name in levels.attributes else "" for name in missing}
        rows.add(path, posixpath.join(tree.base, *parts[: len(levels.names)]), values)
    if short:
        log.info(
            "%s images are in fewer than %d nested folders; the name of their last folder is used for the missing "
            "levels, for example %s",
            f"{len(short):,}",
            len(levels.names),
            short[0],
        )


def _of_known_classes(classes: list[Parts], known: Collection[str]) -> list[Parts]:
    """The class folders if their paths are known classes, otherwise the top folders alone."""
    paths = {"/".join(parts) for parts in classes}
    tops = {parts[0] for parts in classes}
    if len(paths & set(known)) >= len(tops & set(known)) and (paths & set(known) or any("/" in name for name in known)):
        return classes
    return [parts[:1] for parts in classes]


def _without_single_folders(classes: list[Parts]) -> list[Parts]:
    """The top folders alone if each contains one class folder: cat/images and dog/images become cat and dog."""
    folders = set(classes)
    return [parts[:1] for parts in classes] if len({parts[0] for parts in folders}) == len(folders) else classes


def _log_nesting(tree: FolderTree, classes: Sequence[Parts]) -> None:
    """Logs how nested folders were read."""
    nested = sorted({parts for parts in classes if len(parts) > 1})
    if nested:
        log.info(
            "%d classes are paths of nested folders, such as %s. With --folder_levels label, only the top folders are "
            "classes; with --folder_levels NAME NAME ..., each level becomes an attribute",
            len(nested),
            "/".join(nested[0]),
        )
    inner = [path for (path, parts), own in zip(tree.images, classes) if len(parts) > len(own)]
    if inner:
        images = "1 image is" if len(inner) == 1 else f"{len(inner):,} images are"
        log.info("%s in a subfolder of a class folder and have the class of that folder, such as %s", images, inner[0])
