"""--on here: a job as processes of this machine, one a host, each in a tree of its own as SageMaker lays it out."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

from container.environment import Environment
from container.opt_ml import BASE_DIR, JOB_VARIABLES, OptMl
from container.project import PROJECT_ROOT
from jobs.aws.clients import Clients, Tell
from jobs.backends.local_run import LOG, Child, begin, bring_inputs, collect, keep_checkpoints, run_children
from jobs.backends.opt_ml import Host, input_places, link_inputs, rebased, write_tree
from jobs.requests.train_and_process import arguments
from jobs.spec.flags import HERE
from jobs.spec.job import Job


def run(job: Job, results: Path, clients: Clients, tell: Tell) -> int:
    """The job's exit code. Hosts of a training find each other: they are addresses of the loopback network, which need
    no names. Those of other jobs are algo-1, algo-2, ... as everywhere, for their folders have these names."""
    record = begin(job, results, HERE)
    folder = record.folder.resolve()
    sources = bring_inputs(job, record, clients)
    checkpoints = Path(job.checkpoints or folder / "checkpoints").resolve()
    hosts = {f"algo-{number}": f"127.0.0.{number}" for number in range(1, job.machine.count + 1)}
    names = list(hosts.values() if job.is_training else hosts)
    port = free_port()
    layouts: dict[str, OptMl] = {}
    children: dict[str, Child] = {}
    for host, name in zip(hosts, names, strict=True):
        layout = layouts[host] = OptMl(folder / "ml" / host)
        here = replace(job, settings=rebased(job, layout.base))
        write_tree(layout, here, Host(name, names, "lo"))
        link_inputs(input_places(layout, here, sources))
        if job.is_training:
            checkpoints.mkdir(parents=True, exist_ok=True)
            layout.checkpoints.symlink_to(checkpoints, target_is_directory=True)
        words = [job.type.name] if job.is_training else arguments(here)
        command = [sys.executable, "-m", "container.entrypoint", *words]
        children[host] = Child(command, surroundings(job, layout, port), layout.base)
    tell(f"{job.type.name} {job.name} on this machine, results in {record.folder}")
    codes = run_children(children, folder / LOG, tell)
    code = collect(job, record, layouts, codes, tell)
    keep_checkpoints(job, record, code, checkpoints, tell)
    return code


def free_port() -> int:
    """One of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def surroundings(job: Job, layout: OptMl, port: int) -> dict[str, str]:
    """The environment of a process: this one's without what a job reads, so that the tree alone tells it. port: where
    several hosts meet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(JOB_VARIABLES)}
    tracking = {name: value for name, value in Environment().variables.items() if name.startswith("WANDB_")}
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
    told = {"TRAINING_JOB_NAME": job.name} if job.is_training else {}
    places = {BASE_DIR: str(layout.base), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "MASTER_PORT": str(port)}
    return {**kept, **tracking, **told, **job.environment, **places}
