"""Simulated channels: features around a mean per class, and labels some of which are wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.attributes import Attribute
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.images.image_location import ImageLocation
from model.labels import Scheme


@dataclass(frozen=True)
class Simulated:
    """A channel with known errors.

    wrong: bool (n,) by attribute, whether the label of each row is wrong.
    """

    table: Table
    features: np.ndarray
    wrong: dict[str, np.ndarray]


def make_table(
    columns: dict[str, Sequence[int]], groups: Sequence[str], numbers: dict[str, Sequence[float]] | None = None
) -> Table:
    """A table with values v0, v1, ... of each attribute; attributes with numbers have a cut at 50."""
    numbers = numbers or {}
    attributes = []
    for name, codes in columns.items():
        if name in numbers:
            attributes.append(Attribute(name, ("low", "high"), cuts=(50,)))
        else:
            values = tuple(f"v{code}" for code in range(max(2, max(codes, default=0) + 1)))
            attributes.append(Attribute(name, values, optional=min(codes) < 0))
    n = len(groups)
    names = [f"images/{group}/{row:05d}.jpg" for row, group in enumerate(groups)]
    return Table(
        root=Path("channel"),
        scheme=Scheme(tuple(attributes)),
        locations=ImageLocations(ImageLocation(name) for name in names),
        groups=np.array(groups, dtype=str),
        grouped_by="person",
        labels=pd.DataFrame({name: np.array(codes, np.int64) for name, codes in columns.items()}),
        numbers=pd.DataFrame({name: np.array(values, float) for name, values in numbers.items()}, index=range(n)),
        metadata=pd.DataFrame(index=range(n)),
        source="simulated",
    )


def simulate(
    persons: int = 150, images: int = 4, flipped: float = 0.1, seed: int = 0, dimensions: int = 24
) -> Simulated:
    """Persons with a gender (constant; some flipped for all images), a pose (one per image; in some persons exchanged
    between two images) and an age (some off by 30 or more)."""
    generator = np.random.default_rng(seed)
    gender, age = generator.integers(0, 2, persons), generator.uniform(20, 80, persons)
    person = np.repeat(np.arange(persons), images)
    pose = np.tile(np.arange(images) % 3, persons)
    axes = np.linalg.qr(generator.normal(size=(dimensions, dimensions)))[0]
    features = (
        generator.normal(0, 0.12, (len(person), dimensions)) + generator.normal(0, 0.1, (persons, dimensions))[person]
    )
    features += np.outer(gender[person] - 0.5, axes[0]) + 1.2 * axes[1:4][pose]
    features += np.outer((age[person] - 50) / 30, axes[4])
    count = int(flipped * persons)
    chosen = generator.permutation(persons)
    flips, exchanges, aged = chosen[:count], chosen[count : 2 * count], chosen[2 * count : 2 * count + count]
    given_gender, given_age, given_pose = gender.copy(), np.round(age), pose.copy()
    given_gender[flips] = 1 - given_gender[flips]
    given_age[aged] = np.where(age[aged] > 50, np.round(age[aged]) - 30, np.round(age[aged]) + 30)
    for one in exchanges:
        first, second = one * images, one * images + 1
        given_pose[[first, second]] = given_pose[[second, first]]
    columns = {"gender": given_gender[person], "pose": given_pose, "age": (given_age >= 50).astype(int)[person]}
    table = make_table(columns, [f"p{one:04d}" for one in person], {"age": given_age[person]})
    wrong = {
        "gender": np.isin(person, flips),
        "pose": given_pose != pose,
        "age": np.isin(person, aged),
    }
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return Simulated(table, features.astype(np.float32), wrong)


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    return simulate()


@pytest.fixture(scope="session")
def table_of() -> Callable[..., Table]:
    return make_table
