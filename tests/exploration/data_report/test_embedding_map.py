from __future__ import annotations

import numpy as np
import pytest

from exploration.data_report.embedding_map import (
    make_map,
    nearest_neighbours,
    principal_components,
    repulsion,
    sample,
    tsne,
)


def blobs(count: int, classes: int = 5, dimensions: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around `classes` centres, and the centre of each."""
    generator = np.random.default_rng(0)
    own = generator.integers(classes, size=count)
    points = generator.normal(size=(classes, dimensions))[own] + 0.3 * generator.normal(size=(count, dimensions))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), own


@pytest.mark.parametrize(("extent", "tolerance"), [(0.01, 1e-6), (1.0, 0.01), (5.0, 0.02)])
def test_the_repulsion_is_that_of_all_pairs(extent, tolerance):
    positions = np.random.default_rng(1).normal(0, extent, (400, 2))
    between = positions[:, None] - positions[None]
    weights = 1 / (1 + (between**2).sum(axis=2))
    np.fill_diagonal(weights, 0)
    expected = (weights[:, :, None] ** 2 * between).sum(axis=1) / weights.sum()
    assert np.abs(repulsion(positions) - expected).max() < tolerance * np.abs(expected).max()


def test_neighbours_are_those_of_all_distances():
    points, _ = blobs(1500, dimensions=6)  # more than one block
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    found = nearest_neighbours(points, 7)
    assert np.array_equal(np.sort(found, axis=1), np.sort(np.argsort(distances, axis=1)[:, :7], axis=1))
    assert (np.diff(np.take_along_axis(distances, found, axis=1), axis=1) >= -1e-5).all()


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
def test_principal_components_are_those_of_scikit_learn(shape):
    from sklearn.decomposition import PCA

    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected, found = PCA(5).fit_transform(features), principal_components(features, 5)
    assert np.allclose(np.abs(found), np.abs(expected), atol=1e-3)
    assert (found[np.abs(found).argmax(axis=0), range(5)] > 0).all()


def test_similar_images_are_together_and_keep_their_neighbours():
    from sklearn.manifold import trustworthiness

    features, own = blobs(500)
    found = make_map(features, own, 1000)
    assert found.rows.tolist() == list(range(500)) and found.positions.shape == (500, 2)
    assert found.positions.min() == 0 and found.positions.max() == 1
    near = nearest_neighbours(found.positions, 10)
    assert (own[near] == own[:, None]).mean() > 0.99
    # scikit-learn's TSNE with its defaults has 0.961
    assert trustworthiness(features, found.positions) > 0.95


def test_the_map_is_the_same_each_time_and_leaves_out_images_without_embedding():
    features, own = blobs(300)
    features[7] = 0
    first, second = (make_map(features, own, 200, seed=4) for _ in range(2))
    assert np.array_equal(first.positions, second.positions) and np.array_equal(first.rows, second.rows)
    assert 7 not in first.rows and len(first.rows) <= 200
    assert not np.array_equal(first.rows, make_map(features, own, 200, seed=5).rows)


def test_a_sample_keeps_all_images_of_small_classes():
    classes = np.repeat([-1, 0, 1, 2], [500, 20, 3, 900])
    rows = np.arange(len(classes))
    taken = sample(classes, rows, 300, 0)
    counts = {code: int((classes[taken] == code).sum()) for code in (-1, 0, 1, 2)}
    assert counts == {-1: 138, 0: 20, 1: 3, 2: 138} and (np.diff(taken) > 0).all()
    assert np.array_equal(sample(classes, rows, 1423, 0), rows)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 12, 60])
@pytest.mark.parametrize("equal", [True, False])
def test_few_and_equal_images_have_finite_positions(count, equal):
    features = np.ones((count, 8), np.float32) if equal else blobs(count, dimensions=8)[0]
    found = make_map(features, np.zeros(count, int), 100)
    assert found.positions.shape == (count, 2) and np.isfinite(found.positions).all()
    assert found.neighbours.shape[0] == count
    # different images are at different positions
    assert equal or len(np.unique(found.positions, axis=0)) == count


@pytest.mark.parametrize("count", [36, 60, 150])
def test_the_extent_of_a_small_map_is_moderate(count):
    features, _ = blobs(count)
    reduced = principal_components(features, 50)
    positions = tsne(reduced[:, :2].astype(np.float64), nearest_neighbours(reduced, count // 12))
    assert 1 < np.ptp(positions, axis=0).max() < 100
