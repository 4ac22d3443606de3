"""Reading a channel for a command: its settings, its errors, the folder of caches, and features of its images."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from exploration.channels import (
    EmbeddedChannel,
    ExploredChannel,
    cache_folder,
    embeddings_of,
    read_labelled,
    require_writable,
)
from model.errors import InputError
from model.settings.cli import from_flags

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Explored(EmbeddedChannel):
    pass


def settings_of(tmp_path: Path, *flags: str) -> Explored:
    return from_flags(Explored, ["--cache", str(tmp_path / "cache"), *flags], "usage")


@pytest.mark.parametrize("name", ["", "given"])
def test_the_folder_of_caches(monkeypatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder(ExploredChannel(cache=name or None)) == (Path(name) if name else tmp_path / "xdg" / "rarebird")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert name or cache_folder(ExploredChannel()) == tmp_path / "home" / ".cache" / "rarebird"


def test_a_channel_is_read_checked_and_remembered(faces: Path, tmp_path: Path) -> None:
    table = read_labelled(settings_of(tmp_path), faces / "train")
    assert len(table) == 24 * 7 and table.grouped_by == "person" and table.scheme.names == ("mask", "gender", "age")
    assert table.contents is not None and len(np.unique(table.contents.keys)) == len(table)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"checked", ".contents"}


def test_a_missing_channel_is_an_error_with_the_nearest_name(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder; nearest: train"):
        read_labelled(settings_of(tmp_path), faces / "trian")
    with pytest.raises(InputError, match=r"there is no such folder$"):
        read_labelled(settings_of(tmp_path), tmp_path / "no" / "where")


def test_a_channel_of_one_scheme_is_read_by_another(faces: Path, tmp_path: Path) -> None:
    whole = read_labelled(settings_of(tmp_path), faces / "train")
    scheme = read_labelled(settings_of(tmp_path, "--age_cuts", "20", "40"), faces / "train").scheme
    again = read_labelled(settings_of(tmp_path), faces / "train", scheme)
    assert again.scheme == scheme != whole.scheme


def test_invalid_labels_are_reported_together(faces: Path, tmp_path: Path) -> None:
    for person in sorted((faces / "train" / "images").iterdir())[:2]:
        shutil.copytree(person, tmp_path / "channel" / person.name.replace("_drawn_", "_drawn_x"))
    with pytest.raises(InputError, match=r"channel: \d+ problems"):
        read_labelled(settings_of(tmp_path, "--layout", "profiles"), tmp_path / "channel")


def test_unreadable_images_are_skipped(faces: Path, tmp_path: Path) -> None:
    shutil.copytree(faces / "train", tmp_path / "channel")
    bad = sorted((tmp_path / "channel" / "images").glob("*/mask1.*"))[0]
    bad.write_bytes(b"no image")
    table = read_labelled(settings_of(tmp_path), tmp_path / "channel")
    ((path, reason),) = table.skipped
    assert len(table) == 24 * 7 - 1 and bad.as_posix().endswith(path) and reason


def test_large_images_are_unreadable_with_max_pixels(faces: Path, tmp_path: Path, monkeypatch) -> None:
    from PIL import Image

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    with pytest.raises(InputError, match="no readable image"):
        read_labelled(settings_of(tmp_path, "--max_pixels", "100"), faces / "train")


def test_features_of_the_images(faces: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "--model", "thumbnail", "--input_size", "6", "5", "--num_workers", "0")
    table = read_labelled(settings, faces / "train")
    embeddings = embeddings_of(settings, table)
    assert embeddings.features.shape == (len(table), 6 * 5 * 3) and embeddings.computed == len(table)
    assert embeddings.folders[0].parent == tmp_path / "cache" / "embeddings"
    assert embeddings_of(settings, table).computed == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sizes", "8", "8"], "sizes must be different"),
        (["--group_column", "a", "--group_pattern", "(.)"], "both define the groups"),
        (["--weights", "nowhere.pth"], "no such file or folder"),
        (["--batch_size", "-1"], "batch_size"),
        (["--input-sise", "8"], "nearest: input_size"),
    ],
)
def test_invalid_settings_are_reported(tmp_path: Path, flags: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings_of(tmp_path, *flags)


def test_files_that_cannot_be_written_are_refused_before_anything_is_computed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_writable("json", str(tmp_path / "new" / "a.json"))
    require_writable("json", str(tmp_path / "file"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "new"]
    with pytest.raises(InputError, match=r"^json .*new: is a folder; expected the name of a file"):
        require_writable("json", str(tmp_path / "new"))
    with pytest.raises(InputError, match=r"x.html: cannot be written"):
        require_writable("output", str(tmp_path / "file" / "x.html"))


def test_the_settings_import_no_pandas() -> None:
    script = (
        "import sys, exploration.channels; sys.exit(any(name in sys.modules for name in ('numpy', 'pandas', 'PIL')))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
