"""Feature cache: what is written is read, whatever was damaged or left by a killed writer is computed again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from model.embeddings.cache import FEATURES, KEYS, FeatureCache

RNG = np.random.default_rng(0)


def drawn(count: int, first: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Keys in random order and features, of which each row is unlike the others."""
    keys = RNG.permutation(np.arange(first, first + count, dtype=np.uint64))
    return keys, RNG.normal(size=(count, 3)).astype(np.float16)


def test_features_are_read_by_key_in_any_order_from_all_chunks(tmp_path: Path) -> None:
    """Reference: a dict."""
    expected = {}
    for first, count in ((1, 5), (100, 1), (50, 7)):
        keys, features = drawn(count, first)
        FeatureCache(tmp_path, 3).write(keys, features)
        expected |= dict(zip(keys.tolist(), features))
    cache = FeatureCache(tmp_path, 3)
    assert len(cache) == 13
    asked = RNG.permutation(np.array([*expected, 7, 2**64 - 1, 0], np.uint64))
    assert cache.contains(asked).tolist() == [key in expected for key in asked.tolist()]
    for key, row in zip(asked.tolist(), cache.read(asked)):
        if key in expected:
            assert (row == expected[key]).all() and row.dtype == np.float16
        else:
            assert np.isnan(row).all()


def test_a_key_in_several_chunks_is_read_from_one_of_them(tmp_path: Path) -> None:
    """Two processes have computed the same image."""
    keys, features = drawn(5)
    for order in (np.arange(5), np.arange(5)[::-1][:3]):
        FeatureCache(tmp_path, 3).write(keys[order], features[order])
    cache = FeatureCache(tmp_path, 3)
    assert len(cache) == 5 and (cache.read(keys) == features).all()
    assert (cache.read(np.repeat(keys, 2)) == np.repeat(features, 2, axis=0)).all()


def test_an_empty_cache_contains_nothing_and_an_empty_chunk_is_not_written(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "none", 3)
    cache.write(np.empty(0, np.uint64), np.empty((0, 3)))
    assert len(cache) == 0 and not (tmp_path / "none").exists()
    assert not cache.contains(np.array([0, 1], np.uint64)).any()
    assert cache.read(np.empty(0, np.uint64)).shape == (0, 3)


def test_the_key_of_unknown_content_is_never_found(tmp_path: Path) -> None:
    FeatureCache(tmp_path, 3).write(np.array([0, 1], np.uint64), np.ones((2, 3)))
    assert FeatureCache(tmp_path, 3).contains(np.array([0, 1], np.uint64)).tolist() == [False, True]


def test_a_chunk_without_keys_is_incomplete_and_removed(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 3)
    cache.write(*drawn(4))
    (tmp_path / f"killed{FEATURES}").write_bytes(b"half")
    (tmp_path / f".killed{KEYS}.123.part").write_bytes(b"half")
    for path in tmp_path.iterdir():
        os.utime(path, (1e9, 1e9))
    (tmp_path / f"other{FEATURES}").write_bytes(b"of a process that is writing")
    assert len(FeatureCache(tmp_path, 3)) == 4
    cache.remove_incomplete()
    left = sorted(path.name.partition(".") for path in tmp_path.iterdir())
    assert [ending for name, _, ending in left if name != "other"] == ["features.npy", "keys.npy"]
    assert (tmp_path / f"other{FEATURES}").exists() and len(left) == 3
    assert len(FeatureCache(tmp_path, 3)) == 4


@pytest.mark.parametrize("ending", [KEYS, FEATURES])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
def test_a_damaged_chunk_is_ignored_with_a_warning(tmp_path: Path, caplog, ending: str, damage: str) -> None:
    FeatureCache(tmp_path, 3).write(*drawn(40))
    FeatureCache(tmp_path, 3).write(*drawn(5, 100))
    path = next(path for path in tmp_path.glob(f"*{ending}") if path.stat().st_size > 128 + 5 * 8)
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"truncated": content[:-7], "empty": b"", "text": b"not an array"}[damage])
    cache = FeatureCache(tmp_path, 3)
    assert len(cache) == 5 and cache.contains(np.array([1, 100], np.uint64)).tolist() == [False, True]
    assert [record.levelname for record in caplog.records] == (
        [] if (damage, ending) == ("missing", KEYS) else ["WARNING"]
    )


def test_chunks_of_another_backbone_are_ignored(tmp_path: Path) -> None:
    FeatureCache(tmp_path, 3).write(*drawn(4))
    assert len(FeatureCache(tmp_path, 4)) == 0


def test_a_write_that_fails_leaves_no_chunk(tmp_path: Path, monkeypatch) -> None:
    """The disk is full after the features."""
    real = np.lib.format.write_array

    def full(file, array, **arguments) -> None:
        if array.ndim == 1:
            raise OSError(28, "No space left on device")
        real(file, array, **arguments)

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space"):
        FeatureCache(tmp_path, 3).write(*drawn(4))
    assert len(FeatureCache(tmp_path, 3)) == 0
