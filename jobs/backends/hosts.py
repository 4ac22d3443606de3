"""The hosts of a job on this machine: a folder for each, with the config files that SageMaker mounts at /opt/ml."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from container.opt_ml import IN_CONTAINER, OptMl
from jobs.requests.processing import container_arguments, processing_request
from jobs.spec.inputs import Input
from jobs.spec.job import Job
from model.atomic_write import write_json, write_text

INSTANCE_GROUP = "homogeneousCluster"  # SageMaker's name of the only instance group


@dataclass(frozen=True)
class Host:
    """One of the hosts of a job. interface: the network interface between the hosts."""

    name: str
    all_names: Sequence[str]
    interface: str

    def resource_config(self, instance: str) -> dict[str, Any]:
        """Returns the content of resourceconfig.json."""
        names = list(self.all_names)
        group = {"instance_group_name": INSTANCE_GROUP, "instance_type": instance, "hosts": names}
        return {
            "current_host": self.name,
            "current_instance_type": instance,
            "current_group_name": INSTANCE_GROUP,
            "hosts": names,
            "instance_groups": [group],
            "network_interface_name": self.interface,
        }


def write_host_folder(opt_ml: OptMl, job: Job, host: Host) -> None:
    """Writes a host's config files, the input files that the launcher generates, and empty output folders. The backend
    links or mounts the other inputs.

    Args:
        opt_ml: The host's folder.
        job: The job.
        host: The host.
    """
    if job.is_training:
        channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        write_json(opt_ml.config / "hyperparameters.json", {**job.settings, **job.entry})
        write_json(opt_ml.config / "inputdataconfig.json", {each.name: channel for each in job.inputs})
        write_json(opt_ml.config / "resourceconfig.json", host.resource_config(job.machine.instance))
        folders = [opt_ml.model, opt_ml.output_data]
    else:
        request = processing_request(job)
        arn = f"arn:aws:sagemaker:local:000000000000:processing-job/{job.name}"
        write_json(opt_ml.processing_config / "processingjobconfig.json", {"ProcessingJobArn": arn, **request})
        write_json(opt_ml.processing_config / "resourceconfig.json", host.resource_config(job.machine.instance))
        folders = [opt_ml.processing / job.type.output, opt_ml.output]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for each in job.inputs:
        if each.content is not None:
            write_text(input_folder(opt_ml, job, each) / each.source, each.text)


def entry_arguments(job: Job) -> list[str]:
    """Returns the arguments of the image's entry point; a training reads its settings from hyperparameters.json."""
    return [job.type.name] if job.is_training else container_arguments(job)


def input_mounts(opt_ml: OptMl, job: Job, sources: Mapping[str, Path]) -> dict[Path, Path]:
    """Returns where each input must be for a host.

    Args:
        opt_ml: The host's folder.
        job: The job.
        sources: Local path of each input by name.

    Returns:
        The source of each path below opt_ml.
    """
    mounts = {}
    for each in job.inputs:
        if each.content is None:
            source, folder = sources[each.name], input_folder(opt_ml, job, each)
            mounts[folder / source.name if source.is_file() else folder] = source
    return mounts


def input_folder(opt_ml: OptMl, job: Job, each: Input) -> Path:
    """Returns the folder of an input on a host."""
    return opt_ml.channel(each.name) if job.is_training else opt_ml.processing_input(each.name)


def link_inputs(mounts: Mapping[Path, Path]) -> None:
    """Creates a symbolic link at each path to its source."""
    for path, source in mounts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.resolve(), path, target_is_directory=source.is_dir())


def job_below(job: Job, base: Path) -> Job:
    """Returns the job with base instead of /opt/ml in the paths of its settings."""
    return replace(
        job,
        settings=_paths_below(job, job.settings, base),
        inputs=tuple(
            each if each.content is None else replace(each, content=_paths_below(job, each.content, base))
            for each in job.inputs
        ),
    )


def _paths_below(job: Job, settings: Mapping[str, Any], base: Path) -> dict[str, Any]:
    paths = (*job.type.files, *job.type.tables)
    in_container = re.compile(rf'(?<![^"]){IN_CONTAINER}/')  # at the start of a value, or of an item of a JSON list

    def below(value: Any) -> Any:
        return [below(item) for item in value] if isinstance(value, list) else in_container.sub(f"{base}/", value)

    return {name: below(value) if name in paths else value for name, value in settings.items()}
