"""Writes the tree below /opt/ml that SageMaker would mount for a job, a tree a host."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container.opt_ml import IN_CONTAINER, OptMl
from jobs.requests.train_and_process import processing_request
from jobs.spec.job import Job
from model.atomic_write import write_json

GROUP = "homogeneousCluster"  # SageMaker's name of the group where there is one


@dataclass(frozen=True)
class Host:
    """current: this one's name; names: all, sorted; interface: the network's between them."""

    current: str
    names: Sequence[str]
    interface: str

    def resources(self, instance: str) -> dict[str, Any]:
        """resourceconfig.json."""
        group = {"instance_group_name": GROUP, "instance_type": instance, "hosts": list(self.names)}
        return {
            "current_host": self.current,
            "current_instance_type": instance,
            "current_group_name": GROUP,
            "hosts": list(self.names),
            "instance_groups": [group],
            "network_interface_name": self.interface,
        }


def write_tree(layout: OptMl, job: Job, host: Host) -> None:
    """The config files and the empty folders; inputs are put in by whoever starts the job."""
    if job.is_training:
        channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        write_json(layout.config / "hyperparameters.json", {**job.settings, **job.entry})
        write_json(layout.config / "inputdataconfig.json", {given.name: channel for given in job.inputs})
        write_json(layout.config / "resourceconfig.json", host.resources(job.machine.instance))
        folders = [layout.model, layout.output_data]
    else:
        request = processing_request(job)
        arn = f"arn:aws:sagemaker:local:000000000000:processing-job/{job.name}"
        write_json(layout.processing_config / "processingjobconfig.json", {"ProcessingJobArn": arn, **request})
        write_json(layout.processing_config / "resourceconfig.json", host.resources(job.machine.instance))
        folders = [layout.processing / job.type.output, layout.output]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)


def input_places(layout: OptMl, job: Job, sources: Mapping[str, Path]) -> dict[Path, Path]:
    """Where each input's folder or file has to appear: {place in the tree: source}. sources: by input."""
    places = {}
    for given in job.inputs:
        source = sources[given.name]
        folder = layout.channel(given.name) if job.is_training else layout.processing_input(given.name)
        places[folder / source.name if source.is_file() else folder] = source
    return places


def link_inputs(places: Mapping[Path, Path]) -> None:
    for place, source in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.resolve(), place, target_is_directory=source.is_dir())


def rebased(job: Job, base: Path) -> dict[str, str]:
    """The settings of a job whose tree stands at base: files that came along are found there."""
    lead = str(IN_CONTAINER)
    return {
        name: f"{base}{value[len(lead) :]}" if name in job.type.files and value.startswith(f"{lead}/") else value
        for name, value in job.settings.items()
    }
