from __future__ import annotations

from pathlib import Path

import pytest

from container.cuda_compat import compat_variables

OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (builder)\nGCC version: 12.3.0\n"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Wed Jan 22 22:33:50 UTC 2025\nGCC version:  gcc 7.3.1\n"


@pytest.fixture
def compat(tmp_path: Path) -> Path:
    """The package cuda-compat-13-0 as in NVIDIA's base images."""
    folder = tmp_path / "compat"
    folder.mkdir()
    (folder / "libcuda.so.580.95.05").touch()
    (folder / "libcuda.so.1").symlink_to("libcuda.so.580.95.05")
    return folder


def variables(tmp_path: Path, compat: Path, driver_text: str | None, **others: str) -> dict[str, str]:
    driver = tmp_path / "version"
    if driver_text is not None:
        driver.write_text(driver_text)
    return compat_variables(others, compat, driver)


@pytest.mark.parametrize("text", [OPEN, CLOSED])
@pytest.mark.parametrize("version", ["535.54.03", "550.144.01", "570.211.01"])
def test_an_older_driver_gets_the_compatibility_library(tmp_path, compat, text, version):
    assert variables(tmp_path, compat, text.format(version)) == {"LD_LIBRARY_PATH": str(compat)}
    kept = variables(tmp_path, compat, text.format(version), LD_LIBRARY_PATH="/usr/local/nvidia/lib64")
    assert kept == {"LD_LIBRARY_PATH": f"{compat}:/usr/local/nvidia/lib64"}


@pytest.mark.parametrize("text", [OPEN, CLOSED])
@pytest.mark.parametrize("version", ["580.65.06", "580.95.05", "580.105.08", "595.45.04"])
def test_a_driver_that_is_as_new_or_newer_does_not(tmp_path, compat, text, version):
    assert variables(tmp_path, compat, text.format(version)) == {}


def test_without_driver_or_package_nothing_is_changed(tmp_path, compat):
    assert variables(tmp_path, compat, None) == {}
    assert variables(tmp_path, compat, "no version") == {}
    assert variables(tmp_path, tmp_path / "none", OPEN.format("535.54.03")) == {}
