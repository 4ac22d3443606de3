from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.model.data.conftest import problems_of, touch


@pytest.mark.parametrize("follow_links", [False, True])
def test_links_to_nothing_and_to_devices_are_never_followed(root: Path, follow_links: bool) -> None:
    touch(root, "cat/a.jpg", "dog/b.jpg")
    os.symlink(root.parent / "annex/c.jpg", root / "cat/c.jpg")
    os.symlink("/dev/zero", root / "dog/d.jpg")
    (message,) = problems_of(root, follow_links=follow_links)["links out of the channel"]
    assert message.startswith(
        "2, such as cat/c.jpg, which leads to ../annex/c.jpg; broken links: 1, fetch the files first"
    )
    assert ("--follow_links" in message) is not follow_links


def test_missing_empty_and_unknown_channels_are_reported(root: Path) -> None:
    missing = root / "none"
    assert problems_of(missing) == {"missing channel": [f"{missing}: no such folder"]}
    (root / "training/images").mkdir(parents=True)
    near = f"{root}/trainig/images: no such folder; nearest: {root}/training"
    assert problems_of(root / "trainig/images") == {"missing channel": [near]}
    touch(root, "file")
    assert problems_of(root / "file") == {"missing channel": [f"{root}/file: a file, not a folder"]}
    (root / "empty").mkdir()
    touch(root / "empty", ".DS_Store")
    assert problems_of(root / "empty") == {"empty channel": [f"{root}/empty: the folder is empty"]}
    touch(root / "loose", "a.jpg", "images/b.jpg")
    assert list(problems_of(root / "loose")) == ["channel without labels"]
    touch(root / "texts", "deep/notes.txt")
    assert list(problems_of(root / "texts")) == ["unknown layout"]
    assert "contains deep;" in problems_of(root / "texts")["unknown layout"][0]
