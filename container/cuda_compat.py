"""CUDA's forward compatibility: the driver library for a host whose driver is older than the CUDA of the image.

Sources: NVIDIA, "CUDA Compatibility", Forward Compatibility; SageMaker Developer Guide, "Updating inference containers
to comply with the NVIDIA Container Toolkit": since its version 1.17.4 the toolkit leaves it to the container.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

COMPAT = Path("/usr/local/cuda/compat")  # the package cuda-compat-13-0, which NVIDIA's base images have
DRIVER = Path("/proc/driver/nvidia/version")


def compat_variables(variables: Mapping[str, str], compat: Path = COMPAT, driver: Path = DRIVER) -> dict[str, str]:
    """The variable that makes processes use the compatibility package's driver library, if the host's driver is older.

    Drivers are compared by branch (535 is older than 580): one of the same branch has the same CUDA, and a newer one
    must not get the older library.

    Args:
        variables: The environment variables so far.
        compat: The folder of the compatibility package.
        driver: The file in which the kernel module of the driver writes its version.

    Returns:
        LD_LIBRARY_PATH with the package's folder in front; {} without an older driver or without the package.
    """
    host, package = _host_branch(driver), _library_branch(compat / "libcuda.so.1")
    if host is None or package is None or host >= package:
        return {}
    before = variables.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{compat}:{before}" if before else str(compat)}


def _host_branch(driver: Path) -> int | None:
    try:
        text = driver.read_text()
    except OSError:
        return None
    match = re.search(r"^NVRM version:.*?\s(\d+)\.[\d.]+\s", text, re.MULTILINE)
    return int(match[1]) if match else None


def _library_branch(library: Path) -> int | None:
    """libcuda.so.1 is a link to libcuda.so.VERSION."""
    match = re.fullmatch(r"libcuda\.so\.(\d+)\.[\d.]+", library.resolve().name)
    return int(match[1]) if match else None
