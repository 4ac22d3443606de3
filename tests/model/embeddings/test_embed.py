"""Features of a channel: computed once per content, read from the cache afterwards, resumed after an interruption."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.content_index import ContentIndex
from model.data.table import Table
from model.embeddings import embed
from model.embeddings.cache import KEYS, FeatureCache
from model.embeddings.embed import DESCRIPTION, Embeddings, embed_table
from model.embeddings.embedders import ThumbnailEmbedder
from model.errors import Failure
from model.settings.embedder import EmbedderSettings
from tests.model.embeddings.conftest import IMAGES, draw, read_table, row_of

ROOT = Path(__file__).resolve().parents[3]
THUMBNAILS = EmbedderSettings(model="thumbnail")


@pytest.fixture(autouse=True)
def computed_rows(monkeypatch) -> list[int]:
    """The rows whose images were decoded for features, in this order."""
    rows: list[int] = []
    real = ThumbnailEmbedder.of_batch

    def of_batch(self, batch):
        rows.extend([*batch.rows.tolist(), *batch.unreadable])
        return real(self, batch)

    monkeypatch.setattr(ThumbnailEmbedder, "of_batch", of_batch)
    return rows


def reference(table: Table, row: int, size: tuple[int, int] = (12, 12)) -> np.ndarray:
    """The thumbnail of an image, of length 1."""
    with Image.open(table.root / table.locations[row].path) as image:
        resized = image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, np.float64).ravel() / 255 - 0.5
    return pixels / np.linalg.norm(pixels)


def test_features_have_length_1_and_are_those_of_each_image(channel: Path, tmp_path: Path) -> None:
    table = read_table(channel)
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    assert embeddings.features.dtype == np.float16 and embeddings.name == "thumbnail, 12x12"
    expected = np.stack([reference(table, row) for row in range(IMAGES)])
    np.testing.assert_allclose(embeddings.features, expected, atol=2e-3)
    np.testing.assert_allclose(embeddings.normalised(), expected, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(embeddings.normalised(), axis=1), 1, atol=1e-6)
    assert embeddings.normalised().dtype == np.float32 and embeddings.readable().all()


def test_an_image_that_is_a_copy_of_another_is_computed_once(channel: Path, tmp_path: Path, computed_rows) -> None:
    table = read_table(channel)
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    original, copy = row_of(table, "a/0.png"), row_of(table, "a/4.png")
    assert sorted(computed_rows) == sorted(set(range(IMAGES)) - {max(original, copy)})
    assert embeddings.computed == IMAGES - 1
    assert (embeddings.features[original] == embeddings.features[copy]).all()


def test_images_in_the_cache_are_not_read_again(channel: Path, tmp_path: Path) -> None:
    """Without their files, and in another order."""
    table = read_table(channel)
    first = embed_table(table, THUMBNAILS, tmp_path)
    shutil.rmtree(channel)
    order = np.arange(IMAGES)[::-1]
    again = embed_table(table.take(order), THUMBNAILS, tmp_path)
    assert (again.features == first.features[order]).all()
    assert again.computed == 0 and again.folders == first.folders and again.name == first.name


def test_only_new_and_changed_contents_are_computed(channel: Path, tmp_path: Path, computed_rows) -> None:
    embed_table(read_table(channel), THUMBNAILS, tmp_path)
    computed_rows.clear()
    draw(channel / "b" / "3.png", 100)
    draw(channel / "b" / "new.png", 101)
    (channel / "a" / "2.png").rename(channel / "b" / "renamed.png")
    table = read_table(channel)
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    assert sorted(computed_rows) == sorted([row_of(table, "b/3.png"), row_of(table, "b/new.png")])
    for row in range(len(table)):
        np.testing.assert_allclose(embeddings.features[row], reference(table, row), atol=2e-3)


def test_a_file_that_changed_after_the_check_gets_no_features_of_the_old_content(channel: Path, tmp_path: Path) -> None:
    """And the cache no wrong ones: another table with the old key computes them from a file with this content."""
    table = read_table(channel)
    shutil.copytree(channel, tmp_path / "before")
    row = row_of(table, "b/1.png")
    draw(channel / "b" / "1.png", 100)
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    np.testing.assert_allclose(embeddings.features[row], reference(table, row), atol=2e-3)
    before = replace(table, root=tmp_path / "before")
    np.testing.assert_allclose(
        embed_table(before, THUMBNAILS, tmp_path).features[row], reference(before, row), atol=2e-3
    )


def test_if_the_first_of_two_copies_is_gone_the_second_is_read(channel: Path, tmp_path: Path) -> None:
    table = read_table(channel)
    rows = sorted([row_of(table, "a/0.png"), row_of(table, "a/4.png")])
    (channel / table.locations[rows[0]].path).unlink()
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    assert embeddings.readable().all()
    np.testing.assert_allclose(embeddings.features[rows[0]], reference(table, rows[1]), atol=2e-3)


@pytest.mark.parametrize("contents", ["none", "zeros"])
def test_unknown_contents_are_computed_while_reading(channel: Path, tmp_path: Path, contents: str) -> None:
    expected = embed_table(read_table(channel), THUMBNAILS, tmp_path / "known")
    table = read_table(channel, is_checked=False)
    if contents == "zeros":
        table = replace(table, contents=ContentIndex(np.zeros((IMAGES, 2), np.uint64), np.zeros(IMAGES, bool)))
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    assert (embeddings.features == expected.features).all()
    assert embed_table(read_table(channel), THUMBNAILS, tmp_path).computed == 0  # the keys are the same


def test_unreadable_images_have_nan_and_the_log_counts_them(channel: Path, tmp_path: Path, caplog) -> None:
    (channel / "a" / "2.png").write_bytes(b"no image")
    table = read_table(channel, is_checked=False)
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    bad = row_of(table, "a/2.png")
    assert np.flatnonzero(~embeddings.readable()).tolist() == [bad]
    assert np.isnan(embeddings.features[bad]).all() and not np.isnan(np.delete(embeddings.features, bad, 0)).any()
    assert (embeddings.normalised()[bad] == 0).all()
    assert "1 of 10 images are unreadable and have no features" in caplog.text


def test_the_parts_of_several_sizes_have_length_1_each(channel: Path, tmp_path: Path, computed_rows) -> None:
    table = read_table(channel)
    both = embed_table(table, replace(THUMBNAILS, sizes=[4, 12], input_size=[2, 1]), tmp_path)
    assert both.name == "thumbnail, 4x2, 12x6" and both.features.shape == (IMAGES, 24 + 216)
    for row in range(IMAGES):
        np.testing.assert_allclose(both.features[row, :24], reference(table, row, (4, 2)), atol=2e-3)
        np.testing.assert_allclose(both.features[row, 24:], reference(table, row, (12, 6)), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(both.normalised(), axis=1), 1, atol=1e-6)
    # each size has its own cache, which other combinations share
    computed_rows.clear()
    one = embed_table(table, replace(THUMBNAILS, input_size=[12, 6]), tmp_path)
    assert (one.features == both.features[:, 24:]).all() and not computed_rows


def test_other_sizes_do_not_share_features(channel: Path, tmp_path: Path) -> None:
    table = read_table(channel)
    one, other = (embed_table(table, replace(THUMBNAILS, input_size=size), tmp_path) for size in ([8, 4], [4, 8]))
    assert one.folders != other.folders and other.computed == IMAGES - 1
    assert not (one.features == other.features).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_keeps_what_it_computed(
    channel: Path, tmp_path: Path, monkeypatch, computed_rows, error
) -> None:
    table = read_table(channel)
    real = ThumbnailEmbedder.__call__

    def interrupted(self, inputs):
        if len(computed_rows) > 6:
            raise error
        return real(self, inputs)

    monkeypatch.setattr(ThumbnailEmbedder, "__call__", interrupted)
    with pytest.raises(error):
        embed_table(table, THUMBNAILS, tmp_path, batch_size=2, workers=0)
    monkeypatch.setattr(ThumbnailEmbedder, "__call__", real)
    kept = set(computed_rows[:6])
    computed_rows.clear()
    embeddings = embed_table(table, THUMBNAILS, tmp_path)
    assert not kept & set(computed_rows) and embeddings.computed == IMAGES - 1 - len(kept)
    assert embeddings.readable().all()


def test_a_killed_process_loses_at_most_its_last_chunk(channel: Path, tmp_path: Path) -> None:
    """It is killed by SIGKILL in the third of its batches, of which each is a chunk."""
    script = (
        "import os, signal\nfrom pathlib import Path\nfrom model.embeddings import embed\n"
        "from tests.model.embeddings.conftest import read_table\nembed.CHUNK_IMAGES = 2\n"
        "real = embed.FeatureCache.write\ncount = []\n"
        "def write(*args):\n    count.append(1)\n    if len(count) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(*args)\n"
        "embed.FeatureCache.write = write\n"
        f"embed.embed_table(read_table(Path({str(channel)!r})), embed.EmbedderSettings(model='thumbnail'),"
        f" Path({str(tmp_path)!r}), batch_size=2, workers=1)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == -signal.SIGKILL
    embeddings = embed_table(read_table(channel), THUMBNAILS, tmp_path)
    assert embeddings.computed == IMAGES - 1 - 4 and embeddings.readable().all()


def test_chunks_are_written_by_number_and_by_time(channel: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(embed, "CHUNK_IMAGES", 4)
    (folder,) = embed_table(read_table(channel), THUMBNAILS, tmp_path / "a", batch_size=1, workers=0).folders
    assert sorted(len(np.load(path)) for path in folder.glob(f"*{KEYS}")) == [1, 4, 4]
    monkeypatch.setattr(embed, "CHUNK_IMAGES", 1000)
    monkeypatch.setattr(embed, "CHUNK_SECONDS", -1.0)
    (folder,) = embed_table(read_table(channel), THUMBNAILS, tmp_path / "b", batch_size=3, workers=0).folders
    assert [len(np.load(path)) for path in folder.glob(f"*{KEYS}")] == [3, 3, 3]


def test_a_full_disk_is_an_error_that_says_so_and_keeps_what_was_written(
    channel: Path, tmp_path: Path, monkeypatch
) -> None:
    real, writes = FeatureCache.write, []

    def full(self, keys, features) -> None:
        writes.append(len(keys))
        if len(writes) > 1:
            raise OSError(28, "No space left on device")
        real(self, keys, features)

    monkeypatch.setattr(FeatureCache, "write", full)
    monkeypatch.setattr(embed, "CHUNK_IMAGES", 4)
    with pytest.raises(Failure, match=r"No space left on device; .*\(--cache DIR\)"):
        embed_table(read_table(channel), THUMBNAILS, tmp_path, batch_size=4, workers=0)
    assert writes == [4, 4]
    monkeypatch.undo()
    assert embed_table(read_table(channel), THUMBNAILS, tmp_path).computed == IMAGES - 1 - 4


def test_a_cache_that_cannot_be_written_is_an_error_before_anything_is_computed(
    channel: Path, tmp_path: Path, computed_rows
) -> None:
    (tmp_path / "embeddings").write_text("a file")
    with pytest.raises(Failure, match="cannot write the cache of features"):
        embed_table(read_table(channel), THUMBNAILS, tmp_path)
    assert not computed_rows


def test_the_description_is_for_people(channel: Path, tmp_path: Path) -> None:
    (folder,) = embed_table(read_table(channel), THUMBNAILS, tmp_path).folders
    description = json.loads((folder / DESCRIPTION).read_text())
    assert description.pop("created").endswith("+00:00")
    assert description.pop("depends_on")["preprocessing"]["fit"] == "stretch"
    assert description == {"model": "thumbnail", "size": "12x12", "features": 432, "weights": ""}


def test_a_lost_folder_is_computed_again_though_its_request_is_remembered(channel: Path, tmp_path: Path) -> None:
    table = read_table(channel)
    (folder,) = embed_table(table, THUMBNAILS, tmp_path).folders
    shutil.rmtree(folder)
    assert embed_table(table, THUMBNAILS, tmp_path).computed == IMAGES - 1


def test_features_of_the_cache_need_no_embedder(channel: Path, tmp_path: Path, monkeypatch) -> None:
    table = read_table(channel)
    embed_table(table, THUMBNAILS, tmp_path)
    monkeypatch.delattr(embed, "make_embedders")
    assert embed_table(table, THUMBNAILS, tmp_path).readable().all()


def test_large_results_are_memory_mapped(channel: Path, tmp_path: Path, monkeypatch) -> None:
    table = read_table(channel)
    expected = embed_table(table, THUMBNAILS, tmp_path)
    monkeypatch.setattr(embed, "MAX_IN_MEMORY", 10)
    monkeypatch.setattr(embed, "BLOCK", 3)
    mapped = embed_table(table, THUMBNAILS, tmp_path)
    assert isinstance(mapped.features, np.memmap) and (mapped.features == expected.features).all()
    names = {path.name for path in (tmp_path / "embeddings").iterdir()}
    assert names == {expected.folders[0].name, "requests"}  # the file has no name


def test_progress_is_logged(channel: Path, tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(embed, "PROGRESS_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "rarebird"):
        embed_table(read_table(channel), THUMBNAILS, tmp_path, batch_size=4)
    assert "thumbnail, 12x12: 8 of 9 images," in caplog.text


def test_what_killed_processes_left_is_removed_when_features_are_added(channel: Path, tmp_path: Path) -> None:
    table = read_table(channel)
    (folder,) = embed_table(table.take([0, 1]), THUMBNAILS, tmp_path).folders
    stale = folder / f".half{KEYS}.1.part"
    stale.touch()
    os.utime(stale, (1e9, 1e9))
    assert embed_table(table, THUMBNAILS, tmp_path).computed == IMAGES - 1 - 2
    assert not stale.exists()


def test_another_process_may_add_features_in_between(channel: Path, tmp_path: Path, monkeypatch) -> None:
    table, real, nested = read_table(channel), ThumbnailEmbedder.__call__, []

    def with_another(self, inputs):
        if not nested:
            nested.append(None)
            nested[0] = embed_table(table, THUMBNAILS, tmp_path)
        return real(self, inputs)

    monkeypatch.setattr(ThumbnailEmbedder, "__call__", with_another)
    embeddings = embed_table(table, THUMBNAILS, tmp_path, workers=0)
    assert (embeddings.features == nested[0].features).all()


def test_a_table_without_images_has_no_features(channel: Path, tmp_path: Path) -> None:
    embeddings = embed_table(read_table(channel).take([]), THUMBNAILS, tmp_path)
    assert embeddings.features.shape == (0, 432) and embeddings.normalised().shape == (0, 432)


def test_normalised_gives_parts_of_several_sizes_the_same_weight() -> None:
    features = np.array([[1, 0, 0, 1], [np.nan] * 4, [0, 0, 0, 0]], np.float16)
    expected = np.array([[0.5**0.5, 0, 0, 0.5**0.5], [0] * 4, [0] * 4], np.float32)
    np.testing.assert_allclose(Embeddings(features, "").normalised(), expected)
    assert Embeddings(features, "").readable().tolist() == [True, False, True]
