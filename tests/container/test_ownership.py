"""Files that root writes into somebody's folder are given to them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from container.ownership import OwnedFolder, hand_over, owned_folders

OWNER = (1234, 1235)


def owner(path: Path) -> tuple[int, int]:
    stat = path.lstat()
    return stat.st_uid, stat.st_gid


def test_a_folder_that_is_not_there_yet_has_the_owner_of_the_one_above(tmp_path):
    found = OwnedFolder.of(tmp_path / "a" / "b")
    assert (found.path, found.existing, (found.uid, found.gid)) == (tmp_path / "a" / "b", tmp_path, owner(tmp_path))


def test_another_user_than_root_gives_nothing_away(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert owned_folders([tmp_path]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_created_folders_and_files_get_the_owner_and_others_keep_theirs(tmp_path):
    mount = tmp_path / "mount"
    mount.mkdir()
    os.chown(mount, *OWNER)
    assert owned_folders([tmp_path]) == []  # root's own
    owned = owned_folders([mount / "runs" / "exp"])
    (mount / "runs" / "exp").mkdir(parents=True)
    (mount / "beside").touch()
    (mount / "runs" / "exp" / "theirs").touch()
    os.chown(mount / "runs" / "exp" / "theirs", 77, 78)
    (mount / "runs" / "exp" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").touch()
    hand_over(owned)
    assert owner(mount / "runs") == owner(mount / "runs" / "exp") == owner(mount / "runs" / "exp" / "link") == OWNER
    assert owner(mount / "runs" / "exp" / "theirs") == (77, 78)
    assert owner(mount / "beside") == owner(tmp_path / "outside") == (0, 0)
