"""The job types train, inference, inference_TTA, evaluation and serve: script, settings, inputs and outputs of each.

The entry point, container.settings_layers and the launcher (jobs/) read these definitions. A new job needs a JobType
here, a module of settings, a script in the project's root (listed in .dockerignore and pyproject.toml), and a
subcommand of jobs/ with its class of flags in jobs.spec.flags.
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

FILE, FOLDER = "file", "folder"  # kinds of paths in `outputs`


@dataclass(frozen=True)
class JobType(Generic[S]):
    """One kind of job.

    Attributes:
        name: Name of the job, as in `docker run IMAGE train` and `python -m jobs train`.
        settings: Its settings class.
        script: Its file in the project's root; None for the server, which is a package.
        defaults: Defaults of the script that differ from those of the settings class.
        folders: Settings that name an input folder, each with the name of the input: a channel of a training job, a
            processing input of other jobs.
        tables: Settings of `folders` that may also name a file.
        files: Settings that name a file or folder on the launching machine. The launcher uploads it as an input named
            after the setting and passes the path that it has in the job. Each item of a list is an input of its own.
        inside: Settings of `files` whose value may be the path of a file in the data: it is passed unchanged if the
            launching machine has no such file.
        words: Settings of `files` whose value may be a word, each with this word, which is passed unchanged.
        beside: Settings of `files` whose value may be the bare name of a .csv in an input, each with the name of that
            input. A .csv elsewhere is uploaded together with its folder, which contains the files that belong to it.
        outputs: Settings that name a path the job writes to, each with its kind, FILE or FOLDER. A launched job writes
            into its own output folder: of a file only the name is passed, a folder becomes the output folder itself.
        local: Settings with paths on the launching machine. They are not passed: the job uses the paths in /opt/ml.
        refused: Settings with paths that a launched job cannot use, each with the advice what to use instead.
        values: Text settings that are not paths. A text setting without choices is in exactly one of folders, files,
            outputs, local, refused and values.
        required: Settings of `folders` that a launched job must have, unless their replacement in `instead` is set.
        jobs: Settings of `files` whose value may be the name of an earlier job, each with the output of that job (a key
            of its `feeds`) that is then used.
        instead: By setting of `required`, the setting of `files` that replaces it.
        data: The input that the launcher's flag --data names, "" if it has no such flag.
        output: Name of the output folder, in RESULTS/JOB and in /opt/ml/processing. (A training job writes to
            /opt/ml/output/data; its model is in RESULTS/JOB too.)
        feeds: Outputs that later jobs can use as their input of that name, each with its folder in RESULTS/JOB.
        written: The folders that it writes into, in addition to the files that report how it ended.
        check: Raises InputError if an input is missing, as far as that is known without torch, pandas and numpy.
    """

    name: str
    settings: type[S]
    script: str | None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
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
        """The settings of the script if none is set."""
        return self.settings(**self.defaults)

    @property
    def required_inputs(self) -> dict[str, str]:
        """The inputs that a launched job must have, each with the launcher's flag for it."""
        inputs = {self.folders[name]: f"--{name}" for name in self.required}
        return {name: "--data" if name == self.data else flag for name, flag in inputs.items()}

    @property
    def replaced_by(self) -> dict[str, str]:
        """Required inputs that another input (NAME, NAME-1, ...) can replace, each with the NAME of the other."""
        return {self.folders[name]: other for name, other in self.instead.items()}

    @property
    def alias_script(self) -> str:
        """The script under whose name model.settings.aliases lists the aliases of its settings; inference_TTA.py shares
        those of inference.py."""
        first = next(job_type for job_type in JOB_TYPES.values() if job_type.settings is self.settings)
        return first.script or first.name


TRAIN = JobType(
    "train",
    TrainSettings,
    "train.py",
    folders={"train_dir": "train", "validation_dir": "validation"},
    files=("weights", "train_groups", "validation_groups", "corrections", "clean"),
    inside=("corrections",),
    words={"clean": "auto"},
    local=("config", "model_dir", "eval_dir", "output_data_dir", "checkpoint_dir"),
    values=(
        *("name", "table", "picture_column", "folder_levels", "group_column", "group_pattern", "split_column"),
        *(
            "weight_column",
            "encoding",
            "metadata_columns",
            "target",
            "model",
            "freeze",
            "optimizer",
            "scheduler",
            "device",
        ),
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
    refused={"pictures": "only python inference.py predicts single images; a job takes a folder: --data FOLDER"},
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
    files=("answers", "pictures", "compare", "labels", "corrections"),
    inside=("corrections",),
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
SERVE = JobType("serve", ServeSettings, None)  # python -m container.serve; jobs/ launches endpoints and transforms

JOB_TYPES: dict[str, JobType[Any]] = {
    job_type.name: job_type for job_type in (TRAIN, INFERENCE, INFERENCE_TTA, EVALUATION, SERVE)
}


def find_job_type(name: str) -> JobType[Any] | None:
    """The job type with a name, or the name of its script; None if there is none."""
    return next((job_type for job_type in JOB_TYPES.values() if name in (job_type.name, job_type.script)), None)
