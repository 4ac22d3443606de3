"""The linear probe against scikit-learn."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from model.cleaning import probe
from model.cleaning.probe import FLOOR, centred, grouped_folds, out_of_fold_probe


def data(seed: int = 0, n: int = 120, classes: int = 3):
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, classes, n)
    features = generator.normal(size=(n, 6)) + 1.5 * np.eye(6)[codes]
    return centred(features.astype(np.float32)), codes, np.arange(n) // 4


def test_probabilities_are_those_of_models_without_the_fold():
    features, codes, groups = data()
    folds = grouped_folds(groups, codes, 5, 0)
    found = out_of_fold_probe(features, codes, folds, 3)
    expected = []
    for strength in probe.STRENGTHS:
        result = np.zeros((len(codes), 3))
        for fold in range(5):
            fitted = LogisticRegression(C=strength, max_iter=200).fit(features[folds != fold], codes[folds != fold])
            result[folds == fold] = fitted.predict_proba(features[folds == fold])
        expected.append(result)
    losses = [-np.log(result[np.arange(len(codes)), codes]).mean() for result in expected]
    np.testing.assert_allclose(found, expected[int(np.argmin(losses))], atol=1e-3)


def test_no_group_is_divided_and_few_groups_make_fewer_folds():
    _, codes, groups = data()
    folds = grouped_folds(groups, codes, 5, 0)
    assert all(len(np.unique(folds[groups == group])) == 1 for group in np.unique(groups)) and folds.max() == 4
    assert set(grouped_folds(np.array([0, 0, 1]), np.array([0, 1, 0]), 5, 0)) == {0, 1}


def test_a_class_that_the_other_folds_do_not_have_keeps_its_share():
    features, codes, groups = data(classes=2)
    codes[groups == 3] = 2  # one group only
    found = out_of_fold_probe(features, codes, grouped_folds(groups, codes, 4, 0), 3)
    np.testing.assert_allclose(found[groups == 3, 2], (codes == 2).mean(), rtol=1e-3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.min() >= FLOOR * 0.9


def test_centred_features_have_length_one_and_unreadable_ones_stay_zero():
    features = np.random.default_rng(0).normal(3, 1, (10, 4)).astype(np.float32)
    features[4] = 0
    found = centred(features)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1] * 4 + [0] + [1] * 5, atol=1e-6)
    known = np.arange(10) != 4
    direction = (features[known] - features[known].mean(axis=0))[0]
    np.testing.assert_allclose(found[0], direction / np.linalg.norm(direction), atol=1e-5)


def test_the_sample_of_a_large_channel_gives_similar_probabilities(monkeypatch):
    features, codes, groups = data(n=400)
    folds = grouped_folds(groups, codes, 4, 0)
    whole = out_of_fold_probe(features, codes, folds, 3)
    monkeypatch.setattr(probe, "SAMPLE", 200)
    sampled = out_of_fold_probe(features, codes, folds, 3)
    assert (whole.argmax(axis=1) == sampled.argmax(axis=1)).mean() > 0.9
