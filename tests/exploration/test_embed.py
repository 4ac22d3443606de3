"""`python -m exploration embed`: what it prints and writes, and that an interruption loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exploration.__main__ import main
from model.embeddings.embedders import ThumbnailEmbedder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def flags(faces: Path, tmp_path: Path) -> list[str]:
    return ["embed", str(faces / "train"), "--model", "thumbnail", "--cache", str(tmp_path / "cache")]


def test_the_first_run_computes_and_the_second_reads(flags: list[str], capsys, tmp_path: Path) -> None:
    assert main(flags) == 0
    first = capsys.readouterr()
    lines = first.out.splitlines()
    assert lines[0] == "168 images, 432 features each: thumbnail, 12x12"
    assert lines[1].startswith("computed 168 in ") and lines[1].endswith("/s")
    (folder,) = (tmp_path / "cache" / "embeddings").glob("thumbnail-*")
    assert lines[2:] == [f"cache: {folder}"]
    assert "computing the features of 168 images" in first.err
    assert main(flags) == 0
    second = capsys.readouterr()
    assert second.out.splitlines() == [lines[0], "all were in the cache", lines[2]]
    assert "computing" not in second.err


def test_the_file_has_the_features_and_what_they_are_of(flags: list[str], faces: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "new" / "features.npz"
    assert main([*flags, "--sizes", "4", "8", "--output", str(output)]) == 0
    assert f"wrote {output}" in capsys.readouterr().out
    with np.load(output, allow_pickle=False) as content:
        arrays = dict(content)
    assert set(arrays) == {"features", "paths", "groups", "attributes", "labels"}
    assert arrays["features"].dtype == np.float16 and arrays["features"].shape == (168, 48 + 192)
    assert arrays["attributes"].tolist() == ["mask", "gender", "age"]
    masks = {"incorrect_mask": "incorrect", "normal": "none"}
    for path, group, labels in zip(arrays["paths"], arrays["groups"], arrays["labels"]):
        folder, name = path.split("/")[-2:]
        assert (faces / "train" / "images" / folder / name).is_file() and group in (folder, folder.split("_")[0])
        assert labels[0] == masks.get(name.split(".")[0], "worn") and labels[1] == folder.split("_")[1]
    assert [path.name for path in output.parent.iterdir()] == ["features.npz"]


def test_labels_that_are_missing_are_empty(tmp_path: Path, capsys) -> None:
    from tests.model.embeddings.conftest import draw

    for number in range(3):
        draw(tmp_path / "channel" / "images" / f"{number}.png", number)
    rows = "path,kind,colour\n0.png,top,red\n1.png,,blue\n2.png,bottom,red\n"
    (tmp_path / "channel" / "train.csv").write_text(rows)
    attributes = '{"kind": {"optional": true}, "colour": {}}'
    command = ["embed", str(tmp_path / "channel"), "--model", "thumbnail", "--cache", str(tmp_path / "cache")]
    assert main([*command, "--attributes", attributes, "--output", str(tmp_path / "a.npz")]) == 0
    with np.load(tmp_path / "a.npz") as content:
        assert content["labels"].tolist() == [["top", "red"], ["", "blue"], ["bottom", "red"]]


def test_ctrl_c_exits_with_130_and_keeps_the_features(flags: list[str], monkeypatch, capsys) -> None:
    real, calls = ThumbnailEmbedder.__call__, []

    def interrupted(self, inputs):
        calls.append(len(inputs))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, inputs)

    monkeypatch.setattr(ThumbnailEmbedder, "__call__", interrupted)
    assert main([*flags, "--num_workers", "0"]) == 130
    monkeypatch.undo()
    assert main(flags) == 0
    assert f"computed {168 - sum(calls[:2])} in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--output", "features.csv"], "output must end in .npz"),
        (["--modle", "thumbnail"], "nearest: model"),
        (["--weights", "a.pth"], "weights is for a network"),
    ],
)
def test_bad_flags_exit_with_2(flags: list[str], more: list[str], message: str, capsys) -> None:
    assert main([*flags, *more]) == 2
    assert message in capsys.readouterr().err


def test_without_a_channel_the_error_has_an_example(capsys) -> None:
    assert main(["embed"]) == 2
    assert "python -m exploration embed data/train" in capsys.readouterr().err


def test_help_imports_no_numpy() -> None:
    script = (
        "import atexit, os, sys; from exploration.__main__ import main; "
        "atexit.register(lambda: os._exit(any(name in sys.modules for name in ('numpy', 'pandas', 'torch')))); "
        "main(['embed', '--help'])"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
