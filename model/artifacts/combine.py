"""`python -m model ensemble`: copies saved models from anywhere into one folder, an ensemble of them."""

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
        "; ".join(f"{name}: {meaning}" for name, meaning in COMBINE.items()) + "; none: what fits the models",
        choices=COMBINE,
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.models:
            yield "name the saved models, as in runs/a:2 runs/b"
        if not self.output:
            yield "--output DIR is needed: the folder to make"


def create_ensemble(models: Sequence[str], output: Path, combine: str | None = None) -> Ensemble:
    """Copies saved models or ensembles into a new folder, an ensemble of them.

    Args:
        models: `PATH[:WEIGHT]` of each.
        output: the folder, which must not exist; it appears when it is complete.
        combine: as of model.artifacts.ensemble.load_combined.

    Returns:
        The ensemble of the models where they were.

    Raises:
        InputError: output exists, a model cannot be loaded, or they do not fit together; nothing is left in output.
    """
    if output.exists():
        raise InputError(f"{output} exists; name a folder that does not")
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
    """name, or the first of name-2, name-3, ... that is not taken."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(candidate for candidate in (name, *numbered) if candidate not in taken)


def _copy_model(source: Path, target: Path) -> None:
    """Copies the files of a saved model or an ensemble, and nothing else that lies in its folder."""
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
