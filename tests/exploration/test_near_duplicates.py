"""Near-duplicates of single images; recall and precision: tests/benchmarks/test_near_duplicates.py."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exploration import image_signatures as signatures_module
from exploration import near_duplicates as module
from exploration.altered_copies import CHANGES, altered_copy
from exploration.image_signatures import Signatures, image_signatures, perceptual_hash
from exploration.near_duplicates import near_duplicates
from model.data.channel import ChannelOptions, read_channel
from model.data.table import Table
from model.errors import Problems


@dataclass
class Features:
    features: np.ndarray


def read(channel: Path, contents: bool = False) -> Table:
    from exploration.channels import ExploredChannel, read_labelled

    if contents:
        return read_labelled(ExploredChannel(cache=str(channel.parent / "cache")), channel)
    table = read_channel(channel, Problems(""), ChannelOptions())
    assert table is not None
    return table


@pytest.fixture
def channel(faces: Path, tmp_path: Path) -> Path:
    """Six persons with seven images each."""
    for folder in sorted((faces / "train" / "images").iterdir())[:6]:
        shutil.copytree(folder, tmp_path / "channel" / "images" / folder.name)
    return tmp_path / "channel"


def images_of(channel: Path, person: int) -> list[Path]:
    return sorted(sorted((channel / "images").iterdir())[person].iterdir())


def test_persons_images_are_no_duplicates(channel: Path) -> None:
    assert near_duplicates(read(channel), None, workers=1) == []


def test_equal_files_are_found_in_a_group_and_across_groups(channel: Path) -> None:
    first, others = images_of(channel, 0), images_of(channel, 3)
    others[1].unlink()
    shutil.copy(first[0], others[1].with_suffix(first[0].suffix))
    others[2].unlink()
    shutil.copy(others[0], others[2].with_suffix(others[0].suffix))
    table = read(channel, contents=True)
    across, inside = near_duplicates(table, None, workers=1)
    assert across.across_groups and across.is_equal and across.distance == 0 and across.labels_differ
    paths = table.locations.paths
    assert {paths[row].split("/")[1] for row in across.rows} == {first[0].parent.name, others[0].parent.name}
    assert inside.is_equal and not inside.across_groups and not inside.across_splits
    # without hashes of the contents, the same pairs are found by their pixels
    found = {pair.rows for pair in near_duplicates(read(channel), None, workers=1)}
    assert found == {across.rows, inside.rows}


def test_embeddings_give_candidates_and_the_similarity(channel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = images_of(channel, 1)[0], images_of(channel, 4)[0]
    with Image.open(source) as image:
        copy = altered_copy(image.convert("RGB"), ("flipped", "cropped"), np.random.default_rng(0))
    target.unlink()
    target.with_suffix(".jpg").write_bytes(copy)
    table = read(channel)
    paths = table.locations.paths
    rows = sorted(next(row for row, path in enumerate(paths) if path.endswith(str(own.relative_to(channel))))
                  for own in (source, target.with_suffix(".jpg")))  # fmt: skip
    for name in ("_similar", "_equal_hashes"):  # only embeddings find candidates
        monkeypatch.setattr(module, name, lambda *_: iter(()))
    features = np.random.default_rng(1).standard_normal((len(table), 256)).astype(np.float16)
    assert near_duplicates(table, Features(features), workers=1) == []
    features[rows[1]] = 2 * features[rows[0]]
    features[0] = np.nan
    (pair,) = near_duplicates(table, Features(features), workers=1)
    assert list(pair.rows) == rows and pair.is_flipped and pair.similarity == pytest.approx(1, abs=1e-3)


def test_neighbours_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "LEAST_COSINE", 0.05)
    rng = np.random.default_rng(0)
    features, groups = rng.standard_normal((150, 12)).astype(np.float32), rng.integers(40, size=150)
    is_known = rng.random(150) > 0.1
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit.T
    cosines[(groups[:, None] == groups) | ~is_known | ~is_known[:, None]] = -2
    expected = {
        (row, int(other))
        for row in range(150)
        for other in np.argsort(-cosines[row])[: module.NEIGHBOURS]
        if cosines[row, other] >= 0.05
    }
    own = module._Unit(features)
    found = np.concatenate(list(module._neighbours(own, own, groups, is_known)))
    assert {(int(a), int(b)) for a, b in found} == expected and len(found) == len(expected)


def test_signatures_are_cached_by_content(channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read(channel, contents=True)
    fresh = image_signatures(table, tmp_path / "cache", workers=2)
    assert fresh.is_known.all() and fresh.thumbnails.std() > 10
    monkeypatch.setattr(signatures_module, "signature_of", lambda _: pytest.fail("an image was read again"))
    cached = image_signatures(table, tmp_path / "cache", workers=1)
    assert (cached.thumbnails == fresh.thumbnails).all() and (cached.hashes == fresh.hashes).all()


def test_the_second_hash_is_that_of_the_mirror_image(channel: Path) -> None:
    path = images_of(channel, 0)[0]
    signatures = image_signatures(read(channel).take([0]), workers=1)
    with Image.open(path) as image:
        grey = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    mirror_image = grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    own, mirrored = (int("".join("01"[int(bit)] for bit in perceptual_hash(i)), 2) for i in (grey, mirror_image))
    assert [own, mirrored] == signatures.hashes[0].tolist() and own != mirrored


def test_unreadable_images_are_left_out(channel: Path) -> None:
    images_of(channel, 2)[0].write_bytes(b"not an image")
    table = read(channel)
    assert image_signatures(table, workers=1).is_known.sum() == len(table) - 1
    assert near_duplicates(table, None, workers=1) == []


@pytest.mark.parametrize("changes", CHANGES)
def test_copies_are_altered_as_they_say(changes: tuple[str, ...]) -> None:
    import io

    image = Image.linear_gradient("L").resize((100, 80)).rotate(90, expand=True).convert("RGB")
    image = image.resize((100, 80))
    with Image.open(io.BytesIO(altered_copy(image, changes, np.random.default_rng(3)))) as copy:
        ratio = copy.width / 100
        pixels = np.asarray(copy.convert("L"), dtype=float)
    assert (ratio < 0.9 or ratio > 1.05) == ("resized" in changes)
    assert (copy.size == (100, 80)) == (not {"cropped", "resized"} & set(changes))
    is_mirrored = (pixels[:, 0].mean() > pixels[:, -1].mean()) != (
        np.asarray(image)[0, 0, 0] > np.asarray(image)[0, -1, 0]
    )
    assert is_mirrored == ("flipped" in changes)


def test_mirror_images_are_candidates_by_their_thumbnails() -> None:
    pixels = np.random.default_rng(0).integers(256, size=(30, 24, 24, 3)).astype(np.uint8)
    pixels[21] = pixels[4, :, ::-1]
    pixels[25] = pixels[9]
    signatures = Signatures(pixels, np.zeros((30, 2), np.uint64), np.ones(30, bool))
    found = np.concatenate(list(module._similar(signatures, np.arange(30))))
    assert sorted(map(tuple, found.tolist())) == [(4, 21, 1), (9, 25, 0), (21, 4, 1), (25, 9, 0)]
