"""How a training job is started: as it stands, or as torchrun's children where several GPUs or hosts work on it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from container.tree import Hosts
from model.errors import Failure, InputError, listing
from model.settings.train import TrainSettings

PORT = 7777  # as AWS's PyTorch toolkit has it; where MASTER_PORT is set, that
NAMES_WITHIN = 15 * 60.0  # seconds in which the names of all hosts must be found
INTERFACES = Path("/sys/class/net")


def gpu_count() -> int:
    """GPUs that the driver shows, 0 where there is none."""
    try:
        told = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(line.startswith("GPU ") for line in told.splitlines())


def process_count(settings: TrainSettings, variables: Mapping[str, str]) -> int:
    """Processes that train on this host: as set, else one a GPU."""
    if settings.processes_per_host:
        return settings.processes_per_host
    if settings.device not in ("auto", "cuda"):
        return 1
    visible = variables.get("CUDA_VISIBLE_DEVICES")
    named = len([word for word in visible.split(",") if word.strip()]) if visible is not None else gpu_count()
    return max(1, min(named, gpu_count()))


def torchrun(
    script: Path, flags: Sequence[str], processes: int, hosts: Hosts, variables: Mapping[str, str]
) -> list[str]:
    """The command that starts a script once a process, each under container.rank."""
    places = ["--nproc_per_node", str(processes)]
    if len(hosts.names) > 1:
        places += ["--nnodes", str(len(hosts.names)), "--node_rank", str(hosts.rank)]
        places += ["--master_addr", hosts.master, "--master_port", variables.get("MASTER_PORT", str(PORT))]
    else:
        places += ["--standalone", "--local-addr", "127.0.0.1"]  # the host's name may have no address
    return [sys.executable, "-m", "torch.distributed.run", *places, "--module", "container.rank", str(script), *flags]


def torchrun_variables(hosts: Hosts, processes: int, variables: Mapping[str, str]) -> dict[str, str]:
    """What torchrun's children need beside; a variable that is set already wins."""
    found = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // processes))}
    if len(hosts.names) > 1 and hosts.interface and (INTERFACES / hosts.interface).exists():
        found |= {"NCCL_SOCKET_IFNAME": hosts.interface, "GLOO_SOCKET_IFNAME": hosts.interface}
    return {name: value for name, value in found.items() if name not in variables}


def wait_for_names(hosts: Hosts, within: float = NAMES_WITHIN) -> None:
    """Returns when every host's name can be resolved, which is not so from the start. Failure names those that
    cannot."""
    end = time.monotonic() + within
    while missing := [name for name in hosts.names if not _resolves(name)]:
        if time.monotonic() > end:
            raise Failure(f"the hosts {listing(missing)} have no address after {within:g} s")
        time.sleep(1)


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, PORT)
    except OSError:
        return False
    return True


def refuse_alone(settings: TrainSettings, world: int) -> None:
    """InputError where several processes are asked for and only this one was started."""
    if settings.processes_per_host > 1 and world == 1:
        raise InputError(
            f"processes_per_host = {settings.processes_per_host}: this is one process; several are started by "
            "python -m container.entrypoint train, or by torchrun"
        )
