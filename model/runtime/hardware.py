"""The machine that a network runs on: device, arithmetic, and the memory allocator of a CPU."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model.errors import InputError

log = logging.getLogger("rarebird")

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
CPU_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # flags of /proc/cpuinfo, the last is Arm's


@dataclass(frozen=True)
class Hardware:
    """device, and precision: fp32, bf16 or fp16 (autocast; the weights stay fp32)."""

    device: torch.device
    precision: str
    channels_last: bool = True

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of a forward pass."""
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "fp32")

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device in its memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return network.to(self.device, memory_format=layout)  # type: ignore[call-overload]

    def pictures(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (N, height, width, channels) from a loader as (N, channels, height, width) on the device."""
        batch = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        return batch if self.channels_last else batch.contiguous()

    def __str__(self) -> str:
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {self.precision}"
        return f"CPU, {torch.get_num_threads()} threads, {self.precision}"


def find_hardware(device: str, precision: str, channels_last: bool = True, local_rank: int = 0) -> Hardware:
    """The device and arithmetic that the settings of the same names ask for. InputError where there is no such
    device, or it cannot compute so."""
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if kind == "cuda":
        kind = f"cuda:{local_rank % max(torch.cuda.device_count(), 1)}"
    try:
        found = torch.device(kind)
    except RuntimeError:
        raise InputError(f"device {device!r}: expected auto, cpu, cuda or cuda:N") from None
    if found.type not in ("cpu", "cuda"):
        raise InputError(f"device {device!r}: expected auto, cpu, cuda or cuda:N")
    if found.type == "cuda":
        if not torch.cuda.is_available() or (found.index or 0) >= torch.cuda.device_count():
            raise InputError(f"device {device!r}: this machine shows {torch.cuda.device_count()} GPUs")
        torch.cuda.set_device(found)
    else:
        keep_freed_memory()
    if precision == "auto":
        precision = _gaining_precision(found)
    if precision == "fp16" and found.type == "cpu":
        raise InputError("precision fp16 needs a GPU; a CPU computes in fp32 or bf16")
    return Hardware(found, precision, channels_last)


def _gaining_precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    return "bf16" if CPU_BF16 & cpu_flags() else "fp32"


def cpu_flags() -> set[str]:
    """Instruction sets of the first processor (Linux), empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    named = [line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features"))]
    return set(named[0]) if named else set()


def keep_freed_memory() -> None:
    """glibc gives large freed blocks back to the system and faults them in anew at every step; keeping them made a
    MobileNetV2 train 1.2 to 1.3 times as fast on two cores. Elsewhere than glibc nothing is done."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    # glibc before 2.35 refuses more than 32 MiB
    if mallopt(M_MMAP_THRESHOLD, 1 << 30) or mallopt(M_MMAP_THRESHOLD, 1 << 25):
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


def compiled(network: nn.Module) -> Callable[..., torch.Tensor]:
    """torch.compile, or the network as it is with a warning where something that it needs is missing."""
    if shutil.which(os.environ.get("CXX", "g++")) is None and shutil.which("gcc") is None:
        log.warning("compile: no C++ compiler (g++) is installed here; going on without it")
        return network
    return torch.compile(network)


def worker_count(setting: int) -> int:
    """Processes that read pictures: as set, or by the number of cores this process may use."""
    if setting >= 0:
        return setting
    return max(1, min(core_count() - 1, 12))


def core_count() -> int:
    """Processor cores that this process may use, by its affinity and its control group's quota (docker run --cpus)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(cpu_quota() or cores)))


def cpu_quota(groups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores' worth of time that a control group may use (kernel documents: cgroup-v2, and sched-bwc for version 1);
    None where it has no quota."""
    try:
        told = (groups / "cpu.max").read_text().split()
    except OSError:
        try:
            told = [(groups / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")]
        except OSError:
            return None
    return int(told[0]) / int(told[1]) if told[0].isdecimal() else None
