"""The result of a search, as text for the terminal and as a policy file: YAML with the augmentation and all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from model.atomic_write import write_text
from model.metrics.bootstrap import Interval
from model.runtime.terminal import text_table
from model.settings.fields import value_text
from model.settings.policy_file import POLICY
from model.training.search.candidates import CURRENT
from model.training.search.trials import Policy, Trial

WIDTH = 120  # characters of a line of the file


@dataclass
class Result:
    """The state of a search.

    Attributes:
        criterion: Name of the score of the trials (best_criterion).
        policies: The candidates by name.
        trials: All finished trainings, in order.
        ranking: The candidates of the last complete rung, best first; empty before.
        gain: The best candidate's score minus that of the current augmentation, on folds that the search did not hold
            out; None without comparison.
        compared_on: Number of images of these folds.
        about: Further facts for the file: backbone, seed, minutes.
    """

    criterion: str
    policies: Mapping[str, Policy]
    trials: list[Trial] = field(default_factory=list)
    ranking: Sequence[str] = ()
    gain: Interval | None = None
    compared_on: int = 0
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The best candidate so far."""
        return self.ranking[0] if self.ranking else CURRENT

    @property
    def is_recommended(self) -> bool:
        """Whether the interval of the gain is above 0."""
        return self.gain is not None and self.gain.low is not None and self.gain.low > 0

    @property
    def verdict(self) -> str:
        """One sentence: what to do with the best candidate."""
        if self.best == CURRENT:
            return "no candidate was better than the current augmentation: keep it"
        if self.gain is None:
            return f"{self.best} was the best of the search, but was not compared on other images: not recommended"
        if self.gain.low is None or self.gain.high is None:
            bounds = "which has no interval (too few groups)"
        else:
            bounds = f"95 % interval {self.gain.low:+.4f} to {self.gain.high:+.4f}"
        gain = f"{self.best}: {self.gain.value:+.4f} on {self.compared_on:,} images of other groups, {bounds}"
        return f"{gain}: " + (
            "recommended" if self.is_recommended else "not recommended, keep the current augmentation"
        )

    def text(self) -> str:
        """A table of the candidates by their longest trainings in the search, and the verdict."""
        last: dict[str, Trial] = {}
        for trial in self.trials:
            if trial.fold == 0:
                last[trial.candidate] = trial
        order = [name for name in self.ranking if name in last]
        others = [trial for name, trial in last.items() if name not in order]
        shown = [last[name] for name in order] + sorted(others, key=lambda trial: -trial.epochs)
        current = {trial.epochs: trial.score for trial in self.trials if trial.candidate == CURRENT and trial.fold == 0}
        rows = []
        for trial in shown:
            difference = trial.score - current[trial.epochs] if trial.epochs in current else None
            gain = "" if difference is None else f"{difference:+.4f}"
            rows.append([trial.candidate, str(trial.epochs), f"{trial.score:.4f}", gain, f"{trial.seconds:.0f}"])
        headers = ["candidate", "epochs", self.criterion, "against current", "seconds"]
        table = text_table(headers, rows, right=range(1, len(headers)))
        return f"{table}\n{self.verdict}\n{self.best}: {value_text(dict(self.policies[self.best]))}"

    def write(self, path: Path) -> None:
        """Writes the policy file atomically: the best augmentation so far, and under `search` all trials."""
        gain = None if self.gain is None else {name: _rounded(own) for name, own in self.gain.to_dict().items()}
        search = {
            "recommended": self.is_recommended,
            "verdict": self.verdict,
            "best": self.best,
            "score": self.criterion,
            "gain": gain,
            **self.about,
            "trials": [
                {
                    "candidate": trial.candidate,
                    "fold": trial.fold + 1,
                    "epochs": trial.epochs,
                    "score": _rounded(trial.score),
                    "seconds": round(trial.seconds, 1),
                }
                for trial in self.trials
            ],
            "candidates": {name: _plain(policy) for name, policy in self.policies.items()},
        }
        policy = _plain(self.policies[self.best])
        heading = f"# Found by python -m model search-augmentation; to use it: --augmentation {path.name}\n"
        write_text(path, heading + _yaml({POLICY: policy}) + _yaml({"search": search}))


def _plain(policy: Policy) -> dict[str, dict[str, Any]]:
    return {name: dict(arguments) for name, arguments in policy.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


class _NoAliases(yaml.SafeDumper):
    """Writes equal objects again, without YAML's anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(content: Any) -> str:
    return yaml.dump(
        content, Dumper=_NoAliases, default_flow_style=None, sort_keys=False, allow_unicode=True, width=WIDTH
    )
