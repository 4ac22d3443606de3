"""`python -m model ensemble`: saved models from anywhere into one folder that answers for them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.artifacts.ensemble import COMBINE, create_ensemble
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model ensemble MODEL[:WEIGHT] ... --output DIR

Copies saved models (or ensembles) into DIR with an ensemble.json, so that DIR is used wherever a model is. Models of
the same classes are averaged by weight, or vote; models of different attributes are multiplied.

    python -m model ensemble runs/resnet:2 runs/mobilenet --output runs/both
    python -m model ensemble runs/mask runs/gender runs/age --output runs/three"""


@dataclass(frozen=True)
class EnsembleSettings:
    models: list[str] = setting(
        [], "saved models, each with its weight behind a colon where that is not 1", section="Joined", positional=True
    )
    output: str | None = setting(None, "folder to make; it must not exist yet")
    combine: str | None = setting(
        None,
        "; ".join(f"{how}: {what}" for how, what in COMBINE.items()) + "; none: what fits the models",
        choices=COMBINE,
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.models:
            yield "name the saved models, as in runs/a:2 runs/b"
        if not self.output:
            yield "--output DIR is needed: the folder to make"


def main(argv: Sequence[str]) -> int:
    settings = from_flags(EnsembleSettings, argv, USAGE)
    made = create_ensemble(settings.models, Path(settings.output or ""), settings.combine)
    print(f"{len(made.members)} models, {made.combine}, {made.scheme.num_classes} classes: {made.folder}")
    return 0
