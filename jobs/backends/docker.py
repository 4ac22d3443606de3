"""--on docker: runs a job in containers of the image, one per host, each with its own /opt/ml as on SageMaker."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from container.environment import Environment
from container.opt_ml import IN_CONTAINER, OptMl
from jobs.aws.clients import Clients
from jobs.backends.child_processes import HostCommand, run_hosts
from jobs.backends.hosts import Host, entry_arguments, input_mounts, write_host_folder
from jobs.backends.local_run import also_logged, collect, fetch_inputs, keep_checkpoints, start_record
from jobs.spec.console import PrintLine
from jobs.spec.flag_groups import DOCKER
from jobs.spec.flags import LOCAL_IMAGE
from jobs.spec.job import Job
from jobs.spec.results_folder import ResultsFolder
from model.errors import Failure, InputError

STOP_SECONDS = 120  # between SIGTERM and SIGKILL, as on SageMaker
ENGINE = "docker"


@dataclass(frozen=True)
class ContainerOptions:
    """Options that all containers of a job share.

    Attributes:
        image: Name of the image.
        shm_size: Size of /dev/shm, such as "2g".
        gpus: Value of docker's --gpus, None for no GPU.
        network: Name of the network between several hosts, None for a single host.
    """

    image: str
    shm_size: str
    gpus: str | None
    network: str | None = None


def run(job: Job, results: Path, clients: Clients, shm_size: str, gpus: str, print_line: PrintLine) -> int:
    """Runs a job to its end and collects its results; returns its exit code.

    The hosts are called algo-1, algo-2, ... as on SageMaker. Several hosts share a docker network.

    Args:
        job: The job.
        results: Folder with the results of all jobs.
        clients: Clients of the AWS account, for inputs in S3.
        shm_size, gpus: The flags --shm_size and --gpus.
        print_line: Prints a line of output.
    """
    # check docker and download inputs in S3
    image = job.account.image or LOCAL_IMAGE
    check_engine(image)
    record = start_record(job, results, DOCKER)
    folder = ResultsFolder(record.folder.resolve())
    sources = fetch_inputs(job, record, clients)
    checkpoints = Path(job.checkpoints or folder.path / "checkpoints").resolve()
    if job.is_training:
        checkpoints.mkdir(parents=True, exist_ok=True)
    # write the folder of each host, and build its command
    names = [f"algo-{number}" for number in range(1, job.machine.count + 1)]
    network = job.name if len(names) > 1 else None
    options = ContainerOptions(image, shm_size, gpus_option(gpus), network)
    mounts = input_mounts(OptMl(), job, sources)
    hosts: dict[str, OptMl] = {}
    commands: dict[str, HostCommand] = {}
    for name in names:
        opt_ml = hosts[name] = OptMl(folder.hosts / name)
        write_host_folder(opt_ml, job, Host(name, names, "eth0"))
        arguments = docker_run(job, name, opt_ml.base, mounts, checkpoints, options)
        commands[name] = HostCommand(arguments, engine_variables(job), folder.path)
    # run the containers to their end, then remove them
    print_line(f"{job.type.name} {job.name} in {image}, results in {record.folder}")
    try:
        if network:
            engine(*network_command(job, network))
        codes = run_hosts(commands, folder.log, print_line)
    finally:
        for name in names:
            engine("rm", "--force", f"{job.name}-{name}", check=False)
        if network:
            engine("network", "rm", network, check=False)
    # move the outputs to the results
    record = collect(job, record, hosts, codes, also_logged(print_line, folder.log))
    keep_checkpoints(job, record, checkpoints, print_line)
    return record.code or 0


def network_command(job: Job, name: str) -> list[str]:
    """Returns the docker arguments that create the network between hosts. In an isolated job the hosts reach only each
    other."""
    return ["network", "create", *(["--internal"] if job.account.isolated else []), name]


def docker_run(
    job: Job, host: str, base: Path, mounts: Mapping[Path, Path], checkpoints: Path, options: ContainerOptions
) -> list[str]:
    """Returns the `docker run` command of a host. Environment variables are passed by name only: values may be secret.

    Args:
        job: The job.
        host: Name of the host.
        base: Folder of the host on this machine, mounted at /opt/ml.
        mounts: Source of each input by its path in the container.
        checkpoints: Folder on this machine for the checkpoints of a training.
        options: Options of all containers of the job.
    """
    command = [ENGINE, "run", "--name", f"{job.name}-{host}", "--hostname", host]
    command += ["--stop-timeout", str(STOP_SECONDS), "--shm-size", options.shm_size]
    if options.network:
        command += ["--network", options.network, "--network-alias", host]
    elif job.account.isolated:
        command += ["--network", "none"]
    if options.gpus:
        command += ["--gpus", options.gpus]
    command += ["--volume", f"{base}:{IN_CONTAINER}"]
    for path, source in mounts.items():
        command += ["--volume", f"{source.resolve()}:{path}:ro"]
    if job.is_training:
        command += ["--volume", f"{checkpoints}:{OptMl().checkpoints}"]
    for name in container_variables(job):
        command += ["--env", name]
    return [*command, options.image, *entry_arguments(job)]


def container_variables(job: Job) -> dict[str, str]:
    """Returns the environment variables of the containers."""
    tracking = {name: value for name, value in Environment().variables.items() if name.startswith("WANDB_")}
    return {**tracking, **({"TRAINING_JOB_NAME": job.name} if job.is_training else {}), **job.environment}


def engine_variables(job: Job) -> dict[str, str]:
    """Returns the environment of the docker command, from which `--env NAME` takes the values."""
    return {**os.environ, **container_variables(job)}


def gpus_option(flag: str) -> str | None:
    """Returns the value of docker's --gpus for the launcher's flag; `auto` means all if this machine has GPUs."""
    if flag == "none":
        return None
    if flag != "auto":
        return flag
    return "all" if shutil.which("nvidia-smi") else None


def engine(*arguments: str, check: bool = True) -> str:
    """Runs a docker command and returns its output. Raises Failure if it fails, unless check is False."""
    try:
        completed = subprocess.run([ENGINE, *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError("docker is not installed; install it, or use --on here") from None
    if check and completed.returncode:
        raise Failure(f"docker {arguments[0]} failed: {completed.stderr.strip()}")
    return completed.stdout.strip()


def check_engine(image: str) -> None:
    """Raises InputError if docker does not respond or does not have the image."""
    try:
        engine("version", "--format", "{{.Server.Version}}")
    except Failure as error:
        raise InputError(f"docker does not respond: {error}") from None
    if not engine("images", "--quiet", image):
        raise InputError(f"no image {image}; build it with docker build -t {LOCAL_IMAGE} . or set --image")
