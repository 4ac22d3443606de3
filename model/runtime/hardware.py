"""The hardware that a network runs on: device, precision, compilation, memory allocator of the CPU."""

from __future__ import annotations

import ctypes
import logging
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model.errors import InputError
from model.runtime.terminal import counted

log = logging.getLogger("rarebird")

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CPU_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # flags for bf16 units in /proc/cpuinfo; the last one is Arm's
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from glibc's malloc.h
COMPILERS = ("g++", "gcc")  # torch.compile needs one of these


@dataclass(frozen=True)
class Hardware:
    """A device and how a network computes on it.

    Attributes:
        device: The device.
        precision: fp32, bf16 or fp16. The latter two use autocast; weights are always fp32.
        channels_last: Whether network and batches use the channels_last memory format.
    """

    device: torch.device
    precision: str
    channels_last: bool = True

    def autocast(self) -> AbstractContextManager[Any]:
        """A context for forward passes in this precision."""
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "fp32")

    def place(self, network: nn.Module) -> nn.Module:
        """Moves a network to the device, in its memory format."""
        memory_format = torch.channels_last if self.channels_last else torch.contiguous_format
        return network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload]

    def gpu_problem(self) -> str:
        """Torch's reason why it cannot use a GPU; "" on a GPU."""
        if self.device.type != "cpu":
            return ""
        try:
            torch.cuda.init()
        except (RuntimeError, AssertionError) as error:  # AssertionError: a build without CUDA
            reason = str(error).splitlines()[0].rstrip(".")
            return f"torch {torch.__version__}, built for CUDA {torch.version.cuda or 'none'}: {reason}"
        return ""

    def __str__(self) -> str:
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {self.precision}"
        return f"CPU, {counted(torch.get_num_threads(), 'thread')}, {self.precision}"


def find_hardware(device: str, precision: str, channels_last: bool = True, local_rank: int = 0) -> Hardware:
    """Resolves the settings `device` and `precision` on this machine.

    Args:
        device: auto, cpu, cuda or cuda:N. With cuda, each process of a host uses the GPU with its local_rank.
        precision: auto, fp32, bf16 or fp16.
        channels_last: As in Hardware.
        local_rank: Number of this process on its host, from 0.

    Raises:
        InputError: If there is no such device, or it does not support the precision.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if name == "cuda":
        name = f"cuda:{local_rank % max(torch.cuda.device_count(), 1)}"
    try:
        resolved = torch.device(name)
    except RuntimeError:
        raise InputError(f"device {device!r}: expected auto, cpu, cuda or cuda:N") from None
    if resolved.type not in ("cpu", "cuda"):
        raise InputError(f"device {device!r}: expected auto, cpu, cuda or cuda:N")
    if resolved.type == "cuda":
        if not torch.cuda.is_available() or (resolved.index or 0) >= torch.cuda.device_count():
            raise InputError(f"device {device!r}: this machine has {counted(torch.cuda.device_count(), 'GPU')}")
        torch.cuda.set_device(resolved)
    else:
        keep_freed_memory()
    if precision == "auto":
        precision = _fastest_precision(resolved)
    if precision == "fp16" and resolved.type == "cpu":
        raise InputError("precision fp16 needs a GPU; on a CPU use fp32 or bf16")
    if precision == "fp32":
        forbid_tf32()
    return Hardware(resolved, precision, channels_last)


def _fastest_precision(device: torch.device) -> str:
    """bf16 on hardware with bf16 units, fp16 on older GPUs, fp32 on other CPUs."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    return "bf16" if CPU_BF16 & cpu_flags() else "fp32"


def cpu_flags() -> set[str]:
    """Instruction sets of the first processor on Linux; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    flags = [line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features"))]
    return set(flags[0]) if flags else set()


def forbid_tf32() -> None:
    """Disables TF32 on GPUs: by default cuDNN's convolutions round fp32 inputs to TF32 (10 bits of mantissa).

    With TF32 on an H200, probabilities differed from a CPU's by up to 0.003, and depended on the batch of an image.
    """
    torch.backends.cudnn.allow_tf32 = False


def keep_freed_memory() -> None:
    """Makes glibc keep large freed memory blocks. Does nothing with other C libraries.

    By default glibc returns them to the system, and every step causes new page faults. Keeping them made training of a
    MobileNetV2 1.2 to 1.3 times as fast on two cores.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    # glibc before 2.35 refuses more than 32 MiB
    if mallopt(M_MMAP_THRESHOLD, 1 << 30) or mallopt(M_MMAP_THRESHOLD, 1 << 25):
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


def compiled(network: nn.Module) -> Callable[..., torch.Tensor]:
    """Applies torch.compile. Without a C++ compiler it returns the network unchanged and logs a warning."""
    from torch._inductor import config  # has the list of compilers: $CXX, or the system's

    if not any(shutil.which(name) for name in (*config.cpp.cxx, *COMPILERS) if name):
        log.warning("compile is ignored, because no C++ compiler (g++) is installed")
        return network
    return torch.compile(network)
