"""The launcher's flags: a dataclass for each subcommand, of the groups (jobs.spec.flag_groups) that it uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from container.job_types import EVALUATION, INFERENCE, INFERENCE_TTA, TRAIN, JobType
from jobs.spec.account_flags import (
    DoctorFlags,
    ImageFlags,
    JobNameFlags,
    ListFlags,
    LogsFlags,
    ShardFlags,
    StopFlags,
    UploadFlags,
)
from jobs.spec.flag_groups import (
    ACCOUNT,
    APPROVALS,
    DOCKER,
    MACHINE,
    SAGEMAKER,
    BackendFlags,
    ContainerFlags,
    DeleteFlags,
    Flags,
    JobMachineFlags,
    JobNetworkFlags,
    RequestFlags,
    RoleFlags,
    SageMakerFlags,
    SpotFlags,
    WaitFlags,
    WarmPoolFlags,
    flag,
)
from jobs.spec.model_flags import DeployFlags, InvokeFlags, RegisterFlags, TransformFlags

SHARDED, REPLICATED = "sharded", "replicated"  # values of --distribution
LOCAL_IMAGE = "rarebird"  # the image's name in the engine of this machine


# Subcommands that send a request to SageMaker


@dataclass(frozen=True)
class JobFlags(RequestFlags, JobNetworkFlags, JobMachineFlags, DeleteFlags, WaitFlags, RoleFlags):
    """Flags of every subcommand that starts training or processing jobs."""


@dataclass(frozen=True)
class LaunchFlags(JobFlags, ContainerFlags, BackendFlags):
    """Flags of every subcommand whose jobs also run on this machine."""

    instance: str = flag(
        "ml.m5.xlarge",
        "Instance type of each machine; with --on here or docker only what the job reads as its instance type",
        section=MACHINE,
    )
    instances: int = flag(
        1, "Number of machines; with --on here of processes, with --on docker of containers", low=1, section=MACHINE
    )
    image: str = flag(
        "",
        "Container image; if empty, SAGEMAKER_IMAGE, or rarebird with --on docker",
        on=[DOCKER, SAGEMAKER],
        section=ACCOUNT,
    )


@dataclass(frozen=True)
class TrainingFlags(JobFlags, SpotFlags):
    """Flags of every subcommand that starts trainings."""

    data: str = flag("", "Folder or s3:// prefix of the training images, as train_dir", section="Training")
    mode: str = flag(
        "File",
        "How SageMaker provides the images: File copies them before the start, FastFile reads each when it is used",
        on=[SAGEMAKER],
        choices=("File", "FastFile"),
    )


@dataclass(frozen=True)
class ResumeFlags(Flags):
    checkpoints: str | None = flag(
        None,
        "Checkpoints to resume from: an s3:// prefix, or a folder with --on here or docker; if none, the job's own",
        section="Training",
    )


@dataclass(frozen=True)
class FormatFlags(Flags):
    """How code and model of a training are packed on SageMaker."""

    compress: bool = flag(
        True,
        "Pack the model as model.tar.gz; false leaves its files below an s3:// prefix",
        on=[SAGEMAKER],
        section="Training",
    )
    script_mode: bool = flag(
        False, "Send this project as source_dir to one of AWS's PyTorch containers, which image names", on=[SAGEMAKER]
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.script_mode and getattr(self, "isolated", False):
            yield "script_mode and isolated: AWS's container installs from the network what the scripts need"


@dataclass(frozen=True)
class LiveCurvesFlags(Flags):
    live_curves: bool = flag(
        False,
        "Copy TensorBoard's files to S3 while the training runs, to PREFIX/JOB/tensorboard-output",
        on=[SAGEMAKER],
        section="Training",
    )


@dataclass(frozen=True)
class TrainFlags(FormatFlags, LiveCurvesFlags, ResumeFlags, LaunchFlags, WarmPoolFlags, TrainingFlags):
    """Flags of train."""


@dataclass(frozen=True)
class PredictFlags(LaunchFlags):
    """Flags of inference and inference_TTA."""

    data: str = flag("", "Folder or s3:// prefix of the images, as eval_dir", section="Input")
    distribution: str = flag(
        "auto",
        "How images reach several machines: sharded sends each its share, replicated sends all to each, which divide "
        "the rows; auto: sharded unless a table names the images",
        on=[SAGEMAKER],
        choices=("auto", SHARDED, REPLICATED),
    )


@dataclass(frozen=True)
class EvaluationFlags(LaunchFlags):
    """Flags of evaluation."""


@dataclass(frozen=True)
class TuneFlags(FormatFlags, SageMakerFlags, TrainingFlags):
    """Flags of tune."""

    ranges: dict[str, Any] = flag(
        {},
        "Settings to vary, with bounds or values: {lr: [0.0001, 0.01], loss: [focal, cross_entropy]}",
        section="Tuning",
    )
    objective: str = flag("val_f1", "Metric of training to optimise")
    trainings: int = flag(20, "Number of trainings in total", low=1)
    at_once: int = flag(2, "Number of trainings that run at the same time", low=1)
    strategy: str = flag(
        "Bayesian",
        "How the values of the next training are chosen",
        choices=("Bayesian", "Random", "Hyperband", "Grid"),
    )
    stop_early: bool = flag(False, "Stop trainings that are unlikely to be the best")
    max_hours: float = flag(0.0, "Longest time that the whole search runs; 0 for no bound", unit="h", low=0)
    stop_after: int = flag(
        0, "End the search after this number of trainings in a row without a better one; 0 for no such bound", low=0
    )
    target_score: float | None = flag(None, "End the search when a training reaches this objective")
    spot: bool = flag(
        False,
        "Use spot capacity; a training that loses its machine restarts from scratch",
        on=[SAGEMAKER],
        section=MACHINE,
    )
    attempts: int = flag(
        0,
        "Number of times that SageMaker restarts a training after an internal error, from scratch",
        on=[SAGEMAKER],
        low=0,
        section=MACHINE,
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from super().contradictions()
        if self.strategy == "Hyperband" and self.stop_early:
            yield "stop_early and strategy Hyperband: Hyperband ends trainings itself"

    def ignored(self) -> Mapping[str, str]:
        """The number of trainings, where the grid has its own."""
        grid = {"trainings": "--strategy Grid runs every combination"}
        return {**super().ignored(), **(grid if self.strategy == "Grid" else {})}


@dataclass(frozen=True)
class PipelineFlags(LiveCurvesFlags, ResumeFlags, LaunchFlags, WarmPoolFlags, TrainingFlags):
    """Flags of pipeline."""

    eval_data: str = flag("", "Folder or s3:// prefix of the images to predict", section="Pipeline")
    truth: str = flag("", "Folder or s3:// prefix of their gt.csv")
    gate: float = flag(0.0, "Lowest macro F1 of a model that is registered", low=0, high=1)
    low_gate: float = flag(0.0, "Lowest lower end of its interval; 0 asks for no interval", low=0, high=1)
    group: str = flag("rarebird", "Model package group of the registry", on=[SAGEMAKER])
    approval: str = flag(
        "PendingManualApproval", "Approval status of the registered version", on=[SAGEMAKER], choices=APPROVALS
    )
    cache_days: int = flag(
        0,
        "Time for which a step that ran with the same settings, data and image is not run again; 0 to run each",
        on=[SAGEMAKER],
        unit="days",
        low=0,
    )


FLAGS: Mapping[str, type[Flags]] = {  # by subcommand
    "train": TrainFlags,
    "inference": PredictFlags,
    "inference_TTA": PredictFlags,
    "evaluation": EvaluationFlags,
    "transform": TransformFlags,
    "tune": TuneFlags,
    "deploy": DeployFlags,
    "invoke": InvokeFlags,
    "register": RegisterFlags,
    "pipeline": PipelineFlags,
    "status": JobNameFlags,
    "logs": LogsFlags,
    "stop": StopFlags,
    "fetch": JobNameFlags,
    "list": ListFlags,
    "upload": UploadFlags,
    "shards": ShardFlags,
    "image": ImageFlags,
    "doctor": DoctorFlags,
}
JOB_SETTINGS: Mapping[str, JobType[Any]] = {  # by subcommand, the job whose settings are flags too
    "train": TRAIN,
    "inference": INFERENCE,
    "inference_TTA": INFERENCE_TTA,
    "evaluation": EVALUATION,
    "tune": TRAIN,
    "pipeline": TRAIN,
}


def flag_names(command: str) -> list[str]:
    """The launcher's flags of a subcommand."""
    return [field.name for field in dataclasses.fields(FLAGS[command])]


def takers(name: str) -> list[str]:
    """The subcommands that take a flag, of the launcher or of the job."""
    settings = {command: dataclasses.fields(job.settings) for command, job in JOB_SETTINGS.items()}
    return [
        command
        for command in FLAGS
        if name in flag_names(command) or any(field.name == name for field in settings.get(command, ()))
    ]
