"""What decoding leaves to the system."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from container.serve.served_model import _give_back


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
def test_what_was_freed_goes_back_to_the_system():
    """malloc keeps it otherwise: the last of the blocks is in use, behind those that are freed."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    size, number = 100_000, 1_000  # below malloc's threshold for memory of its own
    blocks = [libc.malloc(size) for _ in range(number)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    _give_back()
    assert before - resident() > size * number / 2
    libc.free(blocks[-1])
