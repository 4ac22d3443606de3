"""The files of a folder to upload."""

from __future__ import annotations

import os

from jobs.storage.local_files import local_files


def test_files_are_in_the_order_of_their_keys_in_s3(pictures):
    names = [file.name for file in local_files(pictures)]
    assert names == ["a-b.jpg", "a.jpg", "a/1.jpg", "a/2.jpg", "b/착용 3.jpg"]
    assert names == sorted(names, key=str.encode)
    (pictures / "a" / "list.csv").touch()
    assert "a/list.csv" not in [file.name for file in local_files(pictures, (".jpg",))]
    (one,) = local_files(pictures / "a.jpg")
    assert (one.name, one.size, one.path) == ("a.jpg", 250, pictures / "a.jpg")


def test_a_changed_file_is_not_equal(pictures):
    path = pictures / "a.jpg"
    (before,) = local_files(path)
    os.utime(path, ns=(1, 1))
    (after,) = local_files(path)
    assert before != after and after.times[0] == 1 and after.times[1] >= before.times[1]
