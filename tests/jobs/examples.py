"""Example jobs and results of local jobs."""

from __future__ import annotations

from dataclasses import replace

from container.job_types import EVALUATION, TRAIN
from container.opt_ml import OptMl
from jobs.backends.hosts import Host, write_host_folder
from jobs.spec.inputs import Input
from jobs.spec.job import Account, Job, Machine
from jobs.spec.record import JobRecord, find_record
from tests.jobs.conftest import IMAGE, ROLE

ACCOUNTED = Account(ROLE, IMAGE, "rarebird-test")
TRAINING_JOB = Job(TRAIN, "exp-1", {"epochs": "3"}, (Input("train", "s3://rarebird-test/data"),), account=ACCOUNTED)
EVALUATION_JOB = replace(TRAINING_JOB, type=EVALUATION, settings={}, inputs=(Input("predictions", "s3://b/a"),))

LOCAL_JOB = Job(TRAIN, "exp-1", {"epochs": "3"}, (Input("train", "data"),), Machine(count=2))
HOST = Host("algo-2", ["algo-1", "algo-2"], "eth0")


def write_hosts(record: JobRecord, *hosts: str, job: Job = LOCAL_JOB) -> dict[str, OptMl]:
    """Writes the folders of a job's hosts, as the backends do."""
    hosts = {host: OptMl(record.folder / "ml" / host) for host in hosts}
    for opt_ml in hosts.values():
        write_host_folder(opt_ml, job, HOST)
    return hosts


def saved_state(record: JobRecord) -> str:
    """Returns the state of a job from its record on disk."""
    saved = find_record(record.folder.parent, record.name)
    assert saved is not None
    return saved.state
