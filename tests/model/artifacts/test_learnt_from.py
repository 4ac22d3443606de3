"""What a model learnt from: kept with it, read again, absent in models of earlier versions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from model.artifacts.archive import opened_model, pack
from model.artifacts.files import LEARNT_FROM
from model.artifacts.learnt_from import LearntFrom, read_learnt_from, write_learnt_from
from model.artifacts.saved_model import load_model, save_model
from model.artifacts.verify import model_problem
from model.data.content_index import ContentIndex
from model.data.datasets import Datasets
from model.errors import InputError
from tests.model.data.test_integrity import make_table

SEEN = LearntFrom(np.array([2, 5, 9], np.uint64), np.array([1, 5, 2**64 - 1], np.uint64))


def with_keys(table, keys: list[int]):
    return replace(
        table, contents=ContentIndex(np.array([[key, 1] for key in keys], np.uint64), np.zeros(len(keys), bool))
    )


def test_an_image_in_both_sides_counts_as_a_training_image():
    keys = np.array([5, 1, 3, 9, 2**64 - 1, 0], np.uint64)
    assert SEEN.sides(keys).tolist() == [0, 1, -1, 0, 1, -1]
    none = np.empty(0, np.uint64)
    assert LearntFrom(none, none).sides(keys).tolist() == [-1] * 6


def test_it_is_written_the_same_each_time_and_read_again(tmp_path):
    write_learnt_from(tmp_path, SEEN)
    content = (tmp_path / LEARNT_FROM).read_bytes()
    write_learnt_from(tmp_path, SEEN)
    assert (tmp_path / LEARNT_FROM).read_bytes() == content
    again = read_learnt_from(tmp_path)
    assert np.array_equal(again.train, SEEN.train) and np.array_equal(again.validation, SEEN.validation)
    write_learnt_from(tmp_path, None)
    assert not list(tmp_path.iterdir()) and read_learnt_from(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / LEARNT_FROM).write_bytes(content)
    with pytest.raises(InputError, match=r"learnt_from\.npz"):
        read_learnt_from(tmp_path)


def test_keys_of_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", train=np.array([{}], dtype=object), validation=SEEN.validation)
    (tmp_path / "x.npz").rename(tmp_path / LEARNT_FROM)
    with pytest.raises(InputError, match="unreadable"):
        read_learnt_from(tmp_path)
    with (tmp_path / LEARNT_FROM).open("wb") as file:
        np.savez(file, train=np.zeros(3), validation=SEEN.validation)
    with pytest.raises(InputError, match="64-bit integers"):
        read_learnt_from(tmp_path)


def test_images_are_known_only_if_all_contents_are(tmp_path):
    table = make_table(tmp_path, ["a", "b", "c"])
    known = LearntFrom.of(Datasets(with_keys(table, [9, 2, 9]), with_keys(table, [7, 8, 3])))
    assert known.train.tolist() == [2, 9] and known.validation.tolist() == [3, 7, 8]
    assert LearntFrom.of(Datasets(with_keys(table, [9, 2, 9]), None)).validation.tolist() == []
    assert LearntFrom.of(Datasets(table, None)) is None
    assert LearntFrom.of(Datasets(with_keys(table, [9, 0, 1]), None)) is None
    assert LearntFrom.of(Datasets(with_keys(table, [9, 2, 9]), table)) is None


def test_it_is_packed_and_verified_with_the_model(models, tmp_path):
    saved = load_model(models / "mask")
    parts = (saved.settings, saved.heads, saved.pipeline, saved.metrics)
    save_model(tmp_path / "exp", load_file(models / "mask" / "model.safetensors"), *parts, learnt_from=SEEN)
    pack(tmp_path / "exp", tmp_path / "model.tar.gz")
    with opened_model(tmp_path / "model.tar.gz") as folder:
        assert read_learnt_from(folder).train.tolist() == SEEN.train.tolist()
    assert model_problem(tmp_path / "exp") is None
    (tmp_path / "exp" / LEARNT_FROM).write_bytes(b"damaged")
    assert "learnt_from.npz is not a NumPy archive" in model_problem(tmp_path / "exp")
    (tmp_path / "exp" / LEARNT_FROM).unlink()  # as of an earlier version
    assert model_problem(tmp_path / "exp") is None
