"""Packing shards. tests/test_shards.py checks that training and inference read them like the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs.conftest import run_jobs


def test_images_are_packed_and_other_files_copied_next_to_the_shards(pictures, capsys):
    (pictures / "info.csv").write_text("ImageID,ans\n")
    assert run_jobs("shards", str(pictures), "--output", "packed") == 0
    assert capsys.readouterr().out == "packed: 5 images in 1 shards, 1 other files next to them\n"
    assert Path("packed/info.csv").is_file() and list(Path("packed").glob("*.tar")) and not list(Path().glob(".*.part"))
    assert run_jobs("shards", "packed", "--output", "again") == 2
    assert "packed: its images are already packed in shards" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["a"], "expected a folder and --output"),
        (["a", "b", "--output", "x"], "expected a folder and --output"),
        (["nowhere", "--output", "x"], "nowhere: no such folder"),
        (["a", "--output", "b"], "b already exists"),
        (["packed", "--output", "x"], "its images are already packed in shards"),
        (["b", "--output", "x"], "b: contains no images"),
    ],
)
def test_invalid_arguments_are_errors_and_write_nothing(flags, message, capsys):
    for name in ("a", "b", "packed"):
        Path(name).mkdir()
    Path("a/1.jpg").touch()
    Path("packed/shards.csv").touch()
    before = sorted(Path().rglob("*"))
    assert run_jobs("shards", *flags) == 2
    assert message in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == before
