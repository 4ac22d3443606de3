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

from container.input_checks import check_evaluation, check_inference, check_training
from container.locations import Locations
from model.answers.files import PARTS
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings

S = TypeVar("S")

FILE, FOLDER = "file", "folder"  # what a setting of `outputs` names


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
        tables: Those of `folders` that may name a file too.
        files: Settings that name a file or folder of the machine which launches the job. It is sent along as an input
            named after the setting, and the setting is sent with the path that it has in the job. Each item of a list
            is an input of its own.
        beside: Those of `files` of which the bare name of a .csv is a file in an input, with the name of that input.
            A file elsewhere brings its folder along, with the files that belong to it.
        outputs: Settings that name a file or folder which the job writes, FILE or FOLDER. A launched job writes into
            its own output folder: a file keeps its name alone, a folder is that folder.
        local: Settings with paths of the machine which launches the job. They are not sent: the job takes the paths
            from its own /opt/ml.
        refused: Settings with paths that a launched job has no use for, each with what to give instead.
        values: Settings that are text and no path of a machine. A setting that is text and has no choices is in exactly
            one of folders, files, outputs, local, refused and values.
        required: Those of `folders` without which no job can be launched, unless `instead` is given.
        jobs: Settings of `files` that may be the name of a job, with the input of `feeds` that they are like.
        instead: By setting of `required`, the setting of `files` that replaces it.
        data: The input that the launcher's flag --data names, "" if it has no such flag.
        output: Name of the output folder, in RESULTS/JOB and below /opt/ml/processing (a training job's is
            /opt/ml/output/data; its model comes beside it).
        feeds: Inputs of later jobs that can be a job of this type by its name, each with the folder in RESULTS/JOB that
            it means.
        written: The folders that it writes into, beside the files that report its end.
        check: Raises InputError if an input is missing, as far as that shows without torch, pandas and numpy.
    """

    name: str
    settings: type[S]
    script: str | None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    local: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    jobs: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    output: str = ""
    feeds: Mapping[str, str] = field(default_factory=dict)
    written: Callable[[Locations, S], Iterable[Path]] = lambda locations, settings: ()
    check: Callable[[Locations, S], None] = lambda locations, settings: None

    @property
    def default_settings(self) -> S:
        return self.settings(**self.defaults)

    @property
    def required_inputs(self) -> dict[str, str]:
        """The inputs that a launched job must have, each with the launcher's flag that names it."""
        inputs = {self.folders[name]: f"--{name}" for name in self.required}
        return {name: "--data" if name == self.data else flag for name, flag in inputs.items()}

    @property
    def replaced_by(self) -> dict[str, str]:
        """The required inputs without which a job can do where an input of another name is given (NAME, NAME-1)."""
        return {self.folders[name]: other for name, other in self.instead.items()}

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
    values=(
        *("name", "table", "picture_column", "folder_levels", "group_column", "group_pattern", "split_column"),
        *("encoding", "metadata_columns", "target", "model", "freeze", "optimizer", "scheduler", "device"),
        *("wandb_project", "wandb_entity"),
    ),
    required=("train_dir",),
    jobs={"weights": "model"},
    data="train",
    output="output",
    feeds={"model": "model"},
    written=Locations.written_by_training,
    check=check_training,
)
INFERENCE = JobType(
    "inference",
    InferenceSettings,
    "inference.py",
    folders={"eval_dir": "eval", "model_dir": "model", "resume_from": PARTS},
    files=("models",),
    outputs={"output": FILE},
    local=("output_data_dir",),
    refused={"pictures": "python inference.py predicts single images; a job takes their folder, by --data"},
    values=("table", "picture_column", "encoding", "device"),
    required=("eval_dir", "model_dir"),
    jobs={"models": "model"},
    instead={"model_dir": "models"},
    data="eval",
    output="output",
    feeds={"predictions": "output", PARTS: PARTS},
    written=Locations.written_by_inference,
    check=check_inference,
)
INFERENCE_TTA = JobType(
    "inference_TTA",
    InferenceSettings,
    "inference_TTA.py",
    defaults={"num_tta": 4},
    folders=INFERENCE.folders,
    files=INFERENCE.files,
    outputs=INFERENCE.outputs,
    local=INFERENCE.local,
    refused=INFERENCE.refused,
    values=INFERENCE.values,
    required=INFERENCE.required,
    jobs=INFERENCE.jobs,
    instead=INFERENCE.instead,
    data=INFERENCE.data,
    output=INFERENCE.output,
    feeds=INFERENCE.feeds,
    written=INFERENCE.written,
    check=INFERENCE.check,
)
EVALUATION = JobType(
    "evaluation",
    EvaluationSettings,
    "evaluation.py",
    folders={"ground_truth_dir": "ground_truth", "output_data_dir": "predictions"},
    tables=("ground_truth_dir",),
    files=("answers", "pictures", "compare", "labels"),
    beside={"answers": "predictions", "compare": "predictions"},
    outputs={"output": FOLDER},
    values=("picture_column", "encoding", "group_column", "gmean_classes"),
    required=("ground_truth_dir", "output_data_dir"),
    jobs={"compare": "predictions"},
    instead={"output_data_dir": "answers"},
    output="evaluation",
    written=Locations.written_by_evaluation,
    check=check_evaluation,
)
SERVE = JobType("serve", ServeSettings, None)  # python -m container.serve; the launcher's are endpoints and transforms

JOB_TYPES: dict[str, JobType[Any]] = {
    job_type.name: job_type for job_type in (TRAIN, INFERENCE, INFERENCE_TTA, EVALUATION, SERVE)
}


def find_job_type(word: str) -> JobType[Any] | None:
    """The job type of that name or script, None if there is none."""
    return next((job_type for job_type in JOB_TYPES.values() if word in (job_type.name, job_type.script)), None)
