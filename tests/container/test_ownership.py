"""Files that root writes into a folder are given to the owner of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from container.ownership import OwnedFolder, hand_over, owned_folders

OWNER = (1234, 1235)


def test_a_missing_folder_has_the_owner_of_its_nearest_parent(tmp_path):
    stat = tmp_path.stat()
    expected = OwnedFolder(tmp_path / "a" / "b", tmp_path, stat.st_uid, stat.st_gid)
    assert OwnedFolder.from_path(tmp_path / "a" / "b") == expected


def test_only_root_hands_files_over(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert owned_folders([tmp_path]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_created_folders_and_files_get_the_owner_and_others_keep_theirs(tmp_path, monkeypatch):
    """Changes of owners are recorded only: an error must not change folders outside of the test."""
    owners: dict[Path, tuple[int, int]] = {}
    monkeypatch.setattr("container.ownership.os.lchown", lambda path, uid, gid: owners.update({path: (uid, gid)}))
    mount = tmp_path / "mount"
    mount.mkdir()
    os.chown(mount, *OWNER)
    assert owned_folders([tmp_path]) == []  # owned by root
    owned = owned_folders([mount / "runs" / "exp"])
    run = mount / "runs" / "exp"
    run.mkdir(parents=True)
    (run / "metrics.json").touch()
    (mount / "beside").touch()
    (run / "theirs").touch()
    os.chown(run / "theirs", 77, 78)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (run / "link").symlink_to(tmp_path / "outside")
    hand_over(owned)
    assert owners == dict.fromkeys([mount / "runs", run, run / "metrics.json", run / "link"], OWNER)
