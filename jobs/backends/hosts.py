"""The hosts of a job on this machine: each one's folder with the config files that SageMaker would mount at /opt/ml."""

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

INSTANCE_GROUP = "homogeneousCluster"  # SageMaker's name of the group where there is one


@dataclass(frozen=True)
class Host:
    """A host among those of its job. interface: the network's between them."""

    name: str
    all_names: Sequence[str]
    interface: str

    def resource_config(self, instance: str) -> dict[str, Any]:
        """resourceconfig.json."""
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
    """Writes a host's config files, the files that the launcher makes and empty output folders; the backend puts the
    other inputs in."""
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
    """The arguments of the image's entry point; a training has its settings from hyperparameters.json."""
    return [job.type.name] if job.is_training else container_arguments(job)


def input_mounts(opt_ml: OptMl, job: Job, sources: Mapping[str, Path]) -> dict[Path, Path]:
    """Where a host must find each input's folder or file.

    Args:
        sources: Local paths by input.

    Returns:
        {path below opt_ml: source}.
    """
    mounts = {}
    for each in job.inputs:
        if each.content is None:
            source, folder = sources[each.name], input_folder(opt_ml, job, each)
            mounts[folder / source.name if source.is_file() else folder] = source
    return mounts


def input_folder(opt_ml: OptMl, job: Job, each: Input) -> Path:
    """The folder of an input of a job on a host."""
    return opt_ml.channel(each.name) if job.is_training else opt_ml.processing_input(each.name)


def link_inputs(mounts: Mapping[Path, Path]) -> None:
    """Makes each path a symbolic link to its source."""
    for path, source in mounts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.resolve(), path, target_is_directory=source.is_dir())


def job_below(job: Job, base: Path) -> Job:
    """A job whose folder is base instead of /opt/ml: in its settings, paths of files that were sent along change."""
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
    in_container = re.compile(rf'(?<![^"]){IN_CONTAINER}/')  # at the beginning of a text, or of an item of a JSON list

    def below(value: Any) -> Any:
        return [below(item) for item in value] if isinstance(value, list) else in_container.sub(f"{base}/", value)

    return {name: below(value) if name in paths else value for name, value in settings.items()}
