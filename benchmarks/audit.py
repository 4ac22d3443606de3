"""Coverage of the intervals of an audit: the share of simulated audits whose interval contains the true number of wrong
labels. docs/exploration.md has the results.

    nice python -m benchmarks.audit --audits 1000

A channel has groups of seven images and two attributes: `gender`, whose wrong labels are wrong in all images of a
group, and `mask`, with two wrong images in each wrong group, as if swapped. A random sample of groups is reviewed.
Before that, a review of suspects has seen some groups; its quality is the share of the wrong groups that are among
them.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.command_line import run
from model.attributes import Attribute
from model.cleaning.audit import Audit, draw_sample
from model.cleaning.verdicts import NOT_REVIEWED, RIGHT, WRONG, Verdicts
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.images.image_location import ImageLocation
from model.labels import Scheme
from model.metrics.finite_population import Estimate
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
IMAGES = 7  # of a group
SWAPPED = 2  # wrong images of a group with a wrong mask
ESTIMATES = ("groups", "images", "swapped images", "unseen", "unseen images", "unseen in all")


@dataclass(frozen=True)
class AuditSettings:
    audits: int = setting(1000, "simulated audits per scenario", low=1, section="Simulation")
    sampled: int = setting(100, "groups in the sample of an audit", low=1)
    populations: list[int] = setting([150, 700, 20_000], "numbers of groups of the channel")
    rates: list[float] = setting([0.0, 0.005, 0.02, 0.09, 0.3], "shares of groups that have a wrong label")
    reviewed: float = setting(0.2, "share of the groups that the review of suspects has seen", low=0, high=1)
    qualities: list[float] = setting([0.2, 0.8, 0.95], "shares of the wrong groups that are among these")
    seed: int = setting(0, "random seed", low=0)


@dataclass(frozen=True)
class Scenario:
    """A channel and a review of it.

    Attributes:
        groups: Number of groups.
        rate: Share of groups that have a wrong label, of each attribute.
        quality: Share of the wrong groups that the review of suspects has seen.
        reviewed: Share of all groups that it has seen.
    """

    groups: int
    rate: float
    quality: float
    reviewed: float


def table_of(groups: int) -> Table:
    """A channel of groups of IMAGES images; their labels do not matter."""
    names = np.repeat([f"group{number:06d}" for number in range(groups)], IMAGES)
    scheme = Scheme((Attribute("gender", ("male", "female")), Attribute("mask", ("worn", "none"))))
    gender, mask = np.zeros(len(names), np.int64), np.arange(len(names)) % 2
    labels = pd.DataFrame({"gender": gender, "mask": mask})
    locations = ImageLocations(ImageLocation(f"{name}/{row % IMAGES}.jpg") for row, name in enumerate(names))
    return Table(Path(), scheme, locations, names, "person", labels, pd.DataFrame(), pd.DataFrame(), "simulated")


def simulate(audit: Audit, scenario: Scenario, generator: np.random.Generator) -> dict[str, tuple[Estimate, float]]:
    """Draws wrong labels and suspects, audits, and returns each estimate with the true value.

    Args:
        audit: The audit of the channel with its sample.
        scenario: Rates and quality.
        generator: Source of random numbers.
    """
    groups = scenario.groups
    is_wrong = np.zeros((groups, IMAGES, 2), dtype=bool)
    census = np.zeros((groups, 2), dtype=bool)
    for column, images in enumerate((IMAGES, SWAPPED)):
        wrong = generator.permutation(groups)[: round(scenario.rate * groups)]
        is_wrong[wrong, :images, column] = True
        # suspects: that share of the wrong groups, then groups that are right
        found = wrong[: round(scenario.quality * len(wrong))]
        others = generator.permutation(np.setdiff1d(np.arange(groups), wrong))
        fill = max(round(scenario.reviewed * groups) - len(found), 0)
        census[np.concatenate([found, others[:fill]]), column] = True
    rows = is_wrong.reshape(-1, 2)
    seen = np.repeat(census, IMAGES, axis=0)
    in_audit = np.repeat(np.isin(np.arange(groups), audit.positions), IMAGES)
    known = seen | in_audit[:, None]
    status = np.where(known, np.where(rows, WRONG, RIGHT), NOT_REVIEWED).astype(np.int8)
    result = audit.estimate(Verdicts(status, seen, np.repeat(in_audit[:, None], 2, axis=1), in_audit))
    gender, mask = result.attributes["gender"], result.attributes["mask"]
    unseen = rows & ~known
    unseen_groups = unseen[:, 0].reshape(groups, IMAGES).any(axis=1).sum()
    return {
        "groups": (gender.group_rate, rows[:, 0].mean()),
        "images": (gender.image_rate, rows[:, 0].mean()),
        "swapped images": (mask.image_rate, rows[:, 1].mean()),
        "unseen": (gender.unseen, float(unseen_groups)),
        "unseen images": (mask.unseen, float(unseen[:, 1].sum())),
        "unseen in all": (result.unseen, float(unseen_groups + unseen[:, 1].sum())),
    }


def coverage(scenario: Scenario, audits: int, sampled: int, seed: int) -> dict[str, tuple[float, float]]:
    """By estimate, the share of audits whose interval contains the truth, and the mean width of the intervals.

    Args:
        scenario: The channel and its review.
        audits: Number of audits.
        sampled: Groups of each sample.
        seed: Random seed.
    """
    generator, audit = np.random.default_rng(seed), Audit(table_of(scenario.groups), [])
    names = audit.judge.group_names
    inside: dict[str, list[bool]] = {name: [] for name in ESTIMATES}
    widths: dict[str, list[float]] = {name: [] for name in ESTIMATES}
    for number in range(audits):
        sample = draw_sample(names, sampled, seed=seed * 1_000_003 + number)
        audit.positions = np.searchsorted(names, sample)
        for name, (estimate, truth) in simulate(audit, scenario, generator).items():
            inside[name].append(estimate.low - 1e-9 <= truth <= estimate.high + 1e-9)
            widths[name].append(estimate.high - estimate.low)
    return {name: (float(np.mean(inside[name])), float(np.mean(widths[name]))) for name in ESTIMATES}


def main(argv: Sequence[str]) -> int:
    settings = from_flags(AuditSettings, argv, USAGE)
    rows = []
    for groups, rate, quality in itertools.product(settings.populations, settings.rates, settings.qualities):
        scenario = Scenario(groups, rate, quality, settings.reviewed)
        results = coverage(scenario, settings.audits, min(settings.sampled, groups), settings.seed)
        texts = []
        for name, (share, width) in results.items():
            texts.append(f"{share:.3f} ({f'{width:.1f}' if 'unseen' in name else f'{100 * width:.1f} %'})")
        rows.append([f"{groups:,}", f"{rate:g}", f"{quality:g}", *texts])
        print(".", end="", file=sys.stderr, flush=True)
    print(f"\n{settings.audits:,} audits of {settings.sampled:,} groups per scenario; coverage (mean width)")
    print(text_table(["groups", "rate", "quality", *ESTIMATES], rows, right=range(9)))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
