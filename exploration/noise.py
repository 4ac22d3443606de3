"""`python -m exploration noise`: finds labels that are probably wrong and writes them to suspects.csv."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exploration.channels import EmbeddedChannel, embeddings_of, next_command, read_labelled
from exploration.fold_training import (
    SHARED,
    fold_settings,
    predict_out_of_fold,
    read_translated,
    shared_settings,
)
from model.errors import Failure, InputError
from model.runtime.log_lines import log_lines
from model.runtime.terminal import counted, text_table
from model.settings.cli import from_flags, parse_flags
from model.settings.fields import Layer, build, setting

if TYPE_CHECKING:
    from model.cleaning.detection import Detection

USAGE = """python -m exploration noise CHANNEL [--FLAG VALUE ...]

Finds labels that are probably wrong, and writes them to suspects.csv in the order to review. The score of a suspect is
the estimated probability that its label is wrong. It comes from the features of the images (no training), from
out-of-fold predictions, or from both:
  python -m exploration noise data/train                                features only, in about two minutes
  python -m exploration noise data/train --answers runs/NAME/out_of_fold   and a training with --folds
  python -m exploration noise data/train --config configs/a.yaml         trains the folds itself; can be interrupted
All images of a group, such as a person, are judged together if an attribute is constant in groups."""


@dataclass(frozen=True)
class NoiseSettings(EmbeddedChannel):
    """Settings of `python -m exploration noise`."""

    channel: str = setting("", "Folder of labelled images", section="Noise", positional=True, common=True)
    output: str = setting("suspects.csv", "File to write the suspects to", common=True, placeholder="FILE")
    answers: str | None = setting(
        None, "Folder out_of_fold of a training with --folds, to use as well", common=True, placeholder="DIR"
    )
    config: str | None = setting(
        None, "Experiment file of train.py whose folds are trained and used as well", common=True, placeholder="FILE"
    )
    folds: int | None = setting(
        None,
        "Number of folds to train with --config",
        unset="those of --config, otherwise 5",
        low=2,
        high=100,
        common=True,
    )
    epochs: int | None = setting(None, "Epochs per fold", unset="those of --config", low=1, common=True)
    train_weights: str | None = setting(
        None,
        "Weights that the folds start from, as `weights` of train.py",
        unset="those of --config",
        placeholder="FILE",
    )
    work_dir: str = setting(
        "noise", "Folder of the folds' models and checkpoints; the same command resumes from it", placeholder="DIR"
    )
    embeddings: bool = setting(True, "Whether to use features of the images; false: only --answers or --config")
    class_share: float = setting(
        0.2, "Maximum share of a rare class's images or groups that are suspects", low=0, high=1
    )
    class_kept: int = setting(
        100, "A class with more images or groups is not rare: all but this number may be suspects", low=0
    )
    most: int = setting(1000, "Maximum number of suspects; 0: no limit", low=0)
    seed: int = setting(0, "Seed of folds and samples", low=0)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if self.answers and self.config:
            yield "answers and config both give out-of-fold predictions; set only one of them"
        if not (self.embeddings or self.answers or self.config):
            yield "without embeddings, set answers or config"
        yield from super().contradictions()


def main(argv: Sequence[str]) -> int:
    settings = from_flags(NoiseSettings, argv, USAGE)
    if not settings.channel:
        raise InputError("name the folder of a channel: python -m exploration noise data/train")
    with log_lines(sys.stderr):
        experiment = read_translated(Path(settings.config)) if settings.config else {}
        if experiment:
            # the channel is read as the experiment reads it, unless flags say otherwise
            layers = [Layer(f"config {settings.config}: {{}}", shared_settings(experiment))]
            settings = build(NoiseSettings, [*layers, Layer("--{}", parse_flags(NoiseSettings, argv))])
        detection = find(settings, experiment)
    print(noise_text(detection))
    print(f"\nwrote {counted(len(detection.suspects), 'suspect')} to {settings.output}")
    if detection.suspects:
        print(next_command(["review", settings.channel, "--suspects", settings.output], settings))
    return 0


def find(settings: NoiseSettings, experiment: dict[str, Any]) -> Detection:
    """Reads the channel, computes what is missing, finds the suspects and writes them.

    Args:
        settings: Settings of the command.
        experiment: Content of the experiment file, from read_translated; empty without one.
    """
    from model.cleaning.detection import DetectionSettings, detect
    from model.cleaning.predicted import read_predicted
    from model.cleaning.suspects import write_suspects

    # what can be wrong is found before the features are computed, which takes longest
    training = fold_settings(Path(settings.config), experiment, _overriding(settings)) if settings.config else None
    table = read_labelled(settings, Path(settings.channel))
    answers = Path(settings.answers) if settings.answers else None
    predicted = read_predicted(answers, table) if answers else {}
    features = embeddings_of(settings, table).normalised() if settings.embeddings else None
    if training is not None:
        folder = predict_out_of_fold(training, Path(settings.channel), Path(settings.work_dir))
        predicted = read_predicted(folder, table)
    options = DetectionSettings(settings.class_share, settings.class_kept, settings.most, settings.seed)
    detection = detect(table, features, predicted, options)
    try:
        write_suspects(Path(settings.output), table, detection.suspects)
    except OSError as error:
        raise Failure(f"{settings.output}: cannot be written: {error.strerror}; choose another --output FILE") from None
    return detection


def _overriding(settings: NoiseSettings) -> dict[str, Any]:
    """The settings of the training that this command sets."""
    values = {name: getattr(settings, name) for name in SHARED}
    own = {"folds": settings.folds, "epochs": settings.epochs, "weights": settings.train_weights}
    return values | {name: value for name, value in own.items() if value is not None}


def noise_text(detection: Detection) -> str:
    """The table that the command prints, with a line for each attribute that was not judged."""
    rows, notes = [], []
    for found in detection.attributes:
        if found.note:
            notes.append(f"{found.name}: {found.note}")
        if not found.level:
            continue
        suspects = sum(suspect.attribute == found.name for suspect in detection.suspects)
        share = f"{found.wrong:.1f} ({found.wrong / found.units:.1%})"
        confident = "" if math.isnan(found.confident) else f"{found.confident / found.units:.1%}"
        judged = counted(found.units, found.level)
        rows.append([found.name, judged, f"{suspects:,}", f"{found.probable:,}", share, confident])
    headers = ["attribute", "judged", "suspects", "score above 0.5", "estimated wrong", "by confident learning"]
    return "\n".join([text_table(headers, rows), *notes])
