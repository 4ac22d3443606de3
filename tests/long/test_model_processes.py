"""Four model processes with a real network behind one server: 32 clients, one process killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest

from container.supervise import children
from tests.container.http.server_process import until
from tests.container.serve.conftest import Process, expected, images, model  # noqa: F401

pytestmark = pytest.mark.long


def test_32_clients_get_their_own_answers_while_a_process_is_killed_and_restarted(model, images, expected):  # noqa: F811
    server = Process("--model_dir", str(model), "--processes", "4").ready()
    try:
        assert "libtorch" not in Path(f"/proc/{server.child.pid}/maps").read_text()  # the server itself needs no torch
        until(lambda: all(server.counted(f'rarebird_process_ready{{process="{number}"}}') for number in range(4)))
        answered: list[int] = []
        clients = threading.Thread(
            target=lambda: answered.append(server.check_clients(images, expected, clients=32, seconds=30))
        )
        clients.start()
        until(lambda: all(server.counted(f'rarebird_process_pictures_total{{process="{n}"}}') for n in range(4)))
        os.kill(children(server.child.pid)[1], signal.SIGKILL)
        until(lambda: sum(server.counted(f'rarebird_process_ready{{process="{n}"}}') for n in range(4)) == 3)
        until(lambda: sum(server.counted(f'rarebird_process_ready{{process="{n}"}}') for n in range(4)) == 4)
        clients.join()
        print(f"{answered[0]:,} answers in 30 s")
        assert server.counted('rarebird_requests_total{path="/invocations",status="200"}') == answered[0] > 320
        assert sum(server.counted(f'rarebird_process_restarts_total{{process="{n}"}}') for n in range(4)) == 1
        found = httpx.post(f"{server.url}/invocations", content=images[1], headers={"Content-Type": "image/png"})
        np.testing.assert_allclose(found.json()["probabilities"], expected[1], atol=1e-5)
        assert server.stop()[0] == 0
    finally:
        server.end()
