"""Jobs of several processes: the number of processes, their GPUs, and the torchrun command that starts them."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from container.opt_ml import Hosts
from model.errors import Failure, InputError, listing

PORT = 7777  # as in AWS's PyTorch toolkit; MASTER_PORT overrides it
NAMES_SECONDS = 15 * 60.0  # within which the names of all hosts must resolve
INTERFACES = Path("/sys/class/net")


def gpu_count() -> int:
    """Number of GPUs that the driver lists, 0 without a driver."""
    try:
        output = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(line.startswith("GPU ") for line in output.splitlines())


def visible_gpus(variables: Mapping[str, str]) -> int:
    """Number of GPUs that the driver lists, without those that CUDA_VISIBLE_DEVICES hides."""
    return len(visible_gpu_names(variables))


def visible_gpu_names(variables: Mapping[str, str]) -> list[str]:
    """The GPUs that a process with these variables sees, named as in CUDA_VISIBLE_DEVICES."""
    visible, count = variables.get("CUDA_VISIBLE_DEVICES"), gpu_count()
    if visible is None:
        return list(map(str, range(count)))
    names = [name.strip() for name in visible.split(",")]
    # CUDA ignores all names after the first invalid one
    return list(itertools.takewhile(lambda name: name and name != "-1", names))[:count]


def process_count(processes: int, device: str, variables: Mapping[str, str]) -> int:
    """Number of processes that train, predict or serve on this host.

    Args:
        processes: The setting; 0 for one per visible GPU.
        device: The setting; values other than auto and cuda mean one process.
        variables: Environment variables.
    """
    return processes or max(1, len(divided_gpus(device, variables)))


def divided_gpus(device: str, variables: Mapping[str, str]) -> list[str]:
    """The GPUs that are divided between the processes of a host, named as in CUDA_VISIBLE_DEVICES.

    Args:
        device: The setting. If it is the CPU or one certain GPU, all processes use it and the result is [].
        variables: Environment variables.
    """
    return visible_gpu_names(variables) if device in ("auto", "cuda") else []


def own_gpu(number: int, gpus: Sequence[str]) -> dict[str, str]:
    """The variable that lets one of several processes see only its own GPU; {} without GPUs.

    Args:
        number: Number of the process, from 0.
        gpus: Result of divided_gpus. If there are more processes than GPUs, several processes use one GPU.
    """
    return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}


def torchrun(
    script: Path, flags: Sequence[str], processes: int, hosts: Hosts, variables: Mapping[str, str]
) -> list[str]:
    """The command line that starts a script in each process of this host, under container.torchrun_child.

    Args:
        script: The job script.
        flags: Its flags.
        processes: Number of processes on this host.
        hosts: The machines that work on the job.
        variables: Environment variables.
    """
    options = ["--nproc_per_node", str(processes)]
    if len(hosts.names) > 1:
        options += ["--nnodes", str(len(hosts.names)), "--node_rank", str(hosts.rank)]
        options += ["--master_addr", hosts.master, "--master_port", variables.get("MASTER_PORT", str(PORT))]
    else:
        options += ["--standalone", "--local-addr", "127.0.0.1"]  # the name of the host may not resolve
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        *options,
        "--module",
        "container.torchrun_child",
        str(script),
        *flags,
    ]


def torchrun_variables(hosts: Hosts, processes: int, variables: Mapping[str, str]) -> dict[str, str]:
    """Additional variables for torchrun's children, without those that are set already.

    Args:
        hosts: The machines that work on the job.
        processes: Number of processes on this host.
        variables: Environment variables.
    """
    defaults = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // processes))}
    if len(hosts.names) > 1 and hosts.interface and (INTERFACES / hosts.interface).exists():
        defaults |= {"NCCL_SOCKET_IFNAME": hosts.interface, "GLOO_SOCKET_IFNAME": hosts.interface}
    return {name: value for name, value in defaults.items() if name not in variables}


def wait_for_names(hosts: Hosts, within: float = NAMES_SECONDS) -> None:
    """Waits until the names of all hosts resolve, which takes a while after the start.

    Args:
        hosts: The hosts.
        within: Seconds.

    Raises:
        Failure: Some names do not resolve within that time.
    """
    end = time.monotonic() + within
    while missing := [name for name in hosts.names if not _resolves(name)]:
        if time.monotonic() > end:
            raise Failure(f"the names of the hosts {listing(missing)} do not resolve after {within:g} s")
        time.sleep(1)


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, PORT)
    except OSError:
        return False
    return True


def refuse_alone(setting: str, processes: int, world: int, job: str) -> None:
    """InputError if a setting requests several processes but only this one was started.

    Args:
        setting: Name of the setting.
        processes: Its value.
        world: Number of processes of this job.
        job: Name of the job.
    """
    if processes > 1 and world == 1:
        command = f"`python -m container.entrypoint {job}`{' or torchrun' if job == 'train' else ''}"
        raise InputError(f"{setting} = {processes}: the script itself is one process; start several with {command}")
