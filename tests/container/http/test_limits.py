"""Reservations of a capacity, and free memory."""

from __future__ import annotations

import pytest

from container.http.limits import Capacity, free_memory


def test_reservations_are_released_and_never_exceed_the_capacity():
    room = Capacity(10)
    with room.reservation() as one, room.reservation() as other:
        assert one.add(6) and not other.add(5) and other.add(4) and not one.add(1)
        assert room.used == 10
    assert room.used == 0


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    5 kB\n"}, 5120),
        ({"proc/meminfo": "MemAvailable: 5 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 5120),
        ({"sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "400\n"}, 600),
        (
            {
                "proc/meminfo": "MemAvailable: 5 kB\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "900",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "100",
            },
            800,
        ),
        (
            {
                "sys/fs/cgroup/memory.max": "1000\n",
                "sys/fs/cgroup/memory.current": "900\n",
                "sys/fs/cgroup/memory.stat": "anon 300\ninactive_anon 7\ninactive_file 500\nactive_file 100\n",
            },
            600,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "900",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "800",
                "sys/fs/cgroup/memory/memory.stat": "inactive_file 5\ntotal_inactive_file 50\n",
            },
            150,
        ),
    ],
)
def test_free_memory_is_limited_by_machine_and_control_group(tmp_path, files, free):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert free_memory(tmp_path) == free
