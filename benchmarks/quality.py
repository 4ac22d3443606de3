"""Trains experiment files with several seeds and compares their scores on other images.

    python -m benchmarks.quality configs/a.yaml configs/b.yaml --train_dir DIR --eval_dir DIR --ground_truth_dir DIR \\
        --weights FILE --output DIR

Prints for each file the mean score over the seeds, its difference from the first file (or, with --against previous,
from the file before), and the minutes of a training. The intervals are over groups, such as persons, and seeds. With
--corrections all models are trained on corrected labels, or on the wrong ones of benchmarks.planted_noise. Choose
settings on the training images only, and score the eval images once. docs/experiments.md has the results.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.command_line import run
from benchmarks.seeds import combine_and_predict, compare, result_rows, results_dict, score, train_and_predict
from model.atomic_write import write_json
from model.errors import InputError, did_you_mean, listing
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
FIRST, PREVIOUS = AGAINST = ("first", "previous")
ENSEMBLE = "+"  # between the names of the files whose models predict together


@dataclass(frozen=True)
class QualitySettings:
    configs: list[str] = setting([], "experiment files; the first is the baseline", positional=True, section="Models")
    ensembles: list[str] = setting(
        [], "experiment files whose models of the same seed also predict together, as in a+b for a.yaml and b.yaml"
    )
    weights: str | None = setting(None, "weights to start from", unset="those of each file")
    seeds: list[int] = setting([0, 1, 2], "random seeds, one model each")
    num_tta: int = setting(1, "views of each image; more than one: inference_TTA.py", low=1)
    train_dir: str = setting("", "training channel", section="Data")
    corrections: str | None = setting(
        None, "corrections of its labels for all files, as of benchmarks.planted_noise", unset="those of each file"
    )
    eval_dir: str = setting("", "channel of other images")
    ground_truth_dir: str = setting("", "folder with gt.csv, the correct labels of the eval images")
    group_column: str | None = setting(None, "column of gt.csv with the groups", unset="one with a usual name, if any")
    scores: list[str] = setting(
        ["macro_f1", "accuracy"],
        "scores to compare; ATTRIBUTE.SCORE is that of an attribute, SCORE@N that of a part of --shots",
        section="Scores",
    )
    shots: list[int] = setting(
        [], "numbers of training images that divide the classes, as in 20 8: 20 and more, 8 to 19, fewer", low=1
    )
    against: str = setting(FIRST, "file that each one is compared with", choices=AGAINST)
    resamples: int = setting(2000, "bootstrap resamples", low=10)
    output: str = setting("", "folder of the models, predictions and scores.json; finished models are kept")

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        yield from (
            f"{name} is missing"
            for name in ("configs", "train_dir", "eval_dir", "ground_truth_dir", "output")
            if not getattr(self, name)
        )
        if sorted(set(self.shots), reverse=True) != self.shots:
            yield f"shots must be decreasing numbers, not {self.shots}"
        names = [Path(config).stem for config in self.configs]
        yield from (f"two experiment files are called {name}" for name in sorted(set(names)) if names.count(name) > 1)
        for ensemble in self.ensembles:
            yield from (
                f"ensembles: {ensemble} has {name!r}, which is not one of the experiment files {listing(names)}"
                f"{did_you_mean(name, names)}"
                for name in ensemble.split(ENSEMBLE)
                if name not in names
            )


def main(argv: Sequence[str]) -> int:
    settings = from_flags(QualitySettings, argv, USAGE)
    missing = [config for config in settings.configs if not Path(config).is_file()]
    if missing:
        raise InputError(f"configs: there is no file {', '.join(missing)}")
    if settings.corrections and not Path(settings.corrections).is_file():
        raise InputError(f"corrections: there is no file {settings.corrections}")
    output = Path(settings.output).resolve()
    names = [*(Path(config).stem for config in settings.configs), *settings.ensembles]
    folders = {name: [output / f"{name}-{seed}" for seed in settings.seeds] for name in names}
    script = "inference_TTA.py" if settings.num_tta > 1 else "inference.py"
    predict = ["--eval_dir", settings.eval_dir, "--num_tta", settings.num_tta]
    # all files with one seed before the next seed, so that an interrupted run has as many seeds of each
    for number, seed in enumerate(settings.seeds):
        for config in settings.configs:
            train = ["--config", config, "--train_dir", settings.train_dir, "--seed", seed]
            for flag in ("weights", "corrections"):
                train += [f"--{flag}", getattr(settings, flag)] if getattr(settings, flag) else []
            train_and_predict(folders[Path(config).stem][number], train, predict, script)
        for ensemble in settings.ensembles:
            members = [folders[name][number] for name in ensemble.split(ENSEMBLE)]
            combine_and_predict(folders[ensemble][number], members, predict, script)
    kinds = {
        name: [
            score(folder, settings.ground_truth_dir, settings.group_column, settings.resamples, settings.shots)
            for folder in own
        ]
        for name, own in folders.items()
    }
    results = compare(kinds, settings.scores, settings.against == PREVIOUS)
    minutes = {kind: float(np.mean([model.minutes for model in models])) for kind, models in kinds.items()}
    rows = [[*row, f"{minutes[row[0]]:.1f}"] for row in result_rows(results)]
    print(text_table(["experiment", *settings.scores, "minutes"], rows))
    write_json(output / "scores.json", {"scores": results_dict(results), "minutes": minutes})
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
