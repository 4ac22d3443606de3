"""--on here: runs a job as processes on this machine, one per host, each with its own folder laid out as /opt/ml."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from container.environment import Environment
from container.opt_ml import BASE_DIR, JOB_VARIABLES, OptMl
from container.project_root import PROJECT_ROOT
from jobs.aws.clients import Clients
from jobs.backends.child_processes import HostCommand, run_hosts
from jobs.backends.hosts import Host, entry_arguments, input_mounts, job_below, link_inputs, write_host_folder
from jobs.backends.local_run import also_logged, collect, fetch_inputs, keep_checkpoints, start_record
from jobs.spec.console import PrintLine
from jobs.spec.flag_groups import HERE
from jobs.spec.job import Job
from jobs.spec.results_folder import ResultsFolder


def run(job: Job, results: Path, clients: Clients, print_line: PrintLine) -> int:
    """Runs a job to its end and collects its results; returns its exit code.

    The hosts of a training connect through loopback addresses, since names such as algo-1 do not resolve here. Other
    jobs use the names algo-1, algo-2, ..., after which their output folders are named.

    Args:
        job: The job.
        results: Folder with the results of all jobs.
        clients: Clients of the AWS account, for inputs in S3.
        print_line: Prints a line of output.
    """
    record = start_record(job, results, HERE)
    folder = ResultsFolder(record.folder.resolve())
    sources = fetch_inputs(job, record, clients)
    checkpoints = Path(job.checkpoints or folder.path / "checkpoints").resolve()
    # write the folder of each host, and build its command
    addresses = {f"algo-{number}": f"127.0.0.{number}" for number in range(1, job.machine.count + 1)}
    names = list(addresses.values() if job.is_training else addresses)
    port = free_port()
    hosts: dict[str, OptMl] = {}
    commands: dict[str, HostCommand] = {}
    for host, name in zip(addresses, names, strict=True):
        opt_ml = hosts[host] = OptMl(folder.hosts / host)
        host_job = job_below(job, opt_ml.base)
        write_host_folder(opt_ml, host_job, Host(name, names, "lo"))
        link_inputs(input_mounts(opt_ml, host_job, sources))
        if job.is_training:
            checkpoints.mkdir(parents=True, exist_ok=True)
            opt_ml.checkpoints.symlink_to(checkpoints, target_is_directory=True)
        arguments = [sys.executable, "-m", "container.entrypoint", *entry_arguments(host_job)]
        commands[host] = HostCommand(arguments, process_variables(job, opt_ml, port), opt_ml.base)
    print_line(f"{job.type.name} {job.name} on this machine, results in {record.folder}")
    codes = run_hosts(commands, folder.log, print_line)
    # move the outputs to the results
    record = collect(job, record, hosts, codes, also_logged(print_line, folder.log))
    keep_checkpoints(job, record, checkpoints, print_line)
    return record.code or 0


def free_port() -> int:
    """Returns a free port of this machine."""
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def process_variables(job: Job, opt_ml: OptMl, port: int) -> dict[str, str]:
    """Returns the environment of a host's process: that of this process without the variables that a job reads.

    Args:
        job: The job.
        opt_ml: The host's folder.
        port: Port at which the hosts of a training connect.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(JOB_VARIABLES)}
    tracking = {name: value for name, value in Environment().variables.items() if name.startswith("WANDB_")}
    job_name = {"TRAINING_JOB_NAME": job.name} if job.is_training else {}
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
    own = {BASE_DIR: str(opt_ml.base), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "MASTER_PORT": str(port)}
    return {**inherited, **tracking, **job_name, **job.environment, **own}
