"""The server as a process: start, end, parallel clients, slow clients and clients that send invalid HTTP."""

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
from tests.container.http.server_process import until
from tests.container.serve.stub_model import WAIT, stub_probabilities, stub_server_process

HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.fixture(scope="module")
def server(process, model, tmp_path_factory):
    """One server for all tests. Its model is in SageMaker's model folder, which is read-only and has other files."""
    base = tmp_path_factory.mktemp("ml")
    shutil.copytree(model, base / "model")
    (base / "model" / "model.tar.gz").write_bytes(b"left by the SDK's local mode")
    for path in [*(base / "model").iterdir(), base / "model"]:
        path.chmod(0o555)
    before = sorted((base / "model").rglob("*"))
    started = process("--body_timeout", "1.5", SAGEMAKER_BASE_DIR=str(base)).ready()
    yield started
    assert started.stop()[0] == 0
    assert sorted((base / "model").rglob("*")) == before
    (base / "model").chmod(0o755)


def test_ping_is_503_while_the_model_loads_and_sigterm_then_ends_with_0(process, model):
    starting = process("--model_dir", str(model))
    while (status := starting.ping()) == 0:
        assert starting.child.poll() is None
        time.sleep(0.01)
    assert status == 503
    answer = httpx.post(f"{starting.url}/invocations", content=b"x", headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    code, output = starting.stop()
    assert code == 0 and "stopped by SIGTERM" in output and "Traceback" not in output


def test_parallel_clients_get_the_predictions_of_their_own_images(server, images, expected):
    assert server.check_clients(images, expected, clients=32, seconds=1) >= 32


def test_a_slow_body_is_408_and_other_requests_do_not_wait_for_it(server, images, expected):
    slow = HEAD + b"Content-Length: 1000\r\n\r\n" + images[1][:10]
    with ThreadPoolExecutor(20) as threads:
        waiting = [threads.submit(server.sent, slow) for _ in range(20)]
        until(lambda: server.counted("rarebird_held_bytes") >= 200, 30)
        response = httpx.post(f"{server.url}/invocations", content=images[1], headers={"Content-Type": "image/png"})
        np.testing.assert_allclose(response.json()["probabilities"], expected[1], atol=1e-5)
        for one in waiting:
            assert one.result().startswith(b"HTTP/1.1 408") and b"did not arrive within 1.5 s; 10 bytes" in one.result()
    assert server.counted("rarebird_held_bytes") == 0


def test_truncated_bodies_release_their_memory(server):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"\x89PNG")
    until(lambda: server.counted('rarebird_requests_total{path="/invocations",status="499"}') >= 20, 30)
    assert server.counted("rarebird_held_bytes") == 0


def test_a_client_that_sends_too_large_a_body_before_it_reads_gets_413(server):
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
def test_invalid_http_is_400(server, request_bytes):
    assert server.sent(request_bytes).startswith(b"HTTP/1.1 400")
    assert server.ping() == 200


def test_malformed_requests_give_no_500_and_no_hang(server, malformed):
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: server.sent(malformed(number), may_wait=True), range(100)))
    assert {answer[:9] for answer in answers} <= {b"", b"HTTP/1.1 "}
    assert not [answer for answer in answers if answer[9:12] == b"500"]
    assert (server.ping(), server.counted("rarebird_held_bytes")) == (200, 0)


@pytest.fixture
def stub_server(tmp_path):
    """A server with a stub as its model, which starts within a second."""
    server = stub_server_process(tmp_path, "--drain_seconds", "3").ready()
    yield server
    server.end()


