"""Layout `classes`: the names of the folders above an image are its label.

The class of an image is its path below the channel down to the first folder that holds an image itself: `cat` for
cat/0.jpg, `Fruit/Apple` for Fruit/Apple/0.jpg where no image lies in Fruit itself. Folders further down belong to it.
Where the folders in the class folders do not look like classes, nothing is guessed: an error names the setting
`folder_levels` for each reading.
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
from model.data.readers.rows import Rows, warn_left_out
from model.errors import Problems, listing
from model.settings.choices import ALL_LEVELS, NO_LEVEL

log = logging.getLogger("rarebird")


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
    tree = read_tree(files)
    warn_left_out(tree.loose, "in no class folder")
    warn_skipped(tree.others)
    if tree.empty:
        log.warning("folders without an image left out, no classes: %s", listing(tree.empty, 5))
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
            problems.add("folders that may not be the classes", doubt)
            return None
        classes = _without_single_folders(classes)
    if not levels.classes:
        _log_nesting(tree, classes)
    for (path, _), parts in zip(tree.images, classes):
        rows.add(path, posixpath.join(tree.base, *parts), {LABEL: "/".join(parts)})
    return rows


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
            "%s images lie below fewer than %d folders, the last of which stands for the missing levels, such as %s",
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
        pictures = "1 image lies" if len(inner) == 1 else f"{len(inner):,} images lie"
        log.info("%s in folders inside a class folder and belong to it, such as %s", pictures, inner[0])
