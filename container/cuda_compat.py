"""CUDA on a host whose driver is older than the CUDA that the image brings (NVIDIA, "CUDA Compatibility", Forward
Compatibility; SageMaker Developer Guide, "Updating inference containers to comply with the NVIDIA Container
Toolkit": since its version 1.17.4 the toolkit leaves it to the container)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

COMPAT = Path("/usr/local/cuda/compat")  # the package cuda-compat-13-0, which NVIDIA's base images have
DRIVER = Path("/proc/driver/nvidia/version")


def compat_variables(variables: Mapping[str, str], compat: Path = COMPAT, driver: Path = DRIVER) -> dict[str, str]:
    """LD_LIBRARY_PATH with the compatibility package's driver library in front where the host's driver is of an older
    branch (535 where the package is of 580); {} where it is not, and where there is no driver or no package. A driver
    of the same branch has the same CUDA, and a newer one must not be given the older library."""
    host, ours = _host_branch(driver), _library_branch(compat / "libcuda.so.1")
    if host is None or ours is None or host >= ours:
        return {}
    before = variables.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{compat}:{before}" if before else str(compat)}


def _host_branch(driver: Path) -> int | None:
    try:
        told = driver.read_text()
    except OSError:
        return None
    found = re.search(r"^NVRM version:.*?\s(\d+)\.[\d.]+\s", told, re.MULTILINE)
    return int(found[1]) if found else None


def _library_branch(library: Path) -> int | None:
    """libcuda.so.1 is a link to libcuda.so.VERSION."""
    found = re.fullmatch(r"libcuda\.so\.(\d+)\.[\d.]+", library.resolve().name)
    return int(found[1]) if found else None
