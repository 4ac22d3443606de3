"""`python -m model ensemble`: copies saved models into one folder, as an ensemble."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.artifacts.ensemble import COMBINE, Ensemble, load_combined, save_ensemble
from model.artifacts.ensemble_file import read_ensemble_file
from model.artifacts.files import CARD, DECISION, ENSEMBLE, LEARNT_FROM, NEEDED, NETWORK_FILES, is_ensemble
from model.artifacts.verify import model_problem
from model.errors import InputError
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model ensemble MODEL[:WEIGHT] ... --output DIR

Copies saved models (or ensembles) into DIR with an ensemble.json. DIR can then be used like a saved model.
The probabilities of models with the same classes are averaged, or the models vote. The probabilities of models for
different attributes are multiplied.

    python -m model ensemble runs/resnet:2 runs/mobilenet --output runs/both
    python -m model ensemble runs/mask runs/gender runs/age --output runs/three"""


@dataclass(frozen=True)
class EnsembleSettings:
    models: list[str] = setting(
        [], "saved models; a weight other than 1 follows a colon, as in runs/a:2", section="Models", positional=True
    )
    output: str | None = setting(None, "folder to create; it must not exist")
    combine: str | None = setting(
        None,
        "; ".join(f"{name}: {meaning}" for name, meaning in COMBINE.items())
        + "; none: product if the models predict different attributes, otherwise soft",
        choices=COMBINE,
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.models:
            yield "no saved models were given; give them like this: runs/a:2 runs/b"
        if not self.output:
            yield "--output DIR is missing: the folder to create"


def create_ensemble(models: Sequence[str], output: Path, combine: str | None = None) -> Ensemble:
    """Copies saved models or ensembles into a new folder, an ensemble of them.

    Args:
        models: `PATH[:WEIGHT]` of each.
        output: Folder to create. It is renamed to this name when it is complete.
        combine: See model.artifacts.ensemble.load_combined.

    Returns:
        The ensemble of the original models.

    Raises:
        InputError: output exists, a model cannot be loaded, or the models do not fit together. Nothing is created.
    """
    if output.exists():
        raise InputError(f"output {output}: already exists; choose a new folder")
    ensemble = load_combined(models, combine, output)
    for member in ensemble.members:
        if problem := model_problem(member.folder):
            raise InputError(problem)
    paths: list[str] = []
    unfinished = output.with_name(f".{output.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for member in ensemble.members:
            path = _free_name(member.folder.resolve().name, paths)
            _copy_model(member.folder, unfinished / path)
            paths.append(path)
        save_ensemble(unfinished, paths, ensemble.weights, ensemble.combine, ensemble.decision, name=output.name)
        unfinished.rename(output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return ensemble


def _free_name(name: str, taken: Sequence[str]) -> str:
    """The name, or the first of NAME-2, NAME-3, ... that is not taken."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(candidate for candidate in (name, *numbered) if candidate not in taken)


def _copy_model(source: Path, target: Path) -> None:
    """Copies the files of a saved model or an ensemble, without other files in its folder."""
    target.mkdir(parents=True)
    if is_ensemble(source):
        for path in read_ensemble_file(source).paths:
            _copy_model(source / path, target / path)
    for name in (*NETWORK_FILES, *NEEDED, DECISION, LEARNT_FROM, ENSEMBLE, CARD):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def main(argv: Sequence[str]) -> int:
    settings = from_flags(EnsembleSettings, argv, USAGE)
    ensemble = create_ensemble(settings.models, Path(settings.output or ""), settings.combine)
    print(
        f"{len(ensemble.members)} models, {ensemble.combine}, {ensemble.scheme.num_classes} classes: {ensemble.folder}"
    )
    return 0
