"""Biases for other class shares."""

import json

import numpy as np
import pytest

from model.attributes import Attribute
from model.calibration.prior_correction import accuracy_at, likelihood_biases, prior_biases, read_shares
from model.decisions import Decision
from model.errors import InputError
from model.labels import Scheme
from model.metrics.scores import Counts

KINDS = Scheme((Attribute("kind", ("cat", "dog", "owl")),))


def test_biases_that_were_added_to_calibrated_probabilities_are_found(make_held_out):
    added = np.array([0.0, -1.5, 1.0])
    held_out = make_held_out(groups=4000, biases=tuple(added))
    found = likelihood_biases(held_out, 1.0)
    np.testing.assert_allclose(found - found.mean(), added.mean() - added, atol=0.12)


def test_calibrated_probabilities_get_the_log_ratios_of_the_shares(make_held_out):
    """Saerens, Latinne and Decaestecker 2002, equation 2.4."""
    held_out = make_held_out(groups=4000)
    shares = np.array([0.2, 0.2, 0.6])
    found = prior_biases(held_out, 1.0, shares)
    expected = np.log(shares / np.bincount(held_out.truth) * len(held_out))
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=0.12)


def test_it_is_more_accurate_on_images_with_these_shares(make_held_out):
    shares = np.array([0.1, 0.2, 0.7])
    held_out = make_held_out(groups=1000, signal=1.0, biases=(0, 1, 0))
    biases = prior_biases(held_out, 1.0, shares)
    # images of the other shares; the model's probabilities are those for its own ones
    other = make_held_out(groups=3000, signal=1.0, shares=tuple(shares))
    log_probabilities = np.log(other.probabilities) - np.log(shares) + np.log([0.7, 0.2, 0.1]) + np.array([0, 1, 0])
    probabilities = np.exp(log_probabilities) / np.exp(log_probabilities).sum(1, keepdims=True)
    right = [(one.classes(probabilities) == other.truth).mean() for one in (Decision(1.0, tuple(biases)), Decision())]
    assert right[0] > right[1] + 0.1
    best = (other.probabilities.argmax(1) == other.truth).mean()  # with the probabilities for these shares
    assert right[0] > best - 0.02


def test_the_accuracy_is_that_of_images_drawn_with_the_shares():
    counts = Counts.from_answers(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]), 3)
    assert float(accuracy_at(counts, np.array([0.5, 0.25, 0.25]))) == pytest.approx((0.5 * 0.75 + 0.25) / 0.75)


def test_shares_are_read_from_json_and_yaml_as_counts_or_shares(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"cat": 6, "dog": 3, "owl": 1}))
    (tmp_path / "a.yaml").write_text("owl: 0.1\ncat: 0.6\ndog: 0.3\n")
    for name in ("a.json", "a.yaml"):
        np.testing.assert_allclose(read_shares(tmp_path / name, KINDS), [0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("cat: 1\ndogs: 1\nowl: 0", ["'dogs' is not a class", "dog", "no share of dog", "owl: 0, expected"]),
        ("- 1\n- 2", ["expected an object"]),
        ("{", ["cannot be read"]),
        ("cat: yes\ndog: 1\nowl: .inf", ["cat: True, expected a number above 0", "owl: inf"]),
    ],
)
def test_all_problems_of_shares_are_named(tmp_path, text, sentences):
    (tmp_path / "shares.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_shares(tmp_path / "shares.yaml", KINDS)
    assert all(sentence in str(error.value) for sentence in [*sentences, "shares.yaml"])
