"""The launcher's flags: one dataclass per subcommand, composed of the groups in jobs.spec.flag_groups."""

from __future__ import annotations

import dataclasses
import functools
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
LOCAL_IMAGE = "rarebird"  # the image's name in docker on this machine


# Subcommands that send a request to SageMaker


@dataclass(frozen=True)
class JobFlags(RequestFlags, JobNetworkFlags, JobMachineFlags, DeleteFlags, WaitFlags, RoleFlags):
    """Flags of every subcommand that starts training or processing jobs."""


@dataclass(frozen=True)
class LaunchFlags(JobFlags, ContainerFlags, BackendFlags):
    """Flags of every subcommand whose jobs also run on this machine."""

    instance: str = flag(
        "ml.m5.xlarge",
        "Instance type of each machine; --on here and docker only write it to the job's config file",
        section=MACHINE,
    )
    instances: int = flag(
        1, "Number of machines; of processes with --on here, of containers with --on docker", low=1, section=MACHINE
    )
    image: str = flag(
        "",
        "Name or URI of the container image",
        unset="SAGEMAKER_IMAGE; with --on docker the local image rarebird",
        on=[DOCKER, SAGEMAKER],
        section=ACCOUNT,
    )


@dataclass(frozen=True)
class TrainingFlags(JobFlags, SpotFlags):
    """Flags of every subcommand that starts trainings."""

    data: str = flag("", "Folder or s3:// prefix of the training images, like train_dir", section="Training")
    mode: str = flag(
        "File",
        "How SageMaker provides the images; File: all are copied before the start, FastFile: each is read on first use",
        on=[SAGEMAKER],
        choices=("File", "FastFile"),
    )


@dataclass(frozen=True)
class ResumeFlags(Flags):
    checkpoints: str | None = flag(
        None,
        "Checkpoints to resume from: an s3:// prefix, or a folder with --on here and docker",
        unset="the job's own",
        section="Training",
    )


@dataclass(frozen=True)
class FormatFlags(Flags):
    """How the code and the model of a training on SageMaker are packed."""

    compress: bool = flag(
        True,
        "Pack the model as model.tar.gz; false writes its files below an s3:// prefix",
        on=[SAGEMAKER],
        section="Training",
    )
    script_mode: bool = flag(
        False, "Send this project as source_dir to an AWS PyTorch container, which --image names", on=[SAGEMAKER]
    )

    def contradictions(self) -> Iterator[str]:
        """Yields a message for each pair of settings that contradict each other."""
        if self.script_mode and getattr(self, "isolated", False):
            yield "script_mode and isolated: AWS's container needs the network to install the scripts' packages"


@dataclass(frozen=True)
class LiveCurvesFlags(Flags):
    live_curves: bool = flag(
        False,
        "Copy TensorBoard files to s3://BUCKET/PREFIX/JOB/tensorboard-output while the training runs",
        on=[SAGEMAKER],
        section="Training",
    )


@dataclass(frozen=True)
class TrainFlags(FormatFlags, LiveCurvesFlags, ResumeFlags, LaunchFlags, WarmPoolFlags, TrainingFlags):
    """Flags of train."""


@dataclass(frozen=True)
class PredictFlags(LaunchFlags):
    """Flags of inference and inference_TTA."""

    data: str = flag("", "Folder or s3:// prefix of the images, like eval_dir", section="Input")
    distribution: str = flag(
        "auto",
        "How images reach several machines; sharded: each gets a share, replicated: each gets all images, auto: "
        "replicated if a table names the images, otherwise sharded",
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
        "Settings to vary, as [low, high] or values: {lr: [0.0001, 0.01], loss: [focal, cross_entropy]}",
        section="Tuning",
    )
    objective: str = flag("val_f1", "Training metric to optimise")
    trainings: int = flag(20, "Number of trainings in total", low=1)
    at_once: int = flag(2, "Number of trainings that run at the same time", low=1)
    strategy: str = flag(
        "Bayesian",
        "Strategy of the search",
        choices=("Bayesian", "Random", "Hyperband", "Grid"),
    )
    stop_early: bool = flag(False, "Stop trainings that are unlikely to become the best")
    max_hours: float = flag(0.0, "Longest time that the whole search may run; 0: no limit", unit="h", low=0)
    stop_after: int = flag(
        0, "End the search after this many trainings in a row without improvement; 0: no limit", low=0
    )
    target_score: float | None = flag(None, "End the search when a training reaches this value of the objective")
    spot: bool = flag(
        False,
        "Use cheaper spot capacity; a training that loses its machine restarts from scratch",
        on=[SAGEMAKER],
        section=MACHINE,
    )
    attempts: int = flag(
        0,
        "Number of restarts of a training, from scratch, after internal errors of SageMaker",
        on=[SAGEMAKER],
        low=0,
        section=MACHINE,
    )

    def contradictions(self) -> Iterator[str]:
        """Yields a message for each pair of settings that contradict each other."""
        yield from super().contradictions()
        if self.strategy == "Hyperband" and self.stop_early:
            yield "stop_early and strategy Hyperband: Hyperband already stops trainings early; remove stop_early"

    def ignored(self) -> Mapping[str, str]:
        """The number of trainings, which a grid defines itself."""
        grid = {"trainings": "--strategy Grid runs every combination"}
        return {**super().ignored(), **(grid if self.strategy == "Grid" else {})}


@dataclass(frozen=True)
class PipelineFlags(LiveCurvesFlags, ResumeFlags, LaunchFlags, WarmPoolFlags, TrainingFlags):
    """Flags of pipeline."""

    eval_data: str = flag("", "Folder or s3:// prefix of the images to predict", section="Pipeline")
    truth: str = flag("", "Folder or s3:// prefix with gt.csv, the true classes of eval_data")
    gate: float = flag(0.0, "Smallest macro F1 of a model that is registered", low=0, high=1)
    low_gate: float = flag(
        0.0, "Smallest lower end of its confidence interval; 0: the interval is not checked", low=0, high=1
    )
    group: str = flag("rarebird", "Model package group of the registry", on=[SAGEMAKER])
    approval: str = flag(
        "PendingManualApproval", "Approval status of the registered version", on=[SAGEMAKER], choices=APPROVALS
    )
    cache_days: int = flag(
        0,
        "Reuse results of steps that ran with the same settings, data and image within this time; 0: run every step",
        on=[SAGEMAKER],
        unit="days",
        low=0,
    )


FLAGS: Mapping[str, type[Flags]] = {  # the flags of each subcommand
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
JOB_SETTINGS: Mapping[str, JobType[Any]] = {  # the job of a subcommand, whose settings are flags too
    "train": TRAIN,
    "inference": INFERENCE,
    "inference_TTA": INFERENCE_TTA,
    "evaluation": EVALUATION,
    "tune": TRAIN,
    "pipeline": TRAIN,
}


@functools.cache
def flag_names(command: str) -> tuple[str, ...]:
    """Returns the names of the launcher's flags of a subcommand."""
    return tuple(field.name for field in dataclasses.fields(FLAGS[command]))


@functools.cache
def setting_names(command: str) -> tuple[str, ...]:
    """Returns the names of the settings of a subcommand's job, () for subcommands that start no job."""
    job_type = JOB_SETTINGS.get(command)
    return tuple(field.name for field in dataclasses.fields(job_type.settings)) if job_type else ()


def subcommands_with(name: str) -> list[str]:
    """Returns the subcommands that have a flag, of the launcher or of the job."""
    return [command for command in FLAGS if name in flag_names(command) or name in setting_names(command)]
