"""Class biases for other class shares than those of the held-out images, such as those where the model is used.

If p is the probability of a class at its share s, it is proportional to p t / s at the share t (Saerens, Latinne and
Decaestecker 2002, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", equation 2.4). This needs
probabilities that are calibrated at the shares s; those of a model with a balanced sampler are not. So biases of the
maximum likelihood of the held-out labels are added first (Guo et al. 2017, section 4.2, vector scaling without scales).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from model.calibration.held_out import HeldOut
from model.calibration.temperature import negative_log_likelihood
from model.calibration.value_biases import ValueBiases
from model.errors import InputError, did_you_mean, listing
from model.labels import Scheme
from model.metrics.scores import Counts, divide

PSEUDO_COUNT = 0.5  # images added to each class, so that a class without held-out images has a share
SPREAD = 1.0  # standard deviation of the normal prior of a bias, in units of log probability


def likelihood_biases(held_out: HeldOut, temperature: float) -> NDArray[np.float64]:
    """The biases of the joint classes, float64 (C,), that make the true classes most likely; shrunk towards 0 as by a
    normal prior of which each group is an observation.

    Args:
        held_out: The predictions.
        temperature: Divides the log probabilities.
    """
    structure, truth = ValueBiases(held_out.scheme), held_out.truth
    scores = held_out.log_probabilities / temperature
    weight = 1 / (max(held_out.num_groups, 1) * SPREAD**2)
    targets = np.eye(scores.shape[1])[truth]

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        shifted = scores + structure.of_classes(values)
        gradient = structure.matrix.T @ (softmax(shifted, axis=1) - targets).mean(axis=0)
        total = negative_log_likelihood(shifted, truth) + weight / 2 * float(values @ values)
        return total, gradient + weight * values

    found = minimize(loss, np.zeros(len(structure.members)), jac=True, method="L-BFGS-B")
    return structure.of_classes(structure.centred(found.x))


def prior_biases(held_out: HeldOut, temperature: float, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The biases of the joint classes, float64 (C,), for these class shares.

    Args:
        held_out: The predictions.
        temperature: Divides the log probabilities.
        shares: float64 (C,), above 0, with sum 1.
    """
    counts = np.bincount(held_out.truth, minlength=len(shares)) + PSEUDO_COUNT
    return likelihood_biases(held_out, temperature) + np.log(shares) - np.log(counts / counts.sum())


def accuracy_at(counts: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Accuracy if the classes had these shares: the mean of recall weighted by them, over the classes with images.

    Args:
        counts: Counts of C classes, (..., C).
        shares: float64 (C,).
    """
    weights = np.where(counts.truth > 0, shares, 0.0)
    return np.asarray(divide((counts.recall * weights).sum(axis=-1), weights.sum(axis=-1)))


def read_shares(path: Path, scheme: Scheme) -> NDArray[np.float64]:
    """The shares of the joint classes, float64 (C,), with sum 1.

    Args:
        path: YAML or JSON: an object with a number above 0 for each class name, shares or counts.
        scheme: The scheme of the classes.

    Raises:
        InputError: Lists every problem: an unreadable file, unknown or missing classes, invalid numbers.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"shares {path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"shares {path}: expected an object with a number for each class, such as {{cat: 0.9, ...}}")
    known = {str(name): value for name, value in content.items()}
    problems = [
        f"{name!r} is not a class{did_you_mean(name, scheme.class_names)}"
        for name in known
        if name not in scheme.class_names
    ]
    missing = [name for name in scheme.class_names if name not in known]
    if missing:
        problems.append(f"no share of {listing(missing)}; for a class that hardly occurs, write a small number")
    for name in scheme.class_names:
        value = known.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            problems.append(f"{name}: {value!r}, expected a number above 0")
    if problems:
        raise InputError(f"shares {path}: " + "; ".join(problems))
    numbers = np.array([float(known[name]) for name in scheme.class_names])
    return numbers / numbers.sum()