def test_after_sigterm_running_requests_are_answered_and_the_exit_code_is_0(stub_server, tmp_path):
    """When SIGTERM arrives, twenty requests are half sent, and another one is never completed."""
    server, image = stub_server, WAIT + os.fsencode(tmp_path / "go")
    middle = len(image) // 2
    half_sent, may_finish = threading.Barrier(21), threading.Event()

    def request() -> bytes:
        head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(image)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(head + image[:middle])
            half_sent.wait(60)
            assert may_finish.wait(60)
            connection.sendall(image[middle:])
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    with ThreadPoolExecutor(20) as threads, socket.create_connection(("127.0.0.1", server.port)) as never:
        answers = [threads.submit(request) for _ in range(20)]
        half_sent.wait(60)
        never.sendall(HEAD + b"Content-Length: 1000\r\n\r\nx")
        while server.counted("rarebird_held_bytes") < 20 * middle + 1:
            time.sleep(0.05)
        server.child.send_signal(signal.SIGTERM)
        while server.ping():  # until no new connection is accepted
            time.sleep(0.05)
        may_finish.set()
        time.sleep(0.2)  # longer than uvicorn waits without a time to drain
        (tmp_path / "go").touch()
        for answer in answers:
            head, _, body = answer.result().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            np.testing.assert_allclose(json.loads(body)["probabilities"], stub_probabilities(image), atol=1e-7)
        start = time.monotonic()
        assert never.recv(1 << 16).startswith(b"HTTP/1.1 503")
        assert server.child.wait(timeout=60) == 0, server.output()
        assert time.monotonic() - start < 30 and "Traceback" not in server.output()


def test_the_model_is_found_by_flag_variable_or_in_opt_ml(model, tmp_path, monkeypatch):
    def folder(*flags: str):
        return model_folder(*settings_layers.read(SERVE, flags, ""))

    base = tmp_path / "ml"
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    with pytest.raises(InputError, match="runs contains no finished run"):
        folder()
    shutil.copytree(model, base / "model")
    (base / "model" / "model.tar.gz").write_bytes(b"of the SDK's local mode")
    (base / "model" / "output.tar.gz").write_bytes(b"likewise")
    shutil.copytree(model, base / "model" / "checkpoint-of-something")
    assert folder() == base / "model"
    monkeypatch.setenv("SM_MODEL_DIR", str(model.parent))
    assert folder() == model
    assert folder("--model_dir", str(base / "model")) == base / "model"
    assert folder("--multi_model") is None


def test_a_missing_model_or_a_port_in_use_is_an_error_before_anything_is_loaded(model, tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        main(["--model_dir", str(tmp_path / "nothing"), "--port", "0"])
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"):
            main(["--model_dir", str(model), "--host", "127.0.0.1", "--port", port])


def reserved(server) -> float:
    return server.counted("rarebird_held_bytes") + server.counted("rarebird_waiting_pictures")


def server_errors(server) -> list[str]:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return [line for line in lines if 'status="500"' in line]


@pytest.mark.long
def test_32_clients_for_a_minute_get_their_own_predictions_and_no_error(process, model, images, expected):
    server = process("--model_dir", str(model)).ready()
    answered = server.check_clients(images, expected, clients=32, seconds=60)
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
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(counts)
    assert set(counts) <= {"", "100", "200", "400", "404", "405", "406", "408", "413", "415", "422", "501", "503"}
    assert len(counts) > 8 and not server_errors(server)
    assert (server.ping(), reserved(server)) == (200, 0)
    code, log = server.stop()
    assert code == 0 and "Traceback" not in log


@pytest.mark.long
def test_a_fuzzer_finds_no_500_from_the_openapi_description(process, model):
    server = process("--model_dir", str(model)).ready()
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
    flags = ["--max-examples", "150", "--seed", "1", "--workers", "2", "--request-timeout", "30", "--no-color"]
    checks = ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]
    ended = subprocess.run(
        [*command, f"{server.url}/openapi.json", *flags, *checks], capture_output=True, text=True, env=dict(os.environ)
    )
    print(ended.stdout[-2000:])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not server_errors(server) and (server.ping(), reserved(server)) == (200, 0)


@pytest.mark.long
def test_memory_does_not_grow_between_2000_and_20000_requests(process, model, images):
    server = process("--model_dir", str(model)).ready()
    early, late = Clients(server.port, images).memory_after((2_000, 20_000), clients=32)
    print(f"{early:.1f} MiB after 2,000 requests, {late:.1f} MiB after 20,000")
    assert late < 1.05 * early
