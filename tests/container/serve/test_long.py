"""The server for as long and as much as an endpoint has it: a minute of clients, thousands of malformed requests, and
its memory after tens of thousands."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from benchmarks.serving import Asking

pytestmark = pytest.mark.long


def held(server) -> float:
    return server.counted("rarebird_held_bytes") + server.counted("rarebird_waiting_pictures")


def faults(server) -> list[str]:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return [line for line in lines if 'status="500"' in line]


def test_32_clients_for_a_minute_see_no_error_and_their_own_answers(process, model, pictures, expected):
    server = process("--model_dir", str(model)).ready()
    answered = server.check_clients(pictures, expected, clients=32, seconds=60)
    print(f"{answered:,} answers in 60 s")
    assert server.counted('rarebird_requests_total{path="/invocations",status="200"}') == answered > 320
    assert server.stop()[0] == 0


def test_10000_malformed_requests_give_no_500_and_no_hang(process, model, malformed):
    server = process("--model_dir", str(model), "--body_timeout", "1").ready()

    def one(number: int) -> str:
        answer = server.sent(malformed(number), half_closed=number % 7 == 0)
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


def test_memory_after_20000_requests_is_that_after_2000(process, model, pictures):
    server = process("--model_dir", str(model)).ready()
    early, late = Asking(server.port, pictures).memory_after((2_000, 20_000), clients=32)
    print(f"{early:.1f} MiB after 2,000 requests, {late:.1f} MiB after 20,000")
    assert late < 1.05 * early
