"""CUDA forward compatibility: uses the image's driver library if the host's driver is older than the image's CUDA.

Since NVIDIA Container Toolkit 1.17.4 the toolkit no longer does this; the container has to.

Sources: NVIDIA, "CUDA Compatibility", Forward Compatibility; SageMaker Developer Guide, "Updating inference containers
to comply with the NVIDIA Container Toolkit".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

COMPAT = Path("/usr/local/cuda/compat")  # from the package cuda-compat-13-0, part of NVIDIA's base images
DRIVER = Path("/proc/driver/nvidia/version")


def compat_variables(variables: Mapping[str, str], compat: Path = COMPAT, driver: Path = DRIVER) -> dict[str, str]:
    """The variable that makes processes load the driver library of the compatibility package.

    Drivers are compared by branch (535 is older than 580). A driver of the same branch supports the same CUDA version,
    and a newer driver must not be combined with the older library.

    Args:
        variables: The environment variables so far.
        compat: The folder of the compatibility package.
        driver: The file that contains the version of the driver's kernel module.

    Returns:
        LD_LIBRARY_PATH with the package's folder first; {} if the host's driver is not older, or there is no package.
    """
    host, package = _host_branch(driver), _library_branch(compat / "libcuda.so.1")
    if host is None or package is None or host >= package:
        return {}
    current = variables.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{compat}:{current}" if current else str(compat)}


def _host_branch(driver: Path) -> int | None:
    """The branch of the host's driver, None if there is no driver."""
    try:
        text = driver.read_text()
    except OSError:
        return None
    match = re.search(r"^NVRM version:.*?\s(\d+)\.[\d.]+\s", text, re.MULTILINE)
    return int(match[1]) if match else None


def _library_branch(library: Path) -> int | None:
    """The branch of a driver library, None if it is missing. libcuda.so.1 is a link to libcuda.so.VERSION."""
    match = re.fullmatch(r"libcuda\.so\.(\d+)\.[\d.]+", library.resolve().name)
    return int(match[1]) if match else None
