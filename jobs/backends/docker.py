"""--on docker: a job in the image, a container a host, each with the tree below /opt/ml that SageMaker would mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from container.environment import Environment
from container.opt_ml import IN_CONTAINER, OptMl
from jobs.aws.clients import Clients, Tell
from jobs.backends.local_run import LOG, Child, begin, bring_inputs, collect, keep_checkpoints, run_children
from jobs.backends.opt_ml import Host, input_places, write_tree
from jobs.requests.train_and_process import arguments
from jobs.spec.flags import DOCKER, LOCAL_IMAGE
from jobs.spec.job import Job
from model.errors import Failure, InputError

STOP_SECONDS = 120  # between SIGTERM and SIGKILL, as on SageMaker
ENGINE = "docker"


def run(job: Job, results: Path, clients: Clients, shm_size: str, gpus: str, tell: Tell) -> int:
    """The job's exit code. Several hosts are algo-1, algo-2, ... on a network of their own."""
    image = job.account.image or LOCAL_IMAGE
    check_engine(image)
    record = begin(job, results, DOCKER)
    folder = record.folder.resolve()
    sources = bring_inputs(job, record, clients)
    checkpoints = Path(job.checkpoints or folder / "checkpoints").resolve()
    if job.is_training:
        checkpoints.mkdir(parents=True, exist_ok=True)
    names = [f"algo-{number}" for number in range(1, job.machine.count + 1)]
    layouts: dict[str, OptMl] = {}
    children: dict[str, Child] = {}
    network = job.name if len(names) > 1 else None
    words = [job.type.name] if job.is_training else arguments(job)
    for name in names:
        layout = layouts[name] = OptMl(folder / "ml" / name)
        write_tree(layout, job, Host(name, names, "eth0"))
        mounts = input_places(OptMl(), job, sources)
        command = docker_run(
            job, image, name, words, layout.base, mounts, checkpoints, network, shm_size, gpu_flag(gpus)
        )
        children[name] = Child(command, container_variables(job), folder)
    tell(f"{job.type.name} {job.name} in {image}, results in {record.folder}")
    try:
        if network:
            engine(*network_command(job, network))
        codes = run_children(children, folder / LOG, tell)
    finally:
        for name in names:
            engine("rm", "--force", f"{job.name}-{name}", check=False)
        if network:
            engine("network", "rm", network, check=False)
    code = collect(job, record, layouts, codes, tell)
    keep_checkpoints(job, record, code, checkpoints, tell)
    return code


def network_command(job: Job, name: str) -> list[str]:
    """The network of several hosts; isolated: they reach each other and nothing else."""
    return ["network", "create", *(["--internal"] if job.account.isolated else []), name]


def docker_run(
    job: Job,
    image: str,
    host: str,
    words: Sequence[str],
    tree: Path,
    mounts: Mapping[Path, Path],  # {place in the container: source}
    checkpoints: Path,
    network: str | None,
    shm_size: str,
    gpus: str | None,
) -> list[str]:
    """The command of a host's container. Values of variables that may be secret are handed on by name alone."""
    command = [ENGINE, "run", "--name", f"{job.name}-{host}", "--hostname", host]
    command += ["--stop-timeout", str(STOP_SECONDS), "--shm-size", shm_size]
    if network:
        command += ["--network", network, "--network-alias", host]
    elif job.account.isolated:
        command += ["--network", "none"]
    if gpus:
        command += ["--gpus", gpus]
    command += ["--volume", f"{tree}:{IN_CONTAINER}"]
    for place, source in mounts.items():
        command += ["--volume", f"{source.resolve()}:{place}:ro"]
    if job.is_training:
        command += ["--volume", f"{checkpoints}:{OptMl().checkpoints}"]
    for name in told_variables(job):
        command += ["--env", name]
    return [*command, image, *words]


def told_variables(job: Job) -> dict[str, str]:
    """The variables of the container."""
    tracking = {name: value for name, value in Environment().variables.items() if name.startswith("WANDB_")}
    return {**tracking, **({"TRAINING_JOB_NAME": job.name} if job.is_training else {}), **job.environment}


def container_variables(job: Job) -> dict[str, str]:
    """The environment of the docker command itself, from which --env NAME takes its values."""
    return {**os.environ, **told_variables(job)}


def gpu_flag(asked: str) -> str | None:
    """What --gpus is given: as asked; auto: all where this machine has some."""
    if asked == "none":
        return None
    if asked != "auto":
        return asked
    return "all" if shutil.which("nvidia-smi") else None


def engine(*words: str, check: bool = True) -> str:
    """What the engine prints. Failure where a command that has to succeed does not."""
    try:
        done = subprocess.run([ENGINE, *words], capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError("docker is not installed; --on here runs without it") from None
    if check and done.returncode:
        raise Failure(f"docker {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def check_engine(image: str) -> None:
    """InputError where there is no engine, or no such image in it."""
    try:
        engine("version", "--format", "{{.Server.Version}}")
    except Failure as error:
        raise InputError(f"the container engine does not answer: {error}") from None
    if not engine("images", "--quiet", image):
        raise InputError(f"there is no image {image}: docker build -t {LOCAL_IMAGE} . makes it; --image names another")
