"""Paths that leave their folder, and PATH:WEIGHT."""

from pathlib import Path

import pytest

from model.errors import InputError
from model.paths import leaves_folder, parse_weighted


@pytest.mark.parametrize(
    ("path", "leaves", "leaves_strictly"),
    [
        ("a", False, False),
        ("a/b.jpg", False, False),
        ("./a/b.jpg", False, False),
        ("a..b", False, False),
        (".a", False, False),
        ("..a/b", False, False),
        ("착용/a b.jpg", False, False),
        ("/a", True, True),
        ("..", True, True),
        ("../a", True, True),
        ("a/../../b", True, True),
        ("./../a", True, True),
        ("C:\\d", True, True),
        ("C:/d", True, True),
        ("\\\\host\\d", True, True),
        # inside after all: may be read, is not written
        ("deep/../images/b.jpg", False, True),
        ("x/..", False, True),
        # a backslash is part of a name on Linux and a separator on Windows
        ("\\a", False, True),
        ("a\\..\\..\\b", False, True),
        ("", False, True),
        ("a\0b", False, True),
    ],
)
def test_a_path_that_leaves_its_folder(path: str, leaves: bool, leaves_strictly: bool):
    assert leaves_folder(path) is leaves
    assert leaves_folder(path, strict=True) is leaves_strictly


def test_a_colon_may_belong_to_the_path(tmp_path: Path):
    (tmp_path / "a:2").mkdir()
    assert parse_weighted([f"{tmp_path}/a:2", "b:0.5", "c"]) == [
        (tmp_path / "a:2", 1.0),
        (Path("b"), 0.5),
        (Path("c"), 1.0),
    ]


def test_a_weight_that_is_not_a_number_names_the_nearest_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("exp:one").mkdir()
    with pytest.raises(InputError, match="the weight 'on' after the colon is not a number; nearest: exp:one"):
        parse_weighted(["exp:on"])
