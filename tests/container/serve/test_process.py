"""The server as a process: its start, its end, clients side by side, and those that are slow or speak no HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import numpy as np
import pytest

from benchmarks.serving import Clients
from container import settings_layers
from container.job_types import SERVE
from container.serve.__main__ import main, model_folder
from model.errors import InputError

HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.fixture(scope="module")
def server(process, model, tmp_path_factory):
    """One for this file's tests: its model at the root of SageMaker's tree, read-only, with other files beside it."""
    base = tmp_path_factory.mktemp("ml")
    shutil.copytree(model, base / "model")
    (base / "model" / "model.tar.gz").write_bytes(b"left by the SDK's local mode")
    for path in [*(base / "model").iterdir(), base / "model"]:
        path.chmod(0o555)
    before = sorted((base / "model").rglob("*"))
    started = process("--body_timeout", "1.5", SAGEMAKER_BASE_DIR=str(base)).ready()
    yield started
    assert sorted((base / "model").rglob("*")) == before
    (base / "model").chmod(0o755)


def test_ping_is_503_until_the_model_answers_and_sigterm_ends_a_start_with_0(process, model):
    starting = process("--model_dir", str(model))
    while (status := starting.ping()) == 0:
        assert starting.child.poll() is None
        time.sleep(0.01)
    assert status == 503
    answer = httpx.post(f"{starting.url}/invocations", content=b"x", headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    code, told = starting.stop()
    assert code == 0 and "stopped by SIGTERM" in told and "Traceback" not in told


def test_clients_side_by_side_each_get_the_answer_of_their_own_image(server, pictures, expected):
    server.check_clients(pictures, expected, clients=32, seconds=3)


def test_a_slow_body_ends_with_408_and_the_others_do_not_wait_for_it(server, pictures, expected):
    began = time.monotonic()
    slow = HEAD + b"Content-Length: 1000\r\n\r\n" + pictures[1][:10]
    with ThreadPoolExecutor(20) as threads:
        waiting = [threads.submit(server.sent, slow) for _ in range(20)]
        while server.counted("rarebird_held_bytes") < 200:
            assert time.monotonic() < began + 30
        found = httpx.post(f"{server.url}/invocations", content=pictures[1], headers={"Content-Type": "image/png"})
        np.testing.assert_allclose(found.json()["probabilities"], expected[1], atol=1e-5)
        for one in waiting:
            assert one.result().startswith(b"HTTP/1.1 408") and b"did not come within 1.5 s; 10 bytes" in one.result()
    assert server.counted("rarebird_held_bytes") == 0


def test_truncated_bodies_are_let_go(server):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"\x89PNG")
    end = time.monotonic() + 30
    while server.counted('rarebird_requests_total{path="/invocations",status="499"}') < 20:
        assert time.monotonic() < end
    assert server.counted("rarebird_held_bytes") == 0


def test_who_sends_too_much_and_listens_then_hears_why(server):
    head = HEAD + b"Content-Length: 30000000\r\n\r\n"
    answer = server.sent(head, b"x" * 30_000_000)
    assert answer.startswith(b"HTTP/1.1 413") and b"max_payload_mb" in answer
    waiting = server.sent(head[:-2] + b"Expect: 100-continue\r\n\r\n")
    assert waiting.startswith(b"HTTP/1.1 413")


MALFORMED = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"nonsense\r\n\r\n",
    b"GET /ping HTTP/1.1\r\n\r\n",  # no Host
    b"GET /ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /ping HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
    b"GET /ping HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70_000,
    HEAD + b"Content-Length: -5\r\n\r\n",
    HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    HEAD + b"Transfer-Encoding: gzip\r\n\r\nabc",
]


@pytest.mark.parametrize("request_bytes", MALFORMED)
def test_what_is_no_http_is_told_so(server, request_bytes):
    assert server.sent(request_bytes).startswith(b"HTTP/1.1 400")
    assert server.ping() == 200


def test_malformed_requests_give_no_500_and_no_hang(server, malformed):
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: server.sent(malformed(number), may_wait=True), range(100)))
    assert {answer[:9] for answer in answers} <= {b"", b"HTTP/1.1 "}
    assert not [answer for answer in answers if answer[9:12] == b"500"]
    assert (server.ping(), server.counted("rarebird_held_bytes")) == (200, 0)


def test_sigterm_lets_what_is_under_way_be_answered_and_ends_with_0(process, model, pictures, expected):
    """Twenty requests are half sent when it comes, and one that never goes on."""
    server = process("--model_dir", str(model), "--drain_seconds", "5").ready()
    middle = len(pictures[1]) // 2
    half_sent, goes_on = threading.Barrier(21), threading.Event()

    def ask() -> bytes:
        head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(pictures[1])
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(head + pictures[1][:middle])
            half_sent.wait(60)
            assert goes_on.wait(60)
            connection.sendall(pictures[1][middle:])
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    with ThreadPoolExecutor(20) as threads, socket.create_connection(("127.0.0.1", server.port)) as never:
        answers = [threads.submit(ask) for _ in range(20)]
        half_sent.wait(60)
        never.sendall(HEAD + b"Content-Length: 1000\r\n\r\nx")
        while server.counted("rarebird_held_bytes") < 20 * middle + 1:
            time.sleep(0.05)
        server.child.send_signal(signal.SIGTERM)
        while server.ping():  # no new connection
            time.sleep(0.05)
        goes_on.set()
        for answer in answers:
            head, _, body = answer.result().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            np.testing.assert_allclose(json.loads(body)["probabilities"], expected[1], atol=1e-5)
        began = time.monotonic()
        assert never.recv(1 << 16).startswith(b"HTTP/1.1 503")
        assert server.child.wait(timeout=60) == 0, server.told()
        assert time.monotonic() - began < 30 and "Traceback" not in server.told()


def test_the_model_is_what_flag_variable_or_tree_name(model, tmp_path, monkeypatch):
    def place(*flags: str):
        return model_folder(*settings_layers.read(SERVE, flags, ""))

    base = tmp_path / "ml"
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    with pytest.raises(InputError, match="runs contains no finished run"):
        place()
    shutil.copytree(model, base / "model")
    (base / "model" / "model.tar.gz").write_bytes(b"of the SDK's local mode")
    (base / "model" / "output.tar.gz").write_bytes(b"likewise")
    shutil.copytree(model, base / "model" / "checkpoint-of-something")
    assert place() == base / "model"
    monkeypatch.setenv("SM_MODEL_DIR", str(model.parent))
    assert place() == model
    assert place("--model_dir", str(base / "model")) == base / "model"
    assert place("--multi_model") is None


def test_a_missing_model_or_a_taken_port_ends_before_anything_is_loaded(model, tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        main(["--model_dir", str(tmp_path / "nothing"), "--port", "0"])
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"):
            main(["--model_dir", str(model), "--host", "127.0.0.1", "--port", port])


def held(server) -> float:
    return server.counted("rarebird_held_bytes") + server.counted("rarebird_waiting_pictures")


def faults(server) -> list[str]:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return [line for line in lines if 'status="500"' in line]


@pytest.mark.long
def test_32_clients_for_a_minute_see_no_error_and_their_own_answers(process, model, pictures, expected):
    server = process("--model_dir", str(model)).ready()
    answered = server.check_clients(pictures, expected, clients=32, seconds=60)
    print(f"{answered:,} answers in 60 s")
    assert server.counted('rarebird_requests_total{path="/invocations",status="200"}') == answered > 320
    assert server.stop()[0] == 0


@pytest.mark.long
def test_10000_malformed_requests_give_no_500_and_no_hang(process, model, malformed):
    server = process("--model_dir", str(model), "--body_timeout", "1").ready()

    def one(number: int) -> str:
        answer = server.sent(malformed(number), half_closed=number % 7 == 0, may_wait=True)
        return answer[9:12].decode("latin-1")

    with ThreadPoolExecutor(64) as threads:
        statuses = list(threads.map(one, range(10_000)))
    told = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(told)
    assert set(told) <= {"", "100", "200", "400", "404", "405", "406", "408", "413", "415", "422", "501", "503"}
    assert len(told) > 8 and not faults(server)
    assert (server.ping(), held(server)) == (200, 0)
    code, log = server.stop()
    assert code == 0 and "Traceback" not in log


@pytest.mark.long
def test_a_fuzzer_of_the_description_finds_no_500(process, model):
    server = process("--model_dir", str(model)).ready()
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
    flags = ["--max-examples", "150", "--seed", "1", "--workers", "2", "--request-timeout", "30", "--no-color"]
    checks = ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]
    ended = subprocess.run(
        [*command, f"{server.url}/openapi.json", *flags, *checks], capture_output=True, text=True, env=dict(os.environ)
    )
    print(ended.stdout[-2000:])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not faults(server) and (server.ping(), held(server)) == (200, 0)


@pytest.mark.long
def test_memory_after_20000_requests_is_that_after_2000(process, model, pictures):
    server = process("--model_dir", str(model)).ready()
    early, late = Clients(server.port, pictures).memory_after((2_000, 20_000), clients=32)
    print(f"{early:.1f} MiB after 2,000 requests, {late:.1f} MiB after 20,000")
    assert late < 1.05 * early
