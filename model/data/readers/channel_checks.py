"""Checks of a whole channel: whether it is empty, and which links lead out of it."""

from __future__ import annotations

import os
from pathlib import Path

from model.data.readers.channel_files import ChannelFiles
from model.errors import Problems, nearest

OUTSIDE_LINKS = "links out of the channel"


def has_content(files: ChannelFiles, problems: Problems) -> bool:
    """Whether the channel is a folder that is not empty; otherwise adds a problem."""
    if not files.root.is_dir():
        detail = "a file, not a folder" if files.root.exists() else f"no such folder{_nearest_folder(files.root)}"
        problems.add("missing channel", f"{files.root}: {detail}")
        return False
    if not files.folder().kinds and not files.unreadable:
        problems.add("empty channel", f"{files.root}: the folder is empty")
        return False
    return True


def _nearest_folder(path: Path) -> str:
    """`; nearest: FOLDER` for the first missing folder of a path; "" if no folder has a similar name."""
    missing = next((part for part in [*reversed(path.parents), path] if not part.exists()), path)
    try:
        siblings = [other.name for other in missing.parent.iterdir() if other.is_dir()]
    except OSError:
        return ""
    name = nearest(missing.name, siblings)
    return f"; nearest: {missing.with_name(name)}" if name else ""


def outside_links_text(files: ChannelFiles) -> str:
    """The number of links that lead out of the channel, with an example and advice; "" if there are none."""
    if not files.outside_links:
        return ""
    real = os.path.realpath(files.root)
    path, target = next(iter(files.outside_links.items()))
    target = min(target, os.path.normpath(os.path.join(real, target)), key=len)
    count = len(files.outside_links)
    text = f"{path} leads to {target}" if count == 1 else f"{count:,}, such as {path}, which leads to {target}"
    broken = sum(not os.path.exists(os.path.join(real, target)) for target in files.outside_links.values())
    if broken:
        text += f"; broken links: {broken:,}, fetch the files first (git annex get, dvc pull)"
    if not files.follow_links:
        text += "; --follow_links follows them (only on your own machine)"
    return text


def report_outside_links(files: ChannelFiles, problems: Problems) -> None:
    """Adds one problem for all links that lead out of the channel, if there are any."""
    if files.outside_links:
        problems.add(OUTSIDE_LINKS, outside_links_text(files))
