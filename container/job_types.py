"""The job types train, inference, inference_TTA, evaluation and serve: script, settings, inputs and outputs of each.

The entry point, the reader of settings and the launcher (jobs/) take what they know of a job from here. A new job is
one more JobType, a module of settings, a script in the project's root (named in .dockerignore and pyproject.toml), and
a subcommand of jobs/ with its class of flags in jobs.spec.flags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from container.locations import Locations
from model.answers.files import PARTS
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings

S = TypeVar("S")


@dataclass(frozen=True)
class JobType(Generic[S]):
    """One kind of job.

    Attributes:
        name: The word that starts it, as in `docker run IMAGE train` and `python -m jobs train`.
        settings: Its settings class.
        script: Its file in the project's root; None for the server, which is a package.
        defaults: The script's own defaults, if they differ from those of the settings class.
        folders: Settings that name an input folder, and the name of that input: a channel of a training job, a
            processing input of other jobs.
        files: Settings that name a file or folder of the machine which launches the job. It is sent along as an input
            named after the setting, and the setting is sent with the path that it has in the job.
        local: Settings with paths of the machine which launches the job. They are not sent: the job takes the paths
            from its own /opt/ml.
        required: Those of `folders` without which no job can be launched.
        data: The input that the launcher's flag --data names, "" if it has no such flag.
        output: Name of the output folder, in RESULTS/JOB and below /opt/ml/processing (a training job's is
            /opt/ml/output/data; its model comes beside it).
        feeds: Inputs of later jobs that can be a job of this type by its name, each with the folder in RESULTS/JOB that
            it means.
        written: The folders that it writes into, beside the files that report its end.
    """

    name: str
    settings: type[S]
    script: str | None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    data: str = ""
    output: str = ""
    feeds: Mapping[str, str] = field(default_factory=dict)
    written: Callable[[Locations, S], Iterable[Path]] = lambda locations, settings: ()

    @property
    def default_settings(self) -> S:
        return self.settings(**self.defaults)

    @property
    def required_inputs(self) -> dict[str, str]:
        """The inputs that a launched job must have, each with the launcher's flag that names it."""
        inputs = {self.folders[name]: f"--{name}" for name in self.required}
        return {name: "--data" if name == self.data else flag for name, flag in inputs.items()}

    @property
    def alias_script(self) -> str:
        """The script whose aliases (model.settings.aliases) its settings take: inference_TTA.py has those of
        inference.py."""
        first = next(job_type for job_type in JOB_TYPES.values() if job_type.settings is self.settings)
        return first.script or first.name


TRAIN = JobType(
    "train",
    TrainSettings,
    "train.py",
    folders={"train_dir": "train", "validation_dir": "validation"},
    files=("weights", "train_groups", "validation_groups"),
    local=("config", "model_dir", "eval_dir", "output_data_dir", "checkpoint_dir"),
    required=("train_dir",),
    data="train",
    output="output",
    feeds={"model": "model"},
    written=Locations.written_by_training,
)
INFERENCE = JobType(
    "inference",
    InferenceSettings,
    "inference.py",
    folders={"eval_dir": "eval", "model_dir": "model", "resume_from": PARTS},
    local=("output_data_dir", "pictures"),
    required=("eval_dir", "model_dir"),
    data="eval",
    output="output",
    feeds={"predictions": "output", PARTS: PARTS},
    written=Locations.written_by_inference,
)
INFERENCE_TTA = JobType(
    "inference_TTA",
    InferenceSettings,
    "inference_TTA.py",
    defaults={"num_tta": 4},
    folders=INFERENCE.folders,
    local=INFERENCE.local,
    required=INFERENCE.required,
    data=INFERENCE.data,
    output=INFERENCE.output,
    feeds=INFERENCE.feeds,
    written=INFERENCE.written,
)
EVALUATION = JobType(
    "evaluation",
    EvaluationSettings,
    "evaluation.py",
    folders={"ground_truth_dir": "ground_truth", "output_data_dir": "predictions"},
    files=("pictures", "compare", "labels"),
    required=("ground_truth_dir", "output_data_dir"),
    output="evaluation",
    written=Locations.written_by_evaluation,
)
SERVE = JobType("serve", ServeSettings, None)  # python -m container.serve; the launcher's are endpoints and transforms

JOB_TYPES: dict[str, JobType[Any]] = {
    job_type.name: job_type for job_type in (TRAIN, INFERENCE, INFERENCE_TTA, EVALUATION, SERVE)
}


def find_job_type(word: str) -> JobType[Any] | None:
    """The job type of that name or script, None if there is none."""
    return next((job_type for job_type in JOB_TYPES.values() if word in (job_type.name, job_type.script)), None)
